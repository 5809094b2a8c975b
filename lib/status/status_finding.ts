/** A line of the report on the fleet. */

import type { State } from "../expiry/record.ts";

/** `fail` and `warn` decide the exit code; `note` only tells. */
export type StatusLevel = "fail" | "warn" | "note";

export type StatusRule =
  | "address_twice"
  | "address_unheld"
  | "address_unknown"
  | "silent"
  | "deaf_address"
  | "bad_report"
  | "foreign"
  | "clock"
  | "unhealthy"
  | "configuration"
  | "version"
  | "certificate"
  | "certificate_missing"
  | "hook"
  | "unreached"
  | "unwatched";

export interface StatusFinding {
  level: StatusLevel;
  rule: StatusRule;
  /** What is wrong and what to do; may hold text that a balancer told. */
  text: string;
  /** A balancer, an address, or a place at a balancer. */
  about: string;
}

/** How bad a verdict is, in the levels of findings; undefined for a good one. */
export function levelOf(verdict: State): StatusLevel | undefined {
  if (verdict === "OK") return undefined;
  return verdict === "CRITICAL" ? "fail" : "warn";
}
