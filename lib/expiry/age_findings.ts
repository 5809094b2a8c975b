/** Findings about the validity of one certificate at an instant. */

import { isExpired, isYetToCome } from "../cert/age.ts";
import { formatRemaining, isoSeconds } from "../time.ts";
import type { ExpiryFinding } from "./record.ts";
import {
  type Changes,
  formatThreshold,
  holdingPart,
  type Threshold,
  type Thresholds,
} from "./thresholds.ts";

/** The wall clock, and a bound below which it is certainly wrong. */
interface WallClock {
  now: Date;
  /** A clock that shows an earlier time is wrong. */
  earliestNow: Date;
}

/**
 * At the second of `notAfter` a certificate counts as expired, as in OpenSSL and so in most
 * clients. A clock that is certainly behind proves nothing except that a certificate has expired.
 */
export function ageFindings(
  { notBefore, notAfter }: { notBefore: Date; notAfter: Date },
  { clock, thresholds, changes }: { clock: WallClock; thresholds: Thresholds; changes: Changes },
): ExpiryFinding[] {
  const { now } = clock;
  const slow = clockFindings(clock);
  // Nearly all certificates of a check are good, and texts cost more than their dates.
  if (now >= notBefore && now < changes.warningFrom) return slow;
  const left = formatRemaining(now, notAfter);
  const end = isoSeconds(notAfter);
  if (isExpired({ notAfter }, now)) {
    const ago = left.endsWith("ago") ? left : "this second";
    return [
      { state: "CRITICAL", reason: "expired", text: `expired ${ago}, on ${end}: renew it now` },
      ...slow,
    ];
  }
  if (isYetToCome({ notBefore }, now) && slow.length === 0) {
    const [start, clockTime] = [notBefore, now].map(isoSeconds);
    const text = `is not valid before ${start}, and the clock says ${clockTime}: is it right?`;
    return [{ state: "CRITICAL", reason: "not_yet_valid", text }];
  }
  const lifetimeMs = notAfter.getTime() - notBefore.getTime();
  const soon = (state: "WARNING" | "CRITICAL", threshold: Threshold): ExpiryFinding => {
    const text =
      `expires in ${left}, on ${end}, less than ${describe(threshold, lifetimeMs)} ahead: ` +
      "find out why it has not been renewed";
    return { state, reason: "expires_soon", text };
  };
  if (now >= changes.criticalFrom) return [soon("CRITICAL", thresholds.critical), ...slow];
  if (now >= changes.warningFrom) return [soon("WARNING", thresholds.warning), ...slow];
  return slow;
}

function clockFindings({ now, earliestNow }: WallClock): ExpiryFinding[] {
  if (now >= earliestNow) return [];
  const text = `the clock says ${isoSeconds(now)}, before this program was made: set the clock`;
  return [{ state: "UNKNOWN", reason: "clock", text }];
}

function describe(threshold: Threshold, lifetimeMs: number): string {
  const part = holdingPart(threshold, lifetimeMs);
  const text = formatThreshold(part);
  return part.share === undefined ? text : `${text} of its lifetime`;
}
