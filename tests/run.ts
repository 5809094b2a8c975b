/**
 * Every check and every test, for `./install.sh --test` and `deno task ok`: format, lint, types, the
 * tests of lib side by side, then the end-to-end tests: each file is a process of its own, and
 * SIDE_BY_SIDE of them run at a time, since each has namespaces, folders and ports of its own. The
 * output of such a file is shown when it has ended.
 *
 * The last line on stdout is `N passed, N failed`, with `, N skipped` when any were, from the JUnit
 * files that the test runner writes into dist/tests; a check that fails counts as one failed.
 */

import { ensureExecutable } from "../compile.ts";
import { casesOf, type Outcome, outcomeOf, summary } from "./outcome.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const REPORTS = `${ROOT}dist/tests`;

// Far beyond what a run takes: only for a test that hangs in spite of its own deadlines.
const DEADLINE = AbortSignal.timeout(60 * 60_000);

const CHECKS = [["fmt", "--check"], ["lint"], ["check"]];
/** Most of an end-to-end test is waiting, for clients and for clocks of other programs. */
const SIDE_BY_SIDE = 3;
/** Those that take longest begin first, so that none is left to run alone at the end. */
const LONGEST = ["documentation", "rendered_cluster", "fresh_debian", "issuance", "self_test"];

/** One run of `deno test`. */
interface Job {
  name: string;
  args: string[];
  /** Its output is shown as it comes, for one that runs alone. */
  live?: boolean;
}

interface Report {
  name: string;
  outcome: Outcome;
  /** Names of the tests that were skipped. */
  skipped: string[];
  seconds: number;
}

const place = await Deno.makeTempDir({ prefix: "acme-lb-run-" });
let result: { line: string; code: number };
try {
  result = await runAll(place);
} finally {
  await Deno.remove(place, { recursive: true });
}
await show(`\n${result.line}\n`);
Deno.exit(result.code);

async function runAll(place: string): Promise<{ line: string; code: number }> {
  const outcomes: Outcome[] = [];
  for (const check of CHECKS) {
    await show(`\n$ deno ${check.join(" ")}\n`);
    const { code } = await deno(check, { live: true });
    outcomes.push({ passed: 0, failed: code === 0 ? 0 : 1, skipped: 0 });
  }
  const env = await environment(place);
  await Deno.mkdir(REPORTS, { recursive: true });
  const unit: Job = {
    name: "lib",
    args: ["--parallel", "--ignore=tests/e2e", "tests/"],
    live: true,
  };
  const reports = [await run(unit, env)];
  const queue = await endToEnd();
  await show(`\n${queue.length} files of end-to-end tests, ${SIDE_BY_SIDE} at a time\n`);
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, async () => {
    for (let job; (job = queue.shift());) reports.push(await run(job, env));
  }));
  await show(overview(reports));
  return summary([...outcomes, ...reports.map(({ outcome }) => outcome)]);
}

/**
 * The executable under test lies in a folder that every user of the machine can enter, wherever the
 * checkout is, and unpacks there, not into this machine's own caches.
 */
async function environment(place: string): Promise<Record<string, string>> {
  await Deno.chmod(place, 0o755);
  await Deno.mkdir(`${place}/cache`);
  const env = { ACME_LB_CACHE: Deno.env.get("ACME_LB_CACHE") ?? `${place}/cache` };
  if (Deno.env.get("ACME_LB_EXECUTABLE")) return env;
  await Deno.copyFile(await ensureExecutable(), `${place}/acme-lb`);
  return { ...env, ACME_LB_EXECUTABLE: `${place}/acme-lb` };
}

async function endToEnd(): Promise<Job[]> {
  const files = await Array.fromAsync(Deno.readDir(`${ROOT}tests/e2e`), ({ name }) => name);
  const names = files.filter((name) => name.endsWith("_test.ts"))
    .map((name) => name.replace("_test.ts", "")).sort();
  const rank = (name: string) => (LONGEST.indexOf(name) + 1) || LONGEST.length + 1;
  return names.sort((a, b) => rank(a) - rank(b))
    .map((name) => ({ name: `e2e/${name}`, args: [`tests/e2e/${name}_test.ts`] }));
}

async function run(job: Job, env: Record<string, string>): Promise<Report> {
  const { name, args, live } = job;
  const file = `${REPORTS}/${name.replaceAll("/", "-")}.xml`;
  await Deno.remove(file).catch(() => {});
  // Types have been checked above.
  const words = ["test", "-A", "--no-check", `--junit-path=${file}`, ...args];
  const heading = `\n$ deno ${words.join(" ")}\n`;
  if (live) await show(heading);
  const start = performance.now();
  const { code, output } = await deno(words, { env, live });
  if (!live) await show(heading + output);
  const junit = await Deno.readTextFile(file).catch(() => undefined);
  return {
    name,
    outcome: outcomeOf({ code, junit }),
    skipped: casesOf(junit ?? "").filter(({ result }) => result === "skipped")
      .map(({ name }) => name),
    seconds: (performance.now() - start) / 1000,
  };
}

/** What was skipped, by name, and where the time went. */
function overview(reports: Report[]): string {
  const skipped = reports.flatMap(({ name, skipped }) =>
    skipped.map((test) => `  ${name}: ${test}\n`)
  );
  const slowest = reports.toSorted((a, b) => b.seconds - a.seconds).slice(0, 10)
    .map(({ name, seconds }) => `  ${seconds.toFixed(0).padStart(5)} s  ${name}\n`);
  return [
    ...(skipped.length > 0 ? ["\nskipped; each says why where it is declared:\n", ...skipped] : []),
    "\nlongest:\n",
    ...slowest,
  ].join("");
}

interface DenoOptions {
  env?: Record<string, string>;
  live?: boolean;
}

/** Runs deno in the checkout. What it says on both streams is shown at once, or returned. */
async function deno(
  args: string[],
  { env = {}, live = false }: DenoOptions,
): Promise<{ code: number; output: string }> {
  const process = new Deno.Command("/bin/sh", {
    args: ["-c", 'exec "$@" 2>&1', "sh", Deno.execPath(), ...args],
    cwd: ROOT,
    // The runner colours what goes into a pipe too.
    env: { ...env, ...(live && Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" }) },
    stdin: "null",
    stdout: "piped",
    signal: DEADLINE,
  }).spawn();
  let output = "";
  const read = (async () => {
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      if (live) await show(text);
      else output += text;
    }
  })();
  const { code } = await process.status;
  // A process that a test forgot may hold the pipe open for ever.
  await Promise.race([read, new Promise((resolve) => setTimeout(resolve, 5_000))]);
  return { code, output };
}

async function show(text: string): Promise<void> {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(await Deno.stdout.write(bytes));
}
