/** Durations as operators write them (`500ms`, `2s`, `5m`, `48h`, `30d`), in milliseconds. */

const UNITS: Record<string, number> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 };

/**
 * Milliseconds for a number followed by a unit.
 * @throws {SyntaxError} when the text is not a duration
 */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new SyntaxError(`expected a duration such as 500ms, 2s, 5m, 48h or 30d`);
  return Number(match[1]) * UNITS[match[2]!]!;
}

/** The shortest exact spelling that {@link parseDuration} reads back. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    if (ms >= UNITS[unit]! && ms % UNITS[unit]! === 0) return `${ms / UNITS[unit]!}${unit}`;
  }
  return `${ms}ms`;
}
