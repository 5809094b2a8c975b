/**
 * One story of the issuance tests: brings the fleet into a state, lets several ACME clients order
 * on one balancer at the same time (most of an order is the client's own waiting), judges each, and
 * leaves the fleet well.
 */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { type Authority, startAuthority } from "./authority.ts";
import { boulderObjection, watchChallenges } from "./challenge_watch.ts";
import { CLIENTS, type Issued } from "./clients.ts";
import { keepers, VIRTUAL_ADDRESSES } from "./cluster.ts";
import { eventually, tail } from "./daemon.ts";
import { fetchOn } from "./fetch_on.ts";
import { CA_ADDRESS, CA_NAME, type Fleet, NAMES, webrootOf } from "./fleet.ts";
import type { Host, Network } from "./network.ts";

export interface Story {
  /** What is going on while the clients order. */
  while: string;
  /** The balancer on which the clients order. @default lb1 */
  holder?: string;
  /** Balancers that drop all packets; keepalived has moved their addresses. */
  swallowing?: string[];
  /** Balancers without a virtual address although they run. */
  standby?: string[];
  /** How many percent of good nonces the CA rejects. */
  rejectedNonces?: number;
  /** All of them when not given. */
  clients?: string[];
  /** Runs until the signal is given; resolves with how often it disturbed. */
  disturbance?: (fleet: Fleet, signal: AbortSignal) => Promise<number>;
}

/**
 * A refused nonce is nobody's fault but the CA's. dehydrated 0.7.0 ends at the first one, certbot
 * at two in a row; what runs them from a timer runs them again, and so does a story with refused
 * nonces. No validation may fail in any of these runs.
 */
const MAX_RUNS = 20;

/** What became of each client: the failure, or undefined. */
type Outcomes = Map<string, Error | undefined>;

export interface StoriesOptions {
  /** Asked when the first test runs. */
  fleet: () => Fleet;
  /** Nothing can be run here. */
  ignore: boolean;
  /** Clients that are not installed. */
  missing: string[];
}

/** A test for each client of each story. */
export function declareStories(stories: Story[], { fleet, ignore, missing }: StoriesOptions): void {
  for (const story of stories) {
    const clients = story.clients ?? Object.keys(CLIENTS);
    const present = clients.filter((client) => !missing.includes(client));
    // The first of a story's tests runs it for all clients; the others ask what became of theirs.
    let outcomes: Promise<Outcomes> | undefined;
    for (const client of clients) {
      Deno.test({
        name: `${client} obtains a certificate on ${story.holder ?? "lb1"} while ${story.while}`,
        ignore: ignore || missing.includes(client),
        async fn() {
          outcomes ??= runStory(fleet(), { story, clients: present });
          const failure = (await outcomes).get(client);
          if (failure) throw failure;
        },
      });
    }
  }
}

async function runStory(
  fleet: Fleet,
  { story, clients }: { story: Story; clients: string[] },
): Promise<Outcomes> {
  const { network, hosts } = fleet;
  const { holder = "lb1", swallowing = [], standby = [] } = story;
  const runs = story.rejectedNonces === undefined ? 1 : MAX_RUNS;
  const placement = keepers(hosts, { down: [...swallowing, ...standby] });
  await network.place(placement);
  await using authority = await startAuthority(network, {
    host: network.host("ca"),
    name: CA_NAME,
    rejectedNonces: story.rejectedNonces,
  });
  for (const [name, addresses] of Object.entries(NAMES)) await authority.resolve(name, addresses);

  const end = new AbortController();
  try {
    for (const name of swallowing) await swallow(network, name);
    const disturbance = story.disturbance?.(fleet, end.signal);
    // Told below; until then a failure must not count as unhandled.
    disturbance?.catch(() => {});
    const orders = clients.map(async (client): Promise<[string, Error | undefined]> => [
      client,
      await failureOf(() => order(fleet, { client, holder, authority, placement, runs })),
    ]);
    const outcomes = new Map(await Promise.all(orders));
    end.abort();
    const disturbed = await failureOf(async () => {
      if (disturbance) assert.notEqual(await disturbance, 0, "nothing was disturbed");
    });
    return new Map(outcomes.entries().map(([client, failure]) => [client, failure ?? disturbed]));
  } finally {
    end.abort();
    for (const name of swallowing) await network.heal(network.host(name));
  }
}

