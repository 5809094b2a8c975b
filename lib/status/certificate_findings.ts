/** Certificates that are not well, or that one balancer lacks. */

import { formatRemaining } from "../time.ts";
import type { BalancerReport, ToldCertificate } from "./balancer_report.ts";
import type { BalancerRow, FleetView } from "./fleet.ts";
import type { StatusFinding } from "./status_finding.ts";

/** Each certificate that is not OK, the worst first, then the names that a balancer lacks. */
export function findCertificateFaults(view: FleetView): StatusFinding[] {
  return [...view.rows.flatMap((row) => faultsOf(row, view)), ...lackedNames(view)];
}

function faultsOf({ name, report }: BalancerRow, { now }: FleetView): StatusFinding[] {
  return (report?.certificates ?? []).flatMap((certificate): StatusFinding[] => {
    const { verdict, text, not_after } = certificate;
    // By the clock here, whatever the balancer says of it: its look may be old, or its clock wrong.
    const expired = not_after !== null && Date.parse(not_after) <= now.getTime();
    const level = expired || verdict === "CRITICAL" ? "fail" : "warn";
    if (!expired && verdict === "OK") return [];
    const words = expired && verdict !== "CRITICAL"
      ? `expired ${formatRemaining(now, new Date(not_after))}, though it is told as ${verdict}: ` +
        "is the clock there right?"
      : text || `is ${verdict}; run acme-lb check-expiry there`;
    return [{ level, rule: "certificate", about: name, text: `${titleOf(certificate)} ${words}` }];
  });
}

/** Its place, with the first of its names. */
function titleOf({ place, names: [name] }: ToldCertificate): string {
  return name === undefined ? place : `${place} (${name})`;
}

/**
 * A balancer that takes a virtual address over must have all the names. Compared are those that told
 * all of their certificates; a name counts when at least two of them have it.
 */
function lackedNames({ rows }: FleetView): StatusFinding[] {
  const whole = rows.filter(({ report }) =>
    report && report.certificates_total !== 0 &&
    report.certificates.length === report.certificates_total
  );
  const names = new Set(whole.flatMap(({ report }) => namesOf(report!)));
  return [...names].flatMap((name) => {
    const [having, lacking] = [true, false].map((has) =>
      whole.filter(({ report }) => namesOf(report!).includes(name) === has)
    ) as [BalancerRow[], BalancerRow[]];
    if (having.length < 2) return [];
    const text = `has no certificate for ${name}, which ${
      having.map((one) => one.name).join(", ")
    } ` +
      "have: order it there too, or it cannot serve that name when it takes an address over";
    return lacking.map(({ name: about }): StatusFinding => ({
      ...{ level: "warn", rule: "certificate_missing", about, text },
    }));
  });
}

function namesOf({ certificates }: BalancerReport): string[] {
  return certificates.flatMap(({ names }) => names);
}
