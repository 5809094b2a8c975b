/**
 * Which ways self-test goes: the challenge port of every peer, and port 80 of every address that
 * the CA could connect to. Pure: names are resolved, and interfaces looked at, by the caller.
 */

import { comparableAddress, isWildcard, type SocketAddress } from "../address.ts";
import type { Config } from "../config/schema.ts";
import { ownChallengePort } from "../config/warnings.ts";
import type { NameRecords } from "./judge_names.ts";

/** One way to a token. */
export interface Path {
  port: "challenge" | "public";
  address: SocketAddress;
  /** The Host header to send. */
  host: string;
  /** Whose address it is: a node's name, `virtual address`, names whose record it is. */
  of: string[];
  /** What paths to one machine have in common: its node's name, else the address. */
  machine: string;
  /** The challenge port of this very balancer, which holds the token. */
  own: boolean;
  /** An address that only a name's record leads to. */
  foreign: boolean;
}

export interface PathsOptions {
  config: Config;
  /** The addresses of each of `cluster.names`. */
  records: ReadonlyMap<string, NameRecords>;
  /** All challenge ports of the peers, names among them resolved. */
  peers: readonly SocketAddress[];
  /** Addresses of this machine's interfaces. */
  machine: readonly string[];
}

/** HTTP-01 knows no other (RFC 8555 section 8.3). */
const CA_PORT = 80;
export const VIRTUAL = "virtual address";
const HERE = "this machine";

/** All paths, each pair of address and Host once. */
export function planPaths(options: PathsOptions): Path[] {
  return [...challengePaths(options), ...publicPaths(options)];
}

function challengePaths({ config, peers, machine }: PathsOptions): Path[] {
  const isOwn = ownChallengePort(config, [...machine]);
  // Without peers there is this balancer alone, asked where it listens.
  const addresses = peers.length > 0 ? peers : config.challenge.listen.map(reachable);
  return addresses.map((address) => {
    const own = peers.length === 0 || isOwn(address);
    const of = [...nodesOf(address.hostname, config), ...own ? ["this balancer"] : []];
    const host = defaultHost(config, address.hostname);
    const machine = machineOf(address.hostname, config);
    return { port: "challenge", address, host, of, machine, own, foreign: false };
  });
}

function publicPaths({ config, records, peers, machine }: PathsOptions): Path[] {
  const { nodes, virtual_addresses } = config.cluster;
  const found = new Map<string, Path>();
  const known = new Set(
    [...Object.values(nodes).flat(), ...virtual_addresses, ...machine, ...peers.map(hostnameOf)]
      .map(comparableAddress),
  );
  const add = (hostname: string, { of, host }: { of: string[]; host: string }) => {
    const address = { hostname, port: CA_PORT };
    const key = `${comparableAddress(hostname)} ${host}`;
    const path = found.get(key) ?? {
      port: "public",
      address,
      host,
      of: [],
      machine: machineOf(hostname, config),
      own: false,
      foreign: !known.has(comparableAddress(hostname)),
    };
    path.of.push(...of.filter((word) => !path.of.includes(word)));
    found.set(key, path);
  };
  const own = (hostname: string, of: string[]) =>
    add(hostname, { of, host: defaultHost(config, hostname) });
  for (const [name, addresses] of Object.entries(nodes)) {
    for (const address of addresses) own(address, [name]);
  }
  for (const address of virtual_addresses) own(address, [VIRTUAL]);
  if (Object.keys(nodes).length === 0) {
    const others = peers.map(hostnameOf).filter((hostname) => !isLocalOnly(hostname));
    const here = machine.filter((hostname) => !isLocalOnly(hostname));
    for (const address of others) own(address, []);
    if (others.length === 0) { for (const address of here) own(address, [HERE]); }
    if (others.length === 0 && here.length === 0) own("127.0.0.1", [HERE]);
  }
  for (const [name, { addresses = [] }] of records) {
    for (const address of addresses) add(address, { of: [name], host: name });
  }
  return [...found.values()];
}

/** The nodes that have the address. */
export function nodesOf(hostname: string, { cluster }: Config): string[] {
  const wanted = comparableAddress(hostname);
  return Object.entries(cluster.nodes)
    .filter(([, addresses]) => addresses.some((one) => comparableAddress(one) === wanted))
    .map(([name]) => name);
}

function machineOf(hostname: string, config: Config): string {
  return nodesOf(hostname, config)[0] ?? comparableAddress(hostname);
}

/** A Host that the redirect knows, since it may refuse others. */
function defaultHost({ cluster, redirect }: Config, hostname: string): string {
  const name = cluster.names.find((one) => !one.startsWith("*.")) ?? redirect.hosts[0];
  if (name !== undefined) return name.replace(/^\*/, "www");
  const address = comparableAddress(hostname);
  return address.includes(":") ? `[${address}]` : address;
}

function hostnameOf({ hostname }: SocketAddress): string {
  return hostname;
}

/** Where to ask a listener of this machine. */
function reachable({ hostname, port }: SocketAddress): SocketAddress {
  const loopback = hostname === "::" ? "::1" : "127.0.0.1";
  return { hostname: isWildcard(hostname) ? loopback : hostname, port };
}

/** Loopback and link-local addresses, from which no CA can come. */
function isLocalOnly(hostname: string): boolean {
  return /^(?:127\.|169\.254\.|::1$|fe[89ab])/i.test(comparableAddress(hostname));
}
