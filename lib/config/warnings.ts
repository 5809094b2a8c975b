/**
 * Settings that are allowed, but probably not intended, from the configuration and this machine.
 *
 * {@link doubtsOf} decides on plain values; the rest only looks at directories and
 * interfaces for it.
 */

import {
  comparableAddress,
  formatSocketAddress,
  isWildcard,
  sameHost,
  type SocketAddress,
} from "../address.ts";
import { CA_PATIENCE_MS } from "../ca_rules.ts";
import { machineAddresses } from "../own_addresses.ts";
import { formatDuration } from "../time.ts";
import { formatPeer, type Peer } from "../peer.ts";
import { clusterWarnings } from "./cluster_warnings.ts";
import type { Config } from "./schema.ts";
import { webrootWarnings } from "./webroot_warnings.ts";

/**
 * The CA asks from several places one after the other within one budget; half is left for the
 * others.
 */
const PRUDENT_TIMEOUT_MS = 5_000;

/** All warnings, a line each. Never throws. */
export async function configWarnings(config: Config): Promise<string[]> {
  const webroots = await Promise.all(config.webroot.map(webrootWarnings));
  return [...doubtsOf(config, machineAddresses()), ...webroots.flat()];
}

/** Warnings that follow from the values and the addresses of this machine. */
export function doubtsOf(config: Config, machineAddresses: string[]): string[] {
  const { peers, lookup } = config;
  const here = new Set(machineAddresses.map(comparableAddress));
  const warnings = peers.flatMap((peer, i) => {
    const reason = "hostname" in peer ? doubtfulPeer(peer, { config, here }) : undefined;
    return reason ? [`peers[${i}]: ${formatPeer(peer)} ${reason}`] : [];
  });
  const spellings = peers.map(formatPeer);
  for (const [i, spelling] of spellings.entries()) {
    if (spellings.indexOf(spelling) < i) warnings.push(`peers[${i}]: ${spelling} is there twice`);
  }
  const timeout = formatDuration(lookup.timeout);
  if (lookup.timeout >= CA_PATIENCE_MS) {
    warnings.push(`lookup.timeout: the CA gives up near 10s, so a peer never has ${timeout}`);
  } else if (lookup.timeout > PRUDENT_TIMEOUT_MS) {
    warnings.push(`lookup.timeout: the CA's budget is near 10s in all; ${timeout} uses most of it`);
  }
  if (lookup.connect_timeout > lookup.timeout) {
    warnings.push(
      `lookup.connect_timeout: longer than lookup.timeout (${timeout}), which ends first`,
    );
  }
  return [...warnings, ...clusterWarnings(config, here)];
}

function doubtfulPeer(
  peer: SocketAddress,
  { config, here }: { config: Config; here: Set<string> },
): string | undefined {
  if (config.cluster.virtual_addresses.some(({ address }) => sameHost(address, peer.hostname))) {
    return "is a virtual address, which moves; give the balancer's own";
  }
  if (isHeard(peer, config.challenge.listen)) return undefined;
  const local = isLocal(peer, here);
  if (local && isHeard(peer, config.public.listen)) {
    return "is a public address of this balancer; peers are asked at their challenge port";
  }
  if (config.public.listen.some(({ port }) => port === peer.port)) {
    return "has the port of the public listener; peers are asked at their challenge port";
  }
  if (!local) return undefined;
  const listeners = config.challenge.listen.map(formatSocketAddress).join(", ") || "nothing";
  return `is this machine, whose challenge port listens on ${listeners}`;
}

function isHeard({ hostname, port }: SocketAddress, listeners: SocketAddress[]): boolean {
  return listeners.some((listener) =>
    listener.port === port &&
    (isWildcard(listener.hostname) || sameHost(listener.hostname, hostname))
  );
}

function isLocal({ hostname }: SocketAddress, here: Set<string>): boolean {
  const address = comparableAddress(hostname);
  return here.has(address) || address.startsWith("127.");
}

/** The peers that are this balancer itself, which are not asked over the network. */
export function ownPeers(config: Config, machineAddresses: string[]): Peer[] {
  const isOwn = ownChallengePort(config, machineAddresses);
  return config.peers.filter((peer) => "hostname" in peer && isOwn(peer));
}

/** Whether an address is one of this machine, with the port of its challenge listener. */
export function ownChallengePort(
  config: Config,
  machineAddresses: string[],
): (address: SocketAddress) => boolean {
  const here = new Set(machineAddresses.map(comparableAddress));
  return (address) => isLocal(address, here) && isHeard(address, config.challenge.listen);
}
