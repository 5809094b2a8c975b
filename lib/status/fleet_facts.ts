/** What follows from all reports together: who holds what, and lists over all balancers. Pure. */

import { agoAt } from "./instants.ts";
import { STATES } from "../expiry/record.ts";
import type { SeenChallenge, ToldCertificate } from "./balancer_report.ts";
import type { BalancerRow, FleetView } from "./fleet.ts";

/** The balancers that hold an address now, by what they told. */
export function holdersOf(address: string, { rows }: FleetView): BalancerRow[] {
  return rows.filter(({ report }) => report?.holds.some((held) => held.address === address));
}

/** Who holds an address, in words; what no balancer tells of is not known. */
export function heldBy(address: string, view: FleetView): string {
  const names = holdersOf(address, view).map(({ name }) => name);
  if (names.length > 0) return names.join(" and ");
  const telling = view.rows.filter(({ report }) => report !== undefined).length;
  if (telling === 0) return "unknown";
  return telling === view.rows.length ? "nobody" : "nobody that answers";
}

/** Since when each of them holds it, in words. */
export function heldSince(address: string, holders: readonly BalancerRow[]): string {
  return holders.map(({ report }) => {
    const { since } = report!.holds.find((held) => held.address === address)!;
    return since === null ? "before its start" : agoAt(since, report!);
  }).join(", ");
}

export interface PlacedCertificate {
  /** The balancer that told it. */
  at: string;
  certificate: ToldCertificate;
}

/** Those of all balancers, in the order of a glance: worst, then what expires first. */
export function certificatesOf({ rows }: FleetView): PlacedCertificate[] {
  const rank = ({ certificate }: PlacedCertificate) => STATES.indexOf(certificate.verdict);
  const end = ({ certificate }: PlacedCertificate) => certificate.not_after ?? "9999";
  return rows.flatMap(({ name, report }) =>
    (report?.certificates ?? []).map((certificate) => ({ at: name, certificate }))
  ).toSorted((a, b) => rank(b) - rank(a) || (end(a) < end(b) ? -1 : end(a) > end(b) ? 1 : 0));
}

interface PlacedChallenge {
  /** The balancer that answered it. */
  at: string;
  challenge: SeenChallenge;
  /** How long ago. */
  ago: string;
  /** Where the key authorization was: `own`, the name of another balancer, a solver, `nowhere`. */
  found: string;
}

/** Those of all balancers, the newest first. */
export function challengesOf({ rows }: FleetView): PlacedChallenge[] {
  const names = new Map(rows.map(({ address, name }) => [address, name]));
  return rows.flatMap(({ name, report }) =>
    (report?.challenges ?? []).map((challenge) => ({
      at: name,
      challenge,
      ago: agoAt(challenge.at, report!),
      found: challenge.source === null
        ? "nowhere"
        : names.get(challenge.source) ?? challenge.source,
    }))
  ).toSorted((a, b) =>
    a.challenge.at < b.challenge.at ? 1 : a.challenge.at > b.challenge.at ? -1 : 0
  );
}
