/** What a run of `deno test` came to, read from its own closing line, and the sum of several runs. */

import { stripVTControlCharacters } from "node:util";

export interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
}

// `FAILED | 1 passed (2 steps) | 3 failed (1 step) | 1 ignored (56ms)`; steps are parts of a test.
const CLOSING =
  /^(?:ok|FAILED) \| (\d+) passed(?: \([^)]*\))? \| (\d+) failed(?: \([^)]*\))?(?: \| (\d+) ignored)?/mg;

/**
 * The outcome of one run. A run that ends badly without saying so (a type error, a crash) or that
 * says nothing at all counts as one failed: silence is not success.
 */
export function outcomeOf({ code, stdout }: { code: number; stdout: string }): Outcome {
  // A test may have printed such a line of its own; the runner's is the last.
  const closing = Array.from(stripVTControlCharacters(stdout).matchAll(CLOSING)).at(-1);
  if (closing === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const [passed, failed, skipped] = closing.slice(1).map((count) => Number(count ?? 0));
  const unsaid = code !== 0 && failed === 0 ? 1 : 0;
  return { passed: passed!, failed: failed! + unsaid, skipped: skipped! };
}

/** The closing line of everything, and the exit code: 0 when something passed and nothing failed. */
export function summary(outcomes: Outcome[]): { line: string; code: number } {
  const sum = (of: keyof Outcome) => outcomes.reduce((total, outcome) => total + outcome[of], 0);
  const [passed, failed, skipped] = [sum("passed"), sum("failed"), sum("skipped")];
  return {
    line: `${passed} passed, ${failed} failed` + (skipped > 0 ? `, ${skipped} skipped` : ""),
    code: failed === 0 && passed > 0 ? 0 : 1,
  };
}
