/** Which balancer of the cluster this machine is. */

import { comparableAddress } from "../address.ts";
import type { Config } from "./schema.ts";

/**
 * The node with an own address of this machine; undefined when none has one.
 * @param machineAddresses addresses of the machine's interfaces
 */
export function ownNode(
  { cluster }: Config,
  machineAddresses: readonly string[],
): string | undefined {
  const here = new Set(machineAddresses.map(comparableAddress));
  return Object.entries(cluster.nodes)
    .find(([, own]) => own.some((address) => here.has(comparableAddress(address))))?.[0];
}
