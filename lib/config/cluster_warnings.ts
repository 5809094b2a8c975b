/** Peers and nodes that do not fit together, or do not fit this machine. Pure. */

import { comparableAddress, isLocalOnly } from "../address.ts";
import { formatPeer, type Peer } from "../peer.ts";
import { lackingFamilies } from "./cluster_rules.ts";
import type { Config } from "./schema.ts";

/** @param here addresses of this machine, each as comparableAddress has it */
export function clusterWarnings(config: Config, here: ReadonlySet<string>): string[] {
  return [
    ...peersAndNodes(config),
    ...thisMachine(config, here),
    ...lackingFamilies(config.cluster).map(({ node, family, address }) =>
      `cluster.nodes.${node}: no IPv${family} address, though ${address} is a virtual address: ` +
      `give ${node} one on its interface, or keepalived there cannot take it`
    ),
    ...repeatedNames(config),
  ];
}

/** The addresses of names among the peers are not known here. */
function hasNames(peers: Peer[]): boolean {
  return peers.some((peer) => "name" in peer);
}

function hostOf(peer: Peer): string | undefined {
  return "hostname" in peer ? comparableAddress(peer.hostname) : undefined;
}

function peersAndNodes({ peers, cluster: { nodes, virtual_addresses } }: Config): string[] {
  const entries = Object.entries(nodes);
  if (peers.length === 0 || entries.length === 0) return [];
  const hosts = new Set(peers.map(hostOf));
  const own = new Set(entries.flatMap(([, addresses]) => addresses.map(comparableAddress)));
  // A virtual address among the peers has a warning of its own.
  const virtual = new Set(virtual_addresses.map(({ address }) => comparableAddress(address)));
  const strangers = peers.flatMap((peer, i) => {
    const host = hostOf(peer);
    return host === undefined || own.has(host) || virtual.has(host)
      ? []
      : [`peers[${i}]: ${formatPeer(peer)} is not an address of cluster.nodes`];
  });
  const missing = hasNames(peers) ? [] : entries
    .filter(([, addresses]) =>
      addresses.length > 0 && !addresses.some((one) => hosts.has(comparableAddress(one)))
    )
    .map(([node, addresses]) =>
      `cluster.nodes.${node}: none of its addresses (${addresses.join(", ")}) is among peers, so ` +
      `no balancer asks ${node} for tokens`
    );
  return [...strangers, ...missing];
}

/** Right on an operator's own machine, a mistake on a balancer. */
function thisMachine(
  { peers, cluster: { nodes } }: Config,
  here: ReadonlySet<string>,
): string[] {
  const reachable = [...here].filter((address) => !isLocalOnly(address));
  if (reachable.length === 0) return [];
  const asked = peers.length === 0 || hasNames(peers) ||
    peers.some((peer) => here.has(hostOf(peer)!) || isLocalOnly(hostOf(peer)!));
  const own = Object.values(nodes).flat().map(comparableAddress);
  const named = own.length === 0 ||
    own.some((address) => here.has(address) || isLocalOnly(address));
  if (asked && named) return [];
  const where = asked ? "cluster.nodes" : named ? "peers" : "peers and cluster.nodes";
  const why = asked ? "" : ", so no other balancer asks it for tokens";
  return [
    `${where}: this machine (${reachable.slice(0, 4).join(", ")}) is not among them${why}; ` +
    "add it, unless this is no balancer",
  ];
}

function repeatedNames({ cluster: { names } }: Config): string[] {
  return names.flatMap((name, i) =>
    names.indexOf(name) < i ? [`cluster.names[${i}]: ${name} is there twice`] : []
  );
}
