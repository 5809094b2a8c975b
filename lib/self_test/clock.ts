/** Whether the clocks of two balancers agree. */

import type { ReceivedResponse } from "../http/ask.ts";
import type { SelfTestFinding } from "./findings.ts";

/**
 * Milliseconds between two clocks. A synchronised clock is right within a fraction of a second, so
 * from 5 s on time synchronisation is not at work on one of the two, and more is to come. 5 min is
 * the customary tolerance (RFC 4120 section 5.5.1 for Kerberos; OCSP and tokens likewise): beyond
 * it things begin to fail that have nothing to do with each other, certificates that are "not yet
 * valid" among them.
 */
const CLOCK_WARN = 5_000;
const CLOCK_FAIL = 5 * 60_000;

/** How the clock behind an answer differs from the one here. */
export function clockFinding(
  { fields, sent, received }: ReceivedResponse,
): SelfTestFinding | undefined {
  const told = Date.parse(fields["date"] ?? "");
  if (Number.isNaN(told)) {
    const text = "its answer has no Date, so its clock cannot be compared";
    return { level: "note", rule: "clock", text };
  }
  // Date is cut to the second, and was made at some moment between question and answer.
  const ahead = told - received;
  const behind = sent - (told + 999);
  const off = Math.max(ahead, behind, 0);
  if (off <= CLOCK_WARN) return undefined;
  const text =
    `its clock is ${spoken(off)} ${ahead > behind ? "ahead of" : "behind"} the one here; ` +
    "run timedatectl on both";
  return { level: off > CLOCK_FAIL ? "fail" : "warn", rule: "clock", text };
}

/** Whole seconds, or minutes from two of them on. */
function spoken(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
