/**
 * What is wrong in the fleet, the worst first, each in words that say what to do. Pure: from what
 * the balancers told, and what the configuration here expects of them.
 */

import { findAddressFaults } from "./address_findings.ts";
import { findDisagreements } from "./agreement_findings.ts";
import { findBalancerFaults } from "./balancer_findings.ts";
import { findCertificateFaults } from "./certificate_findings.ts";
import type { FleetView } from "./fleet.ts";
import type { StatusFinding, StatusLevel } from "./status_finding.ts";

const LEVELS: StatusLevel[] = ["fail", "warn", "note"];

/** All findings: those of addresses first, since clients notice them at once; then the worst. */
export function findFleetFaults(view: FleetView): StatusFinding[] {
  const others = [
    ...findBalancerFaults(view),
    ...findCertificateFaults(view),
    ...findDisagreements(view),
  ];
  const rank = ({ level }: StatusFinding) => LEVELS.indexOf(level);
  return [...findAddressFaults(view), ...others.toSorted((a, b) => rank(a) - rank(b))];
}

/** The exit code, as monitoring wants it. */
export function stateOf(findings: readonly StatusFinding[]): 0 | 1 | 2 {
  if (findings.some(({ level }) => level === "fail")) return 2;
  return findings.some(({ level }) => level === "warn") ? 1 : 0;
}
