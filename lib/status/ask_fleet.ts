/**
 * Asks every balancer of the peers what it knows of itself, all at once and within one deadline.
 *
 * A peer may be compromised: whatever it sends costs no more than the bounds of a report and ends at
 * the deadline, and becomes a row that says so.
 */

import { reachableHere, type SocketAddress } from "../address.ts";
import { configDigest } from "../config/digest.ts";
import { ownNode } from "../config/own_node.ts";
import type { Config } from "../config/schema.ts";
import { ownChallengePort } from "../config/warnings.ts";
import { askServer, type Reply } from "../http/ask.ts";
import type { Peer } from "../peer.ts";
import { resolveName } from "../resolve_name.ts";
import { deadline, orAborted } from "../time.ts";
import { BOUNDS, STATUS_TARGET } from "./balancer_report.ts";
import type { BalancerRow, FleetView } from "./fleet.ts";
import {
  type BalancerAnswer,
  fleetRows,
  readAnswer,
  type Target,
  type Told,
} from "./fleet_rows.ts";

/** For all of them together, names included. */
const ASK_MS = 1_800;
/** For a command, from the start of its process to its end; two seconds are promised. */
const COMMAND_MS = 1_800;
/** A balancer whose disk or HAProxy hangs needs so long to answer. */
const LEAST_ASK_MS = 800;
/** Enough for a first packet that is lost and sent again after a second. */
const MOST_ASK_MS = 1_300;
/**
 * The time to load the runtime, which cannot be measured from within, and to print and end, as a
 * multiple of the time from there to the question. All grow alike where processors are short.
 */
const REST_OF_START = 1.5;

/**
 * What is left for the question of a command.
 * @param sinceStartMs on the clock of the process, which begins when the runtime is loaded
 */
export function askTimeoutMs(sinceStartMs: number): number {
  const left = COMMAND_MS - (1 + REST_OF_START) * sinceStartMs;
  return Math.min(MOST_ASK_MS, Math.max(LEAST_ASK_MS, left));
}

interface AskFleetOptions {
  config: Config;
  /** The configuration file, or what stands for it. */
  file: string;
  /** Addresses of this machine's interfaces. */
  machine: readonly string[];
  /** For all of them together. @default 1800 */
  timeoutMs?: number;
  /** @default {@link askServer} */
  ask?: typeof askServer;
  /** All addresses of a name. @default the system's resolver, hosts file included */
  resolve?: typeof resolveName;
  /** Milliseconds since the epoch. @default Date.now */
  now?: () => number;
}

/** The fleet as it is now. Never rejects. */
export async function askFleet(options: AskFleetOptions): Promise<FleetView> {
  const { config, file, timeoutMs = ASK_MS, now = Date.now } = options;
  const { nodes, virtual_addresses, interface: device, unicast } = config.cluster;
  using limit = deadline(timeoutMs);
  const lists = await Promise.all(
    peersOf(config).map((peer) => askPeer(peer, options, limit.signal)),
  );
  const asked = lists.flatMap(({ asked }) => asked);
  return {
    now: new Date(now()),
    expected: {
      nodes: Object.keys(nodes),
      virtualAddresses: virtual_addresses.map(({ address }) => address),
      interface: typeof device === "string"
        ? device
        : [...new Set(Object.values(device))].join(", "),
      unicast,
      config: await configDigest(config),
      file,
    },
    rows: [
      ...fleetRows(asked.map(({ target }) => target), asked.map(({ answer }) => answer)),
      ...lists.flatMap(({ unresolved }) => unresolved),
    ],
  };
}

/** Without peers there is only this balancer, asked where it listens. */
function peersOf({ peers, challenge }: Config): Peer[] {
  return peers.length > 0 ? peers : challenge.listen.map(reachableHere);
}

interface Asked {
  asked: { target: Target; answer: BalancerAnswer }[];
  /** The row of a name that has no address. */
  unresolved: BalancerRow[];
}

async function askPeer(
  peer: Peer,
  options: AskFleetOptions,
  signal: AbortSignal,
): Promise<Asked> {
  const { config, machine, resolve = resolveName } = options;
  const began = performance.now();
  const isOwn = ownChallengePort(config, [...machine]);
  let addresses: SocketAddress[];
  if ("hostname" in peer) addresses = [peer];
  else {
    const found = await orAborted(resolve(peer.name), signal).catch(() => []);
    addresses = found.map((hostname) => ({ hostname, port: peer.port }));
    if (addresses.length === 0) {
      const name = `dns:${peer.name}:${peer.port}`;
      const ms = Math.round(performance.now() - began);
      const row = { name, address: name, here: false, deaf: [], ms };
      return { asked: [], unresolved: [{ ...row, silence: "unresolved" }] };
    }
  }
  const asked = await Promise.all(addresses.map(async (address) => ({
    target: { address, node: ownNode(config, [address.hostname]), here: isOwn(address) },
    answer: await askAddress(address, options, signal),
  })));
  return { asked, unresolved: [] };
}

async function askAddress(
  address: SocketAddress,
  { ask = askServer, now = Date.now, timeoutMs = ASK_MS }: AskFleetOptions,
  signal: AbortSignal,
): Promise<BalancerAnswer> {
  const reply = await ask(address, {
    target: STATUS_TARGET,
    host: undefined,
    as: "balancer",
    timeoutMs,
    maxBody: BOUNDS.bytes,
    signal,
  });
  return { ...toldBy(reply, now()), ms: reply.ms };
}

function toldBy(reply: Reply, now: number): Told {
  if ("fault" in reply) return { silence: reply.fault };
  const { status, body } = reply;
  if (status === 200) return readAnswer(body, now);
  if (status === 404 || status === 403) return { silence: "not_told" };
  return { silence: status >= 300 && status < 400 ? "redirected" : "bad_status" };
}
