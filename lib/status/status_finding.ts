/** A line of the report on the fleet. */

import type { State } from "../expiry/record.ts";
import type { BalancerReport } from "./balancer_report.ts";
import { formatRemaining } from "../time.ts";

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

/** How long ago an instant is, by the clock of the balancer that told it. */
export function agoAt(at: string, { now }: BalancerReport): string {
  const [then, told] = [new Date(at), new Date(now)];
  return then < told ? formatRemaining(told, then) : "just now";
}

/** How bad a verdict is, in the levels of findings; undefined for a good one. */
export function levelOf(verdict: State): StatusLevel | undefined {
  if (verdict === "OK") return undefined;
  return verdict === "CRITICAL" ? "fail" : "warn";
}
