/** Which balancer of the cluster this machine is. */

import { comparableAddress } from "../address.ts";
import type { Config } from "./schema.ts";

/**
 * The node with an own address of this machine; undefined when none has one.
 * @param machineAddresses addresses of the machine's interfaces
 */
export function ownNode(config: Config, machineAddresses: readonly string[]): string | undefined {
  return nodesWith(config, machineAddresses)[0];
}

/** All nodes with one of the addresses. */
export function nodesWith({ cluster }: Config, addresses: readonly string[]): string[] {
  const wanted = new Set(addresses.map(comparableAddress));
  return Object.entries(cluster.nodes)
    .filter(([, own]) => own.some((address) => wanted.has(comparableAddress(address))))
    .map(([name]) => name);
}
