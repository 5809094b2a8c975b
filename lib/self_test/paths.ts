/**
 * Which ways self-test goes: the challenge port of every peer, and port 80 of every address that
 * the CA could connect to. Pure: names are resolved, and interfaces looked at, by the caller.
 */

import {
  comparableAddress,
  isLocalOnly,
  reachableHere,
  type SocketAddress,
  urlHost,
} from "../address.ts";
import { nodesWith, ownNode } from "../config/own_node.ts";
import type { Config } from "../config/schema.ts";
import { ownChallengePort } from "../config/warnings.ts";
import type { NameRecords } from "./dns_findings.ts";

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
  /** A name's record leads there. */
  named: boolean;
  /** The CA may ask it: it is named or virtual, or nothing tells which addresses are. */
  published: boolean;
  /** One of `cluster.public_addresses`: a router passes on what comes from outside. */
  translated: boolean;
}

interface PathsOptions {
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
  // Without peers there is only this balancer, asked where it listens.
  const addresses = peers.length > 0 ? peers : config.challenge.listen.map(reachableHere);
  return addresses.map((address) => {
    const own = peers.length === 0 || isOwn(address);
    const of = [...nodesWith(config, [address.hostname]), ...own ? ["this balancer"] : []];
    const host = defaultHost(config, address.hostname);
    const machine = machineOf(address.hostname, config);
    const no = { foreign: false, named: false, published: false, translated: false };
    return { port: "challenge", address, host, of, machine, own, ...no };
  });
}

function publicPaths(options: PathsOptions): Path[] {
  const { config, records, peers, machine } = options;
  const configured = configuredAddresses(options);
  const known = new Set(
    [...configured, ...peers].map(({ hostname }) => hostname).concat(machine)
      .map(comparableAddress),
  );
  const wanted = [
    ...configured.map((one) => ({ ...one, host: defaultHost(config, one.hostname) })),
    ...records.entries().flatMap(([name, { addresses }]) =>
      addresses.map((hostname) => ({ hostname, whose: name, host: name }))
    ),
  ];
  const { virtual_addresses, public_addresses } = config.cluster;
  const named = new Set(
    records.values().flatMap(({ addresses }) => addresses.map(comparableAddress)),
  );
  const translated = new Set(public_addresses.map(comparableAddress));
  const virtual = virtual_addresses.map(({ address }) => comparableAddress(address));
  const published = new Set([...named, ...translated, ...virtual]);
  const found = new Map<string, Path>();
  for (const { hostname, whose, host } of wanted) {
    const comparable = comparableAddress(hostname);
    const key = `${comparable} ${host}`;
    const path = found.get(key) ?? {
      port: "public",
      address: { hostname, port: CA_PORT },
      host,
      of: [],
      machine: machineOf(hostname, config),
      own: false,
      foreign: !known.has(comparable),
      named: named.has(comparable),
      published: published.size === 0 || published.has(comparable),
      translated: translated.has(comparable),
    };
    if (whose !== undefined && !path.of.includes(whose)) path.of.push(whose);
    found.set(key, path);
  }
  return [...found.values()];
}

/** Where this configuration has public ports; without any cluster, on the peers or on this machine. */
function configuredAddresses(
  { config, peers, machine }: PathsOptions,
): { hostname: string; whose?: string }[] {
  const { nodes, virtual_addresses, public_addresses } = config.cluster;
  const named = Object.entries(nodes).flatMap(([whose, addresses]) =>
    addresses.map((hostname) => ({ hostname, whose }))
  );
  const virtual = [
    ...virtual_addresses.map(({ address }) => ({ hostname: address, whose: VIRTUAL })),
    ...public_addresses.map((hostname) => ({ hostname, whose: "public address" })),
  ];
  if (named.length > 0) return [...named, ...virtual];
  const others = peers.filter(({ hostname }) => !isLocalOnly(hostname));
  if (others.length > 0) return [...others.map(({ hostname }) => ({ hostname })), ...virtual];
  const here = machine.filter((hostname) => !isLocalOnly(hostname));
  return [...here.length > 0 ? here : ["127.0.0.1"]]
    .map((hostname) => ({ hostname, whose: HERE })).concat(virtual);
}

function machineOf(hostname: string, config: Config): string {
  return ownNode(config, [hostname]) ?? comparableAddress(hostname);
}

/** A Host that the redirect knows, since it may refuse others. */
function defaultHost({ cluster, redirect }: Config, hostname: string): string {
  const name = cluster.names.find((one) => !one.startsWith("*.")) ?? redirect.hosts[0];
  if (name !== undefined) return name.replace(/^\*/, "www");
  return urlHost(comparableAddress(hostname));
}
