/**
 * What a cluster lacks for a file that shall be made from it, told as the key and what to add.
 *
 * Asked only by who renders: a configuration that describes no cluster is a good one for `serve`.
 */

import { comparableAddress } from "../address.ts";
import type { Config } from "../config/schema.ts";

/** The lists of the cluster that a kind of file is made of. */
export type ClusterList = "nodes" | "virtual_addresses" | "names" | "backends";

/** More would leave no room between the priorities of well and of failing balancers. */
export const MAX_NODES = 50;
/** VRRP has a byte for the router's id, and 0 is not one (RFC 5798 section 5.2.3). */
const MAX_ROUTER_ID = 255;

const EXAMPLES: Record<ClusterList, string> = {
  nodes: 'each balancer with its own addresses, such as lb0: ["2001:db8::f001"]',
  virtual_addresses: 'the addresses that keepalived moves, such as ["2001:db8::1"]',
  names: "the names of the service, such as [service.example]",
  backends: 'where HAProxy passes requests on to, such as ["[2001:db8::b001]:443"]',
};

/** A line for each thing that is missing or cannot be; none when the lists can be used. */
export function clusterFaults({ cluster }: Config, needed: ClusterList[]): string[] {
  const { nodes, virtual_addresses, virtual_router_id } = cluster;
  const missing = needed.filter((list) => Object.keys(cluster[list]).length === 0)
    .map((list) => `cluster.${list}: empty; add ${EXAMPLES[list]}`);
  if (!needed.includes("virtual_addresses")) return missing;

  const faults = virtual_addresses.flatMap((address, i) => {
    const fault = addressFault(address, { before: virtual_addresses.slice(0, i), nodes });
    return fault ? [`cluster.virtual_addresses[${i}]: ${address} ${fault}`] : [];
  });
  const count = Object.keys(nodes).length;
  if (count > MAX_NODES) faults.push(`cluster.nodes: ${count} are more than ${MAX_NODES}`);
  if (virtual_router_id + virtual_addresses.length - 1 > MAX_ROUTER_ID) {
    faults.push(
      `cluster.virtual_router_id: ${virtual_router_id} leaves no room for ` +
        `${virtual_addresses.length} virtual addresses; they end at ${MAX_ROUTER_ID}`,
    );
  }
  return [...missing, ...faults];
}

function addressFault(
  address: string,
  { before, nodes }: { before: string[]; nodes: Record<string, string[]> },
): string | undefined {
  const same = (other: string) => comparableAddress(other) === comparableAddress(address);
  if (before.some(same)) return "is there twice";
  const owner = Object.entries(nodes).find(([, addresses]) => addresses.some(same));
  if (owner) return `is ${owner[0]}'s own address, which must not move`;
  if (/^(?:fe[89ab].:|::1?$|127\.|0\.0\.0\.0$|ff..:|22[4-9]\.|23\d\.)/.test(address)) {
    return "is not an address that clients elsewhere can ask";
  }
  return undefined;
}
