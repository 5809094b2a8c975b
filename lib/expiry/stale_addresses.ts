/**
 * Compares addresses with each other: does one of them still serve an old certificate?
 *
 * Balancers may share a certificate, or have one each for the same names, renewed on days of their
 * own; then being older means nothing. How many addresses serve the newer one means nothing either:
 * after a failover one balancer serves its own on several. So an address is blamed when its
 * certificate is overdue for renewal, and another's newer one is not.
 */

import { renewalShare } from "../ca_rules.ts";
import { isoSeconds } from "../time.ts";
import type { Served } from "./compare_served.ts";
import type { ExpiryFinding, LeafFacts } from "./record.ts";
import { addFindings } from "./certificate_record.ts";

/** Windows of renewal are drawn by chance around the point that is suggested (RFC 9773). */
const TOLERANCE = 0.02;

interface Answer {
  address: string;
  leaf: LeafFacts;
}

/** The records, each a WARNING as well when its address was left behind by the others. */
export function findLeftBehind(served: Served[], now: Date): Served[] {
  const groups = Map.groupBy(served, groupOf);
  return served.map((one) => {
    const group = groups.get(groupOf(one))!.flatMap(({ record }) =>
      record.leaf ? [{ address: record.place, leaf: record.leaf }] : []
    );
    const { record } = one;
    if (!record.leaf) return one;
    return { ...one, record: addFindings(record, staleFindings(record.leaf, { group, now })) };
  });
}

/** Compared are those that were asked for the same name, or serve the same names unasked. */
function groupOf({ record, name, second = false }: Served): string {
  return `${second} ${name ?? record.leaf?.names.toSorted().join(" ") ?? ""}`;
}

function staleFindings(
  own: LeafFacts,
  { group, now }: { group: Answer[]; now: Date },
): ExpiryFinding[] {
  const renewed = group.find(({ leaf }) => leaf.notBefore > own.notBefore && now < dueFrom(leaf));
  if (!renewed || now < dueFrom(own)) return [];
  const text =
    `serves serial ${own.serial}, due for renewal since ${isoSeconds(dueFrom(own))}, while ` +
    `${renewed.address} serves the newer serial ${renewed.leaf.serial}: it was left behind`;
  return [{ state: "WARNING", reason: "left_behind", text }];
}

/** By when every client renews. */
function dueFrom({ notBefore, notAfter }: LeafFacts): Date {
  const lifetime = notAfter.getTime() - notBefore.getTime();
  const share = renewalShare(lifetime) - TOLERANCE;
  return new Date(Math.round(notAfter.getTime() - share * lifetime));
}
