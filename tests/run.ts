/**
 * Every check and every test, for `./install.sh --test` and `deno task ok`: format, lint and types;
 * the tests of lib side by side in one process, and those that change their process in another; then
 * the end-to-end tests. Each file of these is a process of its own, and SIDE_BY_SIDE of them run at a
 * time, since each has namespaces, folders and ports of its own. Last come those of them that run in
 * other releases of Debian. The output of such a file is shown when it has ended.
 *
 * The last line on stdout is `N passed, N failed`, with `, N skipped` when any were, from the JUnit
 * files that the test runner writes into dist/tests; a check that fails counts as one failed.
 *
 * Usage: deno task ok [NAME]...
 *   NAME  only the runs whose names begin so, without the checks: lib, e2e/hooks, "trixie: e2e/hooks"
 */

import { ensureExecutable } from "../compile.ts";
import { ownRelease } from "./e2e/debian.ts";
import { execute } from "./e2e/network.ts";
import { noUserlands, prepareUserland, type Userland } from "./e2e/userland.ts";
import { casesOf, type Outcome, outcomeOf, summary } from "./outcome.ts";
import {
  programsDifferences,
  programsPage,
  QUERY,
  QUERY_WITHIN,
  type Versions,
  versionsIn,
} from "./programs.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const REPORTS = `${ROOT}dist/tests`;

// Far beyond what a run takes: only for a test that hangs in spite of its own deadlines.
const DEADLINE = AbortSignal.timeout(80 * 60_000);

const CHECKS = [["fmt", "--check"], ["lint"], ["check"]];
/**
 * Most of an end-to-end test is waiting, for clients and for clocks of other programs; more at a time
 * would starve balancers of two processors beyond the deadlines of a lookup.
 */
const SIDE_BY_SIDE = 2;
/** keepalived moves addresses when its checks get no processor: nothing runs beside it. */
const ALONE = ["rendered_cluster", "fleet_change", "status"];
/** Those that take longest begin first, so that none is left to run alone at the end. */
const LONGEST = ["documentation", "fresh_debian", "issuance", "self_test"];

/** Threads of one process share its user, umask and environment: what changes those is alone. */
const LIB: Job[] = [
  {
    name: "lib",
    args: ["--parallel", "--ignore=tests/e2e,tests/alone", "tests/"],
    live: true,
  },
  { name: "lib alone", args: ["tests/alone"] },
];

/** Two balancers dead is the hardest of the stories, and all well the one that must not fail. */
const TWO_STORIES = "--filter=/while (all balancers are well|lb0 and lb2 swallow packets)/";
const JUDGED_BY_PROGRAMS = {
  name: "lib by its programs",
  args: ["--parallel", "tests/haproxy", "tests/render", "tests/cert/coverage_test.ts"]
    .concat(
      "tests/commands/assemble_pem_accepted_test.ts",
      "tests/commands/assemble_pem_dumped_test.ts",
      "tests/commands/assemble_pem_shown_test.ts",
      "tests/commands/assemble_pem_swap_test.ts",
      "tests/commands/check_expiry_served_test.ts",
    ),
};
const endToEndOf = (name: string, ...args: string[]): Job => ({
  name: `e2e/${name}`,
  args: [`tests/e2e/${name}_test.ts`, ...args],
});
/**
 * What runs in other releases: what the versions of other programs decide. The stories of `more`
 * take an hour together, and run when they are named.
 */
const MATRIX: { release: string; jobs: Job[]; more: Job[] }[] = [
  {
    release: "trixie",
    jobs: [
      endToEndOf("rendered_programs"),
      JUDGED_BY_PROGRAMS,
      endToEndOf("acme_sh"),
      endToEndOf("monitoring"),
      endToEndOf("hooks"),
    ],
    more: [
      endToEndOf("fresh_debian"),
      endToEndOf("rendered_cluster"),
      endToEndOf("short_lived"),
      endToEndOf("issuance", TWO_STORIES),
      endToEndOf("self_test"),
      endToEndOf("mixed_fleet"),
    ],
  },
  {
    release: "sid",
    jobs: [
      endToEndOf("haproxy_acme"),
      endToEndOf("rendered_programs"),
      JUDGED_BY_PROGRAMS,
      endToEndOf("solvers"),
      endToEndOf("short_lived"),
    ],
    more: [
      endToEndOf("rendered_cluster"),
      endToEndOf("hooks"),
      endToEndOf("issuance", TWO_STORIES),
    ],
  },
];

