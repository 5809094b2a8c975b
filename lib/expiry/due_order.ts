/**
 * The order of a report and its overall state, the same in every format.
 *
 * The first lines must show what to do next, so the worst and the soonest come first.
 */

import { type ExpiryRecord, type ExpiryReport, type State, STATES } from "./record.ts";

/** The state of the whole: that of its worst record; UNKNOWN when nothing was looked at. */
export function overallState({ records }: ExpiryReport): State {
  if (records.length === 0) return "UNKNOWN";
  return STATES.findLast((state) => records.some((record) => record.state === state))!;
}

/** How many records there are of each state. */
export function countStates({ records }: ExpiryReport): Record<State, number> {
  const counts = { OK: 0, UNKNOWN: 0, WARNING: 0, CRITICAL: 0 };
  for (const { state } of records) counts[state]++;
  return counts;
}

/** The counts in words, worst first: `1 CRITICAL, 9 OK`; states without a record are left out. */
export function describeCounts(report: ExpiryReport): string {
  const counts = countStates(report);
  const parts = STATES.toReversed().filter((state) => counts[state] > 0)
    .map((state) => `${counts[state]} ${state}`);
  return parts.join(", ") || "nothing was checked";
}

/** The records, the worst first; among equals what expires first, then what has no certificate. */
export function dueFirst({ records }: ExpiryReport): ExpiryRecord[] {
  return records.toSorted((a, b) =>
    STATES.indexOf(b.state) - STATES.indexOf(a.state) || due(a) - due(b) ||
    compare(a.place, b.place)
  );
}

/** A number that sorts; subtracting two infinities would not. */
function due({ leaf }: ExpiryRecord): number {
  return leaf?.notAfter.getTime() ?? Number.MAX_SAFE_INTEGER;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
