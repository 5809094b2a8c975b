/** Allowed addresses of solvers: on this machine, and not where acme-lb itself listens. */

import {
  comparableAddress,
  formatSocketAddress,
  isLoopback,
  type SocketAddress,
} from "../address.ts";
import { isOwnAddress } from "../own_addresses.ts";
import { overlap } from "./listener_overlaps.ts";
import type { Config, Mistake } from "./schema.ts";

/**
 * A mistake for each of `challenge.solvers` that is elsewhere, or is acme-lb itself, which would ask
 * itself. An address of any of the nodes may stand there: the file is the same on every balancer, and
 * each asks those on its own addresses.
 */
export function misplacedSolvers(config: Config): Mistake[] {
  return config.challenge.solvers.flatMap((solver, i) => {
    const reason = whyMisplaced(solver, config);
    if (!reason) return [];
    const message = `${formatSocketAddress(solver)} ${reason}`;
    return [{ path: ["challenge", "solvers", i], part: "value", message }];
  });
}

function whyMisplaced(solver: SocketAddress, config: Config): string | undefined {
  for (const section of ["public", "challenge", "metrics"] as const) {
    const i = config[section].listen.findIndex((listener) => overlap(listener, solver));
    if (i >= 0) return `is ${section}.listen[${i}], where acme-lb itself listens`;
  }
  const address = comparableAddress(solver.hostname);
  const nodes = Object.values(config.cluster.nodes).flat().map(comparableAddress);
  if (isLoopback(address) || nodes.includes(address) || isOwnAddress(address)) return undefined;
  return "is not an address of this machine; acme-lb asks only solvers on its own machine, at an address " +
    "such as 127.0.0.1:31081";
}