/** One run of `deno test`. */
interface Job {
  name: string;
  args: string[];
  /** Its output is shown as it comes, for one that runs alone. */
  live?: boolean;
  /** Where it runs, other than here; a text says why it cannot. */
  within?: { release: string; userland: Promise<Userland | string> };
}

interface Report {
  name: string;
  outcome: Outcome;
  /** Names of the tests that were skipped, and that failed. */
  skipped: string[];
  failed: string[];
  seconds: number;
}

const wanted = ({ name }: { name: string }) =>
  Deno.args.length === 0 || Deno.args.some((arg) => name.startsWith(arg));

/** Of {@link MATRIX}, what is wanted. */
const matrix = MATRIX.map(({ release, jobs, more }) => ({
  release,
  jobs: [...jobs, ...Deno.args.length > 0 ? more : []]
    .filter(({ name }) => wanted({ name: `${release}: ${name}` })),
})).filter(({ jobs }) => jobs.length > 0);

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
  const reports: Report[] = [];
  for (const args of Deno.args.length === 0 ? CHECKS : []) reports.push(await check(args));
  const env = await environment(place);
  await Deno.mkdir(REPORTS, { recursive: true });
  for (const job of LIB.filter(wanted)) reports.push(await run(job, env));
  const userlands = await startUserlands(env);
  const others = matrix.flatMap(({ release, jobs }) =>
    jobs.map((job): Job => ({
      ...job,
      name: `${release}: ${job.name}`,
      within: { release, userland: userlands.get(release)! },
    }))
  );
  const own = (await endToEnd()).filter(wanted);
  const isAlone = ({ name }: Job) => ALONE.some((one) => name === `e2e/${one}`);
  for (const job of own.filter(isAlone)) reports.push(await run(job, env));
  const queue = [...own.filter((job) => !isAlone(job)), ...others];
  await show(`\n${queue.length} files of end-to-end tests, ${SIDE_BY_SIDE} at a time\n`);
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, async () => {
    for (let job; (job = queue.shift());) reports.push(await run(job, env));
  }));
  if (Deno.args.length === 0) reports.push(await comparePrograms(userlands));
  await show(overview(reports));
  return summary(reports.map(({ outcome }) => outcome));
}

async function check(args: string[]): Promise<Report> {
  const name = `deno ${args.join(" ")}`;
  await show(`\n$ ${name}\n`);
  const start = performance.now();
  const { code } = await deno(args, { live: true });
  return {
    name,
    outcome: { passed: 0, failed: code === 0 ? 0 : 1, skipped: 0 },
    skipped: [],
    failed: code === 0 ? [] : [`exit code ${code}`],
    seconds: (performance.now() - start) / 1000,
  };
}

