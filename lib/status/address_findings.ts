/** Virtual addresses that not exactly one balancer holds, with the usual causes. */

import type { BalancerRow, FleetView } from "./fleet.ts";
import { holdersOf } from "./fleet_facts.ts";
import type { StatusFinding } from "./status_finding.ts";

/**
 * A finding for each address that two balancers hold at once, then for each that none holds.
 *
 * The first is the worse of the two: clients reach one or the other by chance, so the fault comes
 * and goes, while one that nobody holds is found at once.
 */
export function findAddressFaults(view: FleetView): StatusFinding[] {
  const { rows, expected } = view;
  // When no balancer reports anything, nothing is known of addresses; each balancer has its own
  // line.
  if (!rows.some(({ report }) => report !== undefined)) return [];
  const held = expected.virtualAddresses.map((address) => ({
    address,
    holders: holdersOf(address, view),
  }));
  return [
    ...held.filter(({ holders }) => holders.length > 1)
      .map(({ address, holders }) => heldTwice(address, { holders, view })),
    ...held.filter(({ holders }) => holders.length === 0)
      .map(({ address }) => heldByNone(address, view)),
  ];
}

function heldTwice(
  address: string,
  { holders, view }: { holders: BalancerRow[]; view: FleetView },
): StatusFinding {
  const names = listed(holders.map(({ name }) => name));
  const { interface: device, unicast } = view.expected;
  const group = address.includes(":") ? "ff02::12" : "224.0.0.18";
  const way = unicast
    ? "between their own addresses"
    : `between them on ${device} (multicast to ${group}; ` +
      "or set cluster.unicast where the network drops it)";
  return {
    level: "fail",
    rule: "address_twice",
    about: address,
    text:
      `held by ${names} at once: they do not receive each other's VRRP packets. Allow protocol 112 ${way}, ` +
      "and compare virtual_router_id in their keepalived.conf",
  };
}

function heldByNone(address: string, { rows }: FleetView): StatusFinding {
  const silent = rows.filter(({ report }) => report === undefined).map(({ name }) => name);
  const text = silent.length > 0
    ? `held by no balancer that answers; ${
      listed(silent)
    }, which told nothing here, may hold it: ` +
      "look there with ip address, and with journalctl -u keepalived on the others why none of " +
      "them took it"
    : "held by no balancer, so nobody answers there: see systemctl status keepalived on each, " +
      "and whether its track script fails (curl the /healthz of acme-lb)";
  return { level: "fail", rule: "address_unheld", about: address, text };
}

function listed(names: string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
