/**
 * Lists of the cluster that a kind of file needs and that are empty, as the key and what to add.
 *
 * Used only by `render`: for `serve`, a configuration without a cluster is valid. All that
 * is wrong in any case is a mistake of the configuration (config/cluster_rules.ts).
 */

import type { Config } from "../config/schema.ts";

/** The lists of the cluster that a kind of file is made of. */
export type ClusterList = "nodes" | "virtual_addresses" | "names" | "backends";

const EXAMPLES: Record<ClusterList, string> = {
  nodes: 'each balancer with its own addresses, such as lb0: ["2001:db8::f001"]',
  virtual_addresses: 'the addresses that keepalived moves, such as ["2001:db8::1"]',
  names: "the names of the service, such as [service.example]",
  backends: 'where HAProxy passes requests on to, such as ["[2001:db8::b001]:443"]',
};

/** A line for each list that is empty; none when all can be used. */
export function missingLists({ cluster }: Config, needed: ClusterList[]): string[] {
  return needed.filter((list) => Object.keys(cluster[list]).length === 0)
    .map((list) => `cluster.${list}: empty; add ${EXAMPLES[list]}`);
}
