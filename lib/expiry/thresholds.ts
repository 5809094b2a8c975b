/**
 * From when on the age of a certificate is a WARNING, and CRITICAL.
 *
 * A threshold is a share of the lifetime that is left, or a span of time. The defaults are shares:
 * fixed days alarm always for certificates of six days, and never in time for those of a year.
 * Renewal is due with a third of the lifetime left (half of it below ten days, RFC 9773 as Let's
 * Encrypt uses it), so a quarter left means that a renewal has already failed.
 */

import { formatDuration, parseDuration } from "../time.ts";

/** What must be left: a share of the lifetime above 0 and below 1, or milliseconds above 0. */
export type Threshold = { share: number } | { ms: number };

export interface Thresholds {
  warning: Threshold;
  critical: Threshold;
}

export const DEFAULT_THRESHOLDS: Thresholds = {
  warning: { share: 0.25 },
  critical: { share: 0.125 },
};

/** Beyond it sums leave the range of Date, and a comparison with no date is never true. */
const MAX_SPAN = 36_500 * 86_400_000;

/** The instants at which a certificate's age changes its state; the critical one is never first. */
export interface Changes {
  warningFrom: Date;
  criticalFrom: Date;
}

/**
 * Reads `25%`, `12.5%`, `30d`, `48h`.
 * @throws {SyntaxError} for other text, and for a share or a span of nothing or of everything
 */
export function parseThreshold(text: string): Threshold {
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
      "expected a share of the lifetime such as 25%, or a span such as 30d, 48h",
    );
  }
  if (ms === 0) throw new SyntaxError("a span of nothing would never alarm");
  if (ms > MAX_SPAN) throw new SyntaxError("a span of more than 36500d would alarm always");
  return { ms };
}

/** The shortest exact spelling that {@link parseThreshold} reads back. */
export function formatThreshold(threshold: Threshold): string {
  if ("ms" in threshold) return formatDuration(threshold.ms);
  return `${Math.round(threshold.share * 100_000) / 1000}%`;
}

/**
 * Both thresholds, when they make sense together. A share and a span can only be compared for a
 * given lifetime; for one where they contradict each other, {@link changesOf} lets CRITICAL win.
 * @throws {SyntaxError} when WARNING would begin after CRITICAL
 */
export function makeThresholds({ warning, critical }: Thresholds): Thresholds {
  const contradict = "ms" in warning && "ms" in critical
    ? warning.ms < critical.ms
    : "share" in warning && "share" in critical && warning.share < critical.share;
  if (contradict) {
    const [w, c] = [warning, critical].map(formatThreshold);
    throw new SyntaxError(`CRITICAL with ${c} left would come before WARNING with ${w} left`);
  }
  return { warning, critical };
}

/** The same thresholds as spans, where shares are of `lifetime` milliseconds. */
export function asSpans({ warning, critical }: Thresholds, lifetime: number): Thresholds {
  const span = (threshold: Threshold): Threshold =>
    "ms" in threshold ? threshold : { ms: Math.round(threshold.share * lifetime) };
  return { warning: span(warning), critical: span(critical) };
}

/** When a certificate of that validity changes its state. */
export function changesOf(
  { notBefore, notAfter }: { notBefore: Date; notAfter: Date },
  { warning, critical }: Thresholds,
): Changes {
  const lifetime = notAfter.getTime() - notBefore.getTime();
  const reached = (threshold: Threshold) => {
    const left = "ms" in threshold ? threshold.ms : threshold.share * lifetime;
    return notAfter.getTime() - Math.round(left);
  };
  const criticalFrom = reached(critical);
  return {
    warningFrom: new Date(Math.min(reached(warning), criticalFrom)),
    criticalFrom: new Date(criticalFrom),
  };
}
