/**
 * From when on the age of a certificate is a WARNING, and CRITICAL.
 *
 * A threshold is a share of the lifetime that is left, or a span of time, or both, of which the
 * smaller holds. The defaults are shares: fixed days raise an alarm all the time for certificates
 * of six days, and too late for those of a year. Both together fit either: `25%,30d` is 36 hours
 * for six days and 30 days for a year. Renewal is due with a third of the lifetime left (half of it
 * below ten days, RFC 9773 as Let's Encrypt uses it), so a quarter left means that a renewal has
 * already failed.
 */

import { formatDuration, parseDuration } from "../time.ts";

/** What must be left; with both members, the smaller one for the certificate's lifetime. */
export interface Threshold {
  /** Of the lifetime, above 0 and below 1. */
  share?: number;
  /** Milliseconds above 0. */
  ms?: number;
}

export interface Thresholds {
  warning: Threshold;
  critical: Threshold;
}

export const DEFAULT_THRESHOLDS: Thresholds = {
  warning: { share: 0.25 },
  critical: { share: 0.125 },
};

/** Beyond it sums leave the range of Date, and a comparison with no date is never true. */
const MAX_SPAN_MS = 36_500 * 86_400_000;

/** The instants at which a certificate's age changes its state; the critical one is never first. */
export interface Changes {
  warningFrom: Date;
  criticalFrom: Date;
}

/**
 * Reads `25%`, `12.5%`, `30d`, `48h`, `25%,30d`.
 * @throws {SyntaxError} for other text, and for a share or a span of nothing or of everything
 */
export function parseThreshold(text: string): Threshold {
  const parts = text.split(",").map((part) => parsePart(part.trim()));
  const threshold: Threshold = Object.assign({}, ...parts);
  if (parts.length > Object.keys(threshold).length) {
    throw new SyntaxError("expected at most one share and one span, such as 25%,30d");
  }
  return threshold;
}

function parsePart(text: string): Threshold {
  const percent = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(text);
  if (percent) {
    // Whole thousandths first, as for durations: 33.3 has no exact binary form.
    const share = Math.round(Number(percent[1]) * 1000) / 100_000;
    if (share > 0 && share < 1) return { share };
    throw new SyntaxError("a share of the lifetime is above 0% and below 100%");
  }
  let ms: number;
  try {
    ms = parseDuration(text);
  } catch {
    throw new SyntaxError(
      "expected a share of the lifetime such as 25%, a span such as 30d or 48h, or both: 25%,30d",
    );
  }
  if (ms === 0) throw new SyntaxError("a span of nothing would never alarm");
  if (ms > MAX_SPAN_MS) throw new SyntaxError("a span of more than 36500d would alarm always");
  return { ms };
}

/** The shortest exact spelling that {@link parseThreshold} reads back. */
export function formatThreshold({ share, ms }: Threshold): string {
  const parts = [
    share === undefined ? [] : `${Math.round(share * 100_000) / 1000}%`,
    ms === undefined ? [] : formatDuration(ms),
  ];
  return parts.flat().join(",");
}

/** Milliseconds that must be left of a lifetime of so many. */
function leftAt({ share, ms }: Threshold, lifetimeMs: number): number {
  return Math.min(share === undefined ? Infinity : Math.round(share * lifetimeMs), ms ?? Infinity);
}

/** The part of a threshold that holds for that lifetime, for messages. */
export function holdingPart({ share, ms }: Threshold, lifetimeMs: number): Threshold {
  if (share === undefined) return { ms };
  return ms === undefined || share * lifetimeMs <= ms ? { share } : { ms };
}

/**
 * Both thresholds, when they make sense together. A share and a span can only be compared for a
 * given lifetime; for one where they contradict each other, {@link changesOf} lets CRITICAL win.
 * @throws {SyntaxError} when WARNING would begin after CRITICAL
 */
export function makeThresholds({ warning, critical }: Thresholds): Thresholds {
  const contradict = warning.ms! < critical.ms! || warning.share! < critical.share!;
  if (contradict) {
    const [w, c] = [warning, critical].map(formatThreshold);
    throw new SyntaxError(`CRITICAL with ${c} left would come before WARNING with ${w} left`);
  }
  return { warning, critical };
}

/** The same thresholds as spans, where shares are of `lifetimeMs`. */
export function asSpans({ warning, critical }: Thresholds, lifetimeMs: number): Thresholds {
  return {
    warning: { ms: leftAt(warning, lifetimeMs) },
    critical: { ms: leftAt(critical, lifetimeMs) },
  };
}

/** When a certificate of that validity changes its state. */
export function changesOf(
  { notBefore, notAfter }: { notBefore: Date; notAfter: Date },
  { warning, critical }: Thresholds,
): Changes {
  const lifetimeMs = notAfter.getTime() - notBefore.getTime();
  const criticalFrom = notAfter.getTime() - leftAt(critical, lifetimeMs);
  const warningFrom = notAfter.getTime() - leftAt(warning, lifetimeMs);
  return {
    warningFrom: new Date(Math.min(warningFrom, criticalFrom)),
    criticalFrom: new Date(criticalFrom),
  };
}
