/**
 * ACME clients that listen for the CA themselves, on a loopback port of one balancer: they obtain
 * certificates through the others, on a balancer that the CA does not reach.
 */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { type Authority, startAuthority } from "./authority.ts";
import { CLIENTS, type Order } from "./clients.ts";
import { keepers, VIRTUAL_ADDRESSES } from "./cluster.ts";
import { eventually, startDaemon, tail } from "./daemon.ts";
import { fetchOn } from "./fetch_on.ts";
import { CA_NAME, type Fleet, NAMES, startFleet } from "./fleet.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";
import { assertCertificate, swallow, toldByAcmeLb } from "./story.ts";

const missing = lacking({
  for: "ACME clients that listen",
  root: true,
  programs: [...NETWORK_PROGRAMS, "pebble", "pebble-challtestsrv", "openssl"],
});

const HOLDER = "lb1";
const address = "127.0.0.1";
/** By the name of the program, where it listens. */
const SOLVERS: Record<string, string> = { certbot: "31081", lego: "31082", caddy: "31083" };
/** The answer that every balancer must give, no matter which clients listen. */
const UNKNOWN = "u".repeat(43);

let fleet: Fleet;
let authority: Authority;

Deno.test.beforeAll(async () => {
  if (missing) return;
  const solvers = Object.values(SOLVERS).map((port) => `${address}:${port}`);
  fleet = await startFleet({ solvers });
  const { network } = fleet;
  authority = await startAuthority(network, { host: network.host("ca"), name: CA_NAME });
  for (const [name, addresses] of Object.entries(NAMES)) await authority.resolve(name, addresses);
});

Deno.test.afterAll(async () => {
  await authority?.[Symbol.asyncDispose]();
  await fleet?.[Symbol.asyncDispose]();
});

for (const dead of [undefined, "lb0"]) {
  for (const [program, port] of Object.entries(SOLVERS)) {
    const state = dead ? `while ${dead} swallows packets` : "while all balancers are well";
    Deno.test({
      name: `${program}, listening on ${HOLDER}, which the CA does not reach, obtains ${state}`,
      ignore: missing || lacking({ for: `${program} that listens`, programs: [program] }),
      fn: () => obtains({ program, port, dead }),
    });
  }
}

async function obtains(
  { program, port, dead }: { program: string; port: string; dead: string | undefined },
): Promise<void> {
  const { network, hosts, balancers } = fleet;
  const down = [HOLDER, ...dead ? [dead] : []];
  const placement = keepers(hosts, { down });
  await network.place(placement);
  const asked = [...new Set([...placement.values()].map(({ name }) => name))];
  const before = new Map(await logs());
  if (dead) await swallow(network, dead);
  try {
    // Where a balancer is silent, nobody can know.
    const unknown = dead ? 504 : 404;
    await assertUnknown(unknown);
    const order = {
      ...{ network, host: network.host(HOLDER), webroot: "", solver: { address, port } },
      names: Object.keys(NAMES),
      state: await Deno.makeTempDir({ dir: network.directory, prefix: `${program}-` }),
      directory: authority.directory,
      trust: authority.trust,
    };
    if (program === "caddy") await orderWithCaddy(order, () => assertUnknown(unknown));
    else {
      const issued = await CLIENTS[program]!(order);
      assert.equal(issued.code, 0, `${issued.stdout}\n${issued.stderr}`);
      await assertCertificate(issued.certificate);
    }
    assert.deepEqual(await authority.failedValidations(), []);
    await eventually(async () => {
      const told = new Map((await logs()).map(([name, log]): [string, string] => [
        name,
        log.slice(before.get(name)!.length),
      ]));
      const bySolver = told.get(HOLDER)!.includes(`source=solver solver=${address}:${port}`);
      return bySolver && asked.every((name) => toldByAcmeLb(told.get(name)!, "peer").length > 0) ||
        undefined;
    }, {
      what: () => `${asked.join()} to tell the CA what ${HOLDER}'s solver has`,
      deadline: 60_000,
    });
  } catch (error) {
    const ends = [...balancers.values(), ...authority.daemons].map(({ log }) => tail(log));
    throw new Error(`${error}\n${(await Promise.all(ends)).join("\n")}`, { cause: error });
  } finally {
    if (dead) await network.heal(network.host(dead));
  }
}

/** Gets a certificate for each name; after that Caddy still listens, and redirects every request. */
async function orderWithCaddy(order: Order, listening: () => Promise<void>): Promise<void> {
  const { network, host, names, state, directory, trust, solver } = order;
  const file = `${state}/Caddyfile`;
  await Deno.writeTextFile(
    file,
    `{
  admin off
  storage file_system ${state}
  default_bind ${address}
  http_port ${solver!.port}
  https_port 8443
}
${names.join(", ")} {
  tls {
    issuer acme ${directory} {
      trusted_roots ${trust}
      disable_tlsalpn_challenge
    }
  }
  respond "Caddy"
}
`,
  );
  const log = `${network.directory}/caddy.log`;
  const caddy = await startDaemon(
    network.on(host, ["caddy", "run", "--adapter", "caddyfile", "--config", file]),
    { log, env: { HOME: state } },
  );
  try {
    const found = await eventually(async () => {
      const issued = await certificatesBelow(`${state}/certificates`);
      return issued.length === names.length ? issued : undefined;
    }, { what: () => "Caddy's certificates", deadline: 120_000 });
    const subjects = await Promise.all(
      found.map(async (path) => new X509Certificate(await Deno.readTextFile(path)).subjectAltName),
    );
    assert.deepEqual(subjects.sort(), names.map((name) => `DNS:${name}`).sort());
    await listening();
  } catch (error) {
    throw new Error(`${error}\n${await tail(log)}`, { cause: error });
  } finally {
    await caddy.stop();
  }
}

async function certificatesBelow(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder)).catch(() => []);
  const paths = await Promise.all(entries.map(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? certificatesBelow(path) : name.endsWith(".crt") ? [path] : [];
  }));
  return paths.flat();
}

function logs(): Promise<[string, string][]> {
  return Promise.all(
    [...fleet.balancers].map(async ([name, { log }]): Promise<[string, string]> => [
      name,
      await Deno.readTextFile(log),
    ]),
  );
}

/** Through every virtual address. */
async function assertUnknown(expected: number): Promise<void> {
  const { network } = fleet;
  for (const virtual of VIRTUAL_ADDRESSES) {
    const url = `http://[${virtual}]/.well-known/acme-challenge/${UNKNOWN}`;
    const { status } = await fetchOn(network.host("user"), { network, url, name: CA_NAME });
    assert.equal(status, expected, virtual);
  }
}
