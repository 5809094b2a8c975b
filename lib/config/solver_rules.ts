/** Allowed addresses of solvers: on this machine, and not where acme-lb itself listens. */

import {
  comparableAddress,
  formatSocketAddress,
  isLocalOnly,
  isLoopback,
  type SocketAddress,
} from "../address.ts";
import { machineAddresses } from "../own_addresses.ts";
import { overlap } from "./listener_overlaps.ts";
import type { Config, Mistake } from "./schema.ts";

/**
 * A mistake for each of `challenge.solvers` that is elsewhere, or is acme-lb itself, which would ask
 * itself. An address of any of the nodes may stand there: the file is the same on every balancer, and
 * each asks those on its own addresses. A machine without a network cannot tell which are its own: a
 * unit with PrivateNetwork, or a balancer that starts.
 */
export function misplacedSolvers(config: Config, machine = machineAddresses()): Mistake[] {
  const known = [...Object.values(config.cluster.nodes).flat(), ...machine].map(comparableAddress);
  const hasNetwork = !machine.every(isLocalOnly);
  const isElsewhere = ({ hostname }: SocketAddress) =>
    hasNetwork && !isLoopback(hostname) && !known.includes(comparableAddress(hostname));
  return config.challenge.solvers.flatMap((solver, i) => {
    const reason = ownListener(solver, config) ?? (isElsewhere(solver) ? ELSEWHERE : undefined);
    if (!reason) return [];
    const message = `${formatSocketAddress(solver)} ${reason}`;
    return [{ path: ["challenge", "solvers", i], part: "value", message }];
  });
}

const ELSEWHERE =
  "is not an address of this machine; acme-lb asks only solvers on its own machine, at an address such " +
  "as 127.0.0.1:31081";

function ownListener(solver: SocketAddress, config: Config): string | undefined {
  const sections = ["public", "challenge", "metrics"] as const;
  return sections.flatMap((section) => {
    const i = config[section].listen.findIndex((listener) => overlap(listener, solver));
    return i < 0 ? [] : [`is ${section}.listen[${i}], where acme-lb itself listens`];
  })[0];
}
