/**
 * Every check and every test, for `./install.sh --test` and `deno task ok`: format, lint, types,
 * the tests side by side, then the end-to-end tests one after the other. The last line on stdout
 * is `N passed, N failed`, with `, N skipped` when any were, from what the test runner says; a
 * check that fails counts as one failed.
 */

import { type Outcome, outcomeOf, summary } from "./outcome.ts";

const ROOT = new URL("..", import.meta.url).pathname;

// Far beyond what a run takes: only for a test that hangs in spite of its own deadlines.
const DEADLINE = AbortSignal.timeout(60 * 60_000);

const CHECKS = [["fmt", "--check"], ["lint"], ["check"]];
const TESTS = [
  ["--parallel", "--ignore=tests/e2e", "tests/"],
  ["tests/e2e/"],
];

const outcomes: Outcome[] = [];
for (const check of CHECKS) {
  const { code } = await deno(check);
  outcomes.push({ passed: 0, failed: code === 0 ? 0 : 1, skipped: 0 });
}
for (const tests of TESTS) {
  // Types have been checked above.
  outcomes.push(outcomeOf(await deno(["test", "-A", "--no-check", ...tests])));
}
const { line, code } = summary(outcomes);
await show(`\n${line}\n`);
Deno.exit(code);

/** Runs deno in the checkout; what it says on stdout is shown at once and returned at the end. */
async function deno(args: string[]): Promise<{ code: number; stdout: string }> {
  await show(`\n$ deno ${args.join(" ")}\n`);
  const process = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: {
      // The executable under test unpacks here, not into this machine's own caches.
      ACME_LB_CACHE: Deno.env.get("ACME_LB_CACHE") ?? `${ROOT}dist/cache`,
      // The runner colours what goes into a pipe too.
      ...(Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" }),
    },
    stdin: "null",
    stdout: "piped",
    signal: DEADLINE,
  }).spawn();
  let stdout = "";
  const shown = (async () => {
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      stdout += text;
      await show(text);
    }
  })();
  const { code } = await process.status;
  // A process that a test forgot may hold the pipe open for ever.
  await Promise.race([shown, new Promise((resolve) => setTimeout(resolve, 5_000))]);
  return { code, stdout };
}

async function show(text: string): Promise<void> {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(await Deno.stdout.write(bytes));
}
