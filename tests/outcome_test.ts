import assert from "node:assert/strict";
import { casesOf, type Outcome, outcomeOf, summary } from "./outcome.ts";
import { temporaryFolder } from "./temporary_folder.ts";

/** A file as `deno test --junit-path` writes it; each case is its name and what stands within. */
function junit(...suites: [string, string][][]): string {
  const cases = (suite: [string, string][]) =>
    suite.map(([name, body]) =>
      `        <testcase name="${name}" classname="./a_test.ts" time="0.021" line="4" col="6">\n` +
      `            ${body}\n        </testcase>\n`
    ).join("");
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="8" failures="3" errors="0" time="0.101">
${
    suites.map((suite) =>
      `    <testsuite name="./a_test.ts" tests="8" disabled="2" errors="0" failures="3">\n` +
      `${cases(suite)}    </testsuite>\n`
    ).join("")
  }</testsuites>
`;
}

const FAILURE = '<failure message="Uncaught Error: x">Error: x &lt;testcase name=&quot;</failure>';

const RUNS: [string, { code: number; junit?: string }, Outcome][] = [
  [
    "a good run",
    { code: 0, junit: junit([["a", ""], ["b", ""]], [["a", ""]]) },
    { passed: 3, failed: 0, skipped: 0 },
  ],
  [
    "failures and skipped tests",
    { code: 1, junit: junit([["a", ""], ["b", FAILURE], ["c", "<skipped/>"]]) },
    { passed: 1, failed: 1, skipped: 1 },
  ],
  [
    "a cancelled test",
    { code: 1, junit: junit([["a", ""], ["b", '<error message="Cancelled"/>']]) },
    { passed: 1, failed: 1, skipped: 0 },
  ],
  [
    "steps, which count with their test but for the skipped",
    {
      code: 1,
      junit: junit([
        ["a", FAILURE],
        ["b", ""],
        ["a &gt; one", ""],
        ["a &gt; one &gt; within", FAILURE],
        ["b &gt; one", "<skipped/>"],
      ]),
    },
    { passed: 1, failed: 1, skipped: 1 },
  ],
  [
    "a test of another file that is called as a step would be",
    { code: 0, junit: junit([["a", ""]], [["a &gt; b", ""]]) },
    { passed: 2, failed: 0, skipped: 0 },
  ],
  [
    "a run that ends badly though no test failed",
    { code: 1, junit: junit([["a", ""]]) },
    { passed: 1, failed: 1, skipped: 0 },
  ],
  ["a crash", { code: 134 }, { passed: 0, failed: 1, skipped: 0 }],
  ["a run that wrote no file", { code: 0 }, { passed: 0, failed: 1, skipped: 0 }],
  [
    "a file that breaks off",
    { code: 0, junit: junit([["a", ""]]).slice(0, -20) },
    { passed: 1, failed: 1, skipped: 0 },
  ],
];

for (const [what, run, outcome] of RUNS) {
  Deno.test(`outcomeOf() reads ${what}`, () => assert.deepEqual(outcomeOf(run), outcome));
}

Deno.test("casesOf() lists names, results and times", () => {
  assert.deepEqual(casesOf(junit([["a &lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;", FAILURE]])), [
    { name: `a <b> & "c" 'd'`, result: "failed", seconds: 0.021 },
  ]);
});

Deno.test("outcomeOf() agrees with the runner about a real run", async () => {
  await using folder = await temporaryFolder();
  const directory = folder.path;
  await Deno.writeTextFile(
    `${directory}/a_test.ts`,
    `Deno.test("good", () => {});
       Deno.test("bad", () => { throw new Error("</testcase>"); });
       Deno.test({ name: "left out", ignore: true, fn() {} });
       Deno.test("steps", async (t) => {
         await t.step("one", () => {});
         await t.step({ name: "two", ignore: true, fn() {} });
       });`,
  );
  const run = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-check", "--no-config", "--junit-path=junit.xml", "a_test.ts"],
    cwd: directory,
    stdout: "null",
    stderr: "null",
  }).output();
  const text = await Deno.readTextFile(`${directory}/junit.xml`);
  assert.deepEqual(outcomeOf({ code: run.code, junit: text }), {
    passed: 2,
    failed: 1,
    skipped: 2,
  });
});

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
