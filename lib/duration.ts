/** Durations as operators write them (`500ms`, `2s`, `5m`, `48h`, `30d`), in milliseconds. */

const UNITS: Record<string, number> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 };

/**
 * Milliseconds for a number followed by a unit.
 * @throws {SyntaxError} when the text is not a duration
 */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new SyntaxError(`expected a duration such as 500ms, 2s, 5m, 48h or 30d`);
  // Whole thousandths first: 2.3 has no exact binary form, and 2.3d would lose a part of a millisecond.
  return Math.round(Number(match[1]) * 1000) * UNITS[match[2]!]! / 1000;
}

/** The shortest exact spelling that {@link parseDuration} reads back. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    if (ms >= UNITS[unit]! && ms % UNITS[unit]! === 0) return `${ms / UNITS[unit]!}${unit}`;
  }
  return `${ms}ms`;
}
