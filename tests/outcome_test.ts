import assert from "node:assert/strict";
import { type Outcome, outcomeOf, summary } from "./outcome.ts";

const RUNS: [string, { code: number; stdout: string }, Outcome][] = [
  [
    "a good run",
    { code: 0, stdout: "ok ... ok (1ms)\n\nok | 12 passed | 0 failed (5s)\n\n" },
    { passed: 12, failed: 0, skipped: 0 },
  ],
  [
    "a run with steps and ignored tests",
    { code: 1, stdout: "FAILED | 1 passed (2 steps) | 3 failed (1 step) | 1 ignored (56ms)\n" },
    { passed: 1, failed: 3, skipped: 1 },
  ],
  [
    "a run with ignored steps",
    { code: 0, stdout: "ok | 4 passed (1 step) | 0 failed | 3 ignored (2 steps) (1m2s)\n" },
    { passed: 4, failed: 0, skipped: 3 },
  ],
  [
    "a run whose test prints such a line",
    { code: 0, stdout: "ok | 99 passed | 0 failed (1ms)\nok | 2 passed | 0 failed (1ms)\n" },
    { passed: 2, failed: 0, skipped: 0 },
  ],
  [
    "a run that ends badly though no test failed",
    { code: 1, stdout: "ok | 2 passed | 0 failed (1ms)\n" },
    { passed: 2, failed: 1, skipped: 0 },
  ],
  ["a crash", { code: 134, stdout: "running 3 tests\n" }, { passed: 0, failed: 1, skipped: 0 }],
  ["silence", { code: 0, stdout: "" }, { passed: 0, failed: 1, skipped: 0 }],
  [
    "a line within a line",
    { code: 0, stdout: "  ok | 2 passed | 0 failed (1ms)\n" },
    { passed: 0, failed: 1, skipped: 0 },
  ],
];

for (const [what, run, outcome] of RUNS) {
  Deno.test(`outcomeOf() reads ${what}`, () => assert.deepEqual(outcomeOf(run), outcome));
}

const SUMS: [Outcome[], string, number][] = [
  [[{ passed: 3, failed: 0, skipped: 0 }], "3 passed, 0 failed", 0],
  [
    [{ passed: 3, failed: 0, skipped: 0 }, { passed: 1, failed: 0, skipped: 2 }],
    "4 passed, 0 failed, 2 skipped",
    0,
  ],
  [
    [{ passed: 3, failed: 0, skipped: 0 }, { passed: 0, failed: 1, skipped: 0 }],
    "3 passed, 1 failed",
    1,
  ],
  [[{ passed: 0, failed: 0, skipped: 5 }], "0 passed, 0 failed, 5 skipped", 1],
  [[], "0 passed, 0 failed", 1],
];

for (const [outcomes, line, code] of SUMS) {
  Deno.test(`summary() says "${line}" with exit code ${code}`, () => {
    assert.deepEqual(summary(outcomes), { line, code });
  });
}
