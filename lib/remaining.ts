/** Spans of time as an operator says them: `11d 4h`, `3h 20m`, `45s`. */

const UNITS: [string, number][] = [["d", 86_400], ["h", 3600], ["m", 60], ["s", 1]];

/** The two largest units of a span in milliseconds, rounded down; a zero second one is left out. */
export function formatSpan(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  if (seconds === 0) return "0s";
  const at = UNITS.findIndex(([, size]) => seconds >= size);
  const parts = UNITS.slice(at, at + 2).map(([unit, size], i) => {
    const whole = i === 0 ? seconds : seconds % UNITS[at]![1];
    return { unit, count: Math.floor(whole / size) };
  });
  const told = parts.filter(({ count }, i) => i === 0 || count > 0);
  return told.map(({ unit, count }) => `${count}${unit}`).join(" ");
}

/** What is left until `end`: `11d 4h`, or `2d 3h ago`. */
export function formatRemaining(now: Date, end: Date): string {
  const ms = end.getTime() - now.getTime();
  return ms < 0 ? `${formatSpan(-ms)} ago` : formatSpan(ms);
}

/** An instant without its fraction of a second, which no certificate has. */
export function isoSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
