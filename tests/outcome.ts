/** What a run of `deno test` came to, read from its JUnit file, and the sum of several runs. */

export interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
}

export interface TestCase {
  name: string;
  result: "passed" | "failed" | "skipped";
  seconds: number;
}

const CASE = /<testcase name="([^"]*)"[^>]* time="([\d.]+)"[^>]*>([\s\S]*?)<\/testcase>/g;
const ENTITIES: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/**
 * The tests and their steps, in the order of the file. The file escapes the text of a failure, so
 * that no tag within it is one.
 */
export function casesOf(junit: string): TestCase[] {
  return Array.from(junit.matchAll(CASE), ([, name, seconds, body]): TestCase => ({
    name: name!.replaceAll(
      /&(?:#(\d+)|(\w+));/g,
      (all, code, entity) => code ? String.fromCodePoint(Number(code)) : ENTITIES[entity] ?? all,
    ),
    result: /<failure|<error/.test(body!)
      ? "failed"
      : body!.includes("<skipped")
      ? "skipped"
      : "passed",
    seconds: Number(seconds),
  }));
}

/**
 * The outcome of one run. A step is a part of its test and counts with it, but one that was skipped
 * counts as skipped: its test has passed without it. A run that ends badly without saying so (an
 * error outside the tests, a crash) or without a file counts as one failed: silence is not success.
 */
export function outcomeOf({ code, junit = "" }: { code: number; junit?: string }): Outcome {
  const outcome: Outcome = { passed: 0, failed: 0, skipped: 0 };
  for (const suite of junit.split("<testsuite ").slice(1)) {
    // The runner writes the tests of a file, then their steps as `TEST > STEP > STEP WITHIN`.
    const tests: string[] = [];
    for (const { name, result } of casesOf(suite)) {
      const isStep = tests.some((test) => name.startsWith(`${test} > `));
      if (!isStep) tests.push(name);
      if (!isStep || result === "skipped") outcome[result]++;
    }
  }
  const unsaid = code !== 0 && outcome.failed === 0;
  if (unsaid || !junit.trimEnd().endsWith("</testsuites>")) outcome.failed++;
  return outcome;
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