/** A balancer that still answered, or refused, would make the story an easier one. */
export async function swallow(network: Network, name: string): Promise<void> {
  const host = network.host(name);
  const url = `http://[${host.ipv6}]/`;
  const ask = (deadline?: number) => fetchOn(network.host("user"), { network, url, deadline });
  assert.equal((await ask()).status, 301, `${name} before`);
  await network.swallow(host);
  assert.ok((await ask(500)).timedOut, `${name} answers or refuses although it should swallow`);
}

interface OrderOptions {
  client: string;
  holder: string;
  authority: Authority;
  /** Which balancer has which virtual address. */
  placement: Map<string, Host>;
  /** How often the client may try. */
  runs: number;
}

async function order(fleet: Fleet, options: OrderOptions): Promise<void> {
  const { client, authority, placement, runs } = options;
  const { network } = fleet;
  const host = network.host(options.holder);
  const watch = await watchChallenges({
    webroot: `${host.webroot}/${client}`,
    visitor: fleet.visitor,
    addresses: VIRTUAL_ADDRESSES,
  });
  let issued: Issued | undefined;
  try {
    for (let run = 1; run <= runs; run++) {
      issued = await CLIENTS[client]!({
        network,
        host,
        webroot: webrootOf(network, client),
        names: Object.keys(NAMES),
        state: await Deno.makeTempDir({ dir: network.directory, prefix: `${client}-` }),
        directory: authority.directory,
        trust: authority.trust,
      });
      assert.deepEqual(await authority.failedValidations(), []);
      if (issued.code === 0) break;
    }
    assert.ok(issued);
    assert.equal(issued.code, 0, `${client} exited with ${issued.code}`);
    await assertCertificate(issued.certificate);

    const { planted: tokens, observations } = await watch.stop();
    assert.ok(tokens.size >= Object.keys(NAMES).length, `saw the challenges ${[...tokens]}`);
    for (const observation of observations) {
      assert.equal(boulderObjection(observation), undefined, JSON.stringify(observation));
    }
    await assertAnswered(fleet, { tokens, holder: host, keepers: new Set(placement.values()) });
  } catch (error) {
    throw new Error(await report(fleet, { error, authority, issued }), { cause: error });
  } finally {
    await watch.stop();
  }
}

export async function assertCertificate(path: string): Promise<void> {
  const certificate = new X509Certificate(await Deno.readTextFile(path));
  const names = certificate.subjectAltName?.split(", ").map((name) => name.replace("DNS:", ""));
  assert.deepEqual(names?.sort(), Object.keys(NAMES).sort());
  assert.match(certificate.issuer, /Pebble Intermediate/);
}

/**
 * Every balancer with a virtual address told the CA one of the tokens: the holder from its own
 * files, the others from a peer. Without this a story would prove nothing: the CA might have met
 * the holder alone.
 */
async function assertAnswered(
  { balancers, nginx }: Fleet,
  { tokens, holder, keepers }: { tokens: Set<string>; holder: Host; keepers: Set<Host> },
): Promise<void> {
  for (const { name } of keepers) {
    const source = name === holder.name ? "own" : "peer";
    await eventually(async () => {
      const told = name === nginx?.name
        ? await nginx.daemon.told(CA_ADDRESS)
        : toldByAcmeLb(await Deno.readTextFile(balancers.get(name)!.log), source);
      return told.some((token) => tokens.has(token)) || undefined;
    }, { what: () => `${name} to tell the CA with source=${source}`, deadline: 60_000 });
  }
}

/** The tokens that the CA got from there, according to a log of acme-lb. */
export function toldByAcmeLb(log: string, source: "own" | "solver" | "peer"): string[] {
  const wanted = ["event=challenge", "role=public", `from=${CA_ADDRESS}`, "status=200"];
  return log.split("\n").map((line) => line.split(" "))
    .filter((words) => [...wanted, `source=${source}`].every((field) => words.includes(field)))
    .flatMap((words) => words.find((word) => word.startsWith("token="))?.slice(6) ?? []);
}

/** The failure with the ends of everybody's logs. */
async function report(
  { balancers, nginx }: Fleet,
  { error, authority, issued }: { error: unknown; authority: Authority; issued?: Issued },
): Promise<string> {
  const front = [...balancers.values(), ...nginx ? [nginx.daemon] : []];
  const daemons = [...front, ...authority.daemons];
  const logs = await Promise.all(daemons.map(({ log }) => tail(log)));
  const client = issued ? [`--- client\n${issued.stdout}\n${issued.stderr}`] : [];
  return [String(error), ...logs, ...client].join("\n");
}

async function failureOf(action: () => Promise<void>): Promise<Error | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