/** Begins to make the userlands of the matrix, one after the other; a text says why there is none. */
async function startUserlands(
  env: Record<string, string>,
): Promise<Map<string, Promise<Userland | string>>> {
  const reason = await noUserlands();
  const given = Deno.env.get("ACME_LB_BUILD_CACHE");
  // Never in the checkout, where it would be linted and tested.
  const cache = given && !`${given}/`.startsWith(ROOT) ? given : "/var/cache/acme-lb-build";
  let last: Promise<unknown> = Promise.resolve();
  const prepare = async (release: string): Promise<Userland | string> => {
    if (reason !== undefined) return reason;
    try {
      return await prepareUserland(release, { cache, env });
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  return new Map(matrix.map(({ release }) => {
    const userland = last.then(() => prepare(release));
    last = userland;
    return [release, userland];
  }));
}

/** The versions of all programs, shown, written into dist/, and compared with the page of docs. */
async function comparePrograms(
  userlands: Map<string, Promise<Userland | string>>,
): Promise<Report> {
  const name = "docs/programs.md";
  const start = performance.now();
  const met = new Map<string, Versions>();
  const own = await ownRelease();
  if (own !== undefined) met.set(own, versionsIn((await execute(QUERY)).stdout));
  for (const [release, promise] of userlands) {
    const userland = await promise;
    if (typeof userland === "string") continue;
    met.set(release, versionsIn((await execute(userland.argv(QUERY_WITHIN))).stdout));
  }
  if (met.size === 0) {
    const outcome = { passed: 0, failed: 0, skipped: 1 };
    return { name, outcome, skipped: ["not on Debian"], failed: [], seconds: 0 };
  }
  const page = programsPage(met);
  await Deno.writeTextFile(`${ROOT}dist/programs.md`, page);
  const differences = programsDifferences(await Deno.readTextFile(`${ROOT}${name}`), met);
  await show(`\n${page.slice(page.indexOf("|"))}`);
  if (differences.length > 0) await show("dist/programs.md has what this run met\n");
  const failed = differences.length > 0 ? 1 : 0;
  return {
    name,
    outcome: { passed: 1 - failed, failed, skipped: 0 },
    skipped: [],
    failed: differences,
    seconds: (performance.now() - start) / 1000,
  };
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
  return names.sort((a, b) => rank(a) - rank(b)).map((name) => endToEndOf(name));
}

async function run(job: Job, env: Record<string, string>): Promise<Report> {
  const { name, args, live, within } = job;
  const userland = await within?.userland;
  if (typeof userland === "string") {
    await show(`\nskipped: ${name}: ${userland}\n`);
    const outcome = { passed: 0, failed: 0, skipped: 1 };
    return { name, outcome, skipped: ["all of it"], failed: [], seconds: 0 };
  }
  const file = `${REPORTS}/${name.replaceAll(/[^\w-]+/g, "-")}.xml`;
  await Deno.remove(file).catch(() => {});
  // Types have been checked above.
  const words = ["test", "-A", "--no-check", `--junit-path=${file}`, ...args];
  const heading = `\n${within ? `${within.release}` : ""}$ deno ${words.join(" ")}\n`;
  if (live) await show(heading);
  const start = performance.now();
  const { code, output } = await deno(words, { env, live, userland });
  if (!live) await show(heading + output);
  const junit = await Deno.readTextFile(file).catch(() => undefined);
  const cases = casesOf(junit ?? "");
  const namesOf = (wanted: string) =>
    cases.filter(({ result }) => result === wanted).map(({ name }) => name);
  const outcome = outcomeOf({ code, junit });
  const [skipped, failed] = [namesOf("skipped"), namesOf("failed")];
  if (outcome.failed > 0 && failed.length === 0) failed.push("an error outside its tests");
  return { name, outcome, skipped, failed, seconds: (performance.now() - start) / 1000 };
}

/** Where the time went, and by name what was skipped and what failed: the last is what is read. */
function overview(reports: Report[]): string {
  const listed = (heading: string, of: (report: Report) => string[]) => {
    const tests = reports.flatMap((report) =>
      of(report).map((test) => `  ${report.name}: ${test}`)
    );
    return tests.length > 0 ? ["", heading, ...tests] : [];
  };
  const slowest = reports.toSorted((a, b) => b.seconds - a.seconds).slice(0, 10)
    .map(({ name, seconds }) => `  ${seconds.toFixed(0).padStart(5)} s  ${name}`);
  return [
    "",
    "longest:",
    ...slowest,
    ...listed("skipped; each says why where it is declared:", ({ skipped }) => skipped),
    ...listed("failed:", ({ failed }) => failed),
    "",
  ].join("\n");
}

interface DenoOptions {
  env?: Record<string, string>;
  live?: boolean;
  userland?: Userland;
}

/** Runs deno in the checkout. What it says on both streams is shown at once, or returned. */
async function deno(
  args: string[],
  { env = {}, live = false, userland }: DenoOptions,
): Promise<{ code: number; output: string }> {
  const command = [Deno.execPath(), ...args];
  const process = new Deno.Command("/bin/sh", {
    args: ["-c", 'exec "$@" 2>&1', "sh", ...userland?.argv(command) ?? command],
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
