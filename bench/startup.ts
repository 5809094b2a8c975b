/**
 * What a start costs: each command to its end, beside the runtime that runs an empty script, with
 * the same flags. And the first start of the form that unpacks its runtime, and how large it is.
 *
 * Both take turns, round after round, so that a disturbance of the machine meets both; the medians
 * count.
 */

import { RUN_FLAGS } from "../compile/run_flags.ts";
import { COMMANDS } from "../main.ts";
import { type Contender, type Figure, median } from "./report.ts";
import type { Bench } from "./servers.ts";

const SECTION = "Start to end of a command";

/** Codes of a job that was done; check-expiry warns of the placeholder that it is given. */
const DONE = [0, 1];

/** Milliseconds of each command, and of a first start. */
export async function measureStartup(bench: Bench): Promise<Figure[]> {
  const { directory, quick } = bench;
  const empty = `${directory}/empty.js`;
  const pem = `${directory}/placeholder.pem`;
  await Deno.writeTextFile(empty, "");
  await run(bench, ["self-signed", "--name", "service.example", "--out", pem]);
  const bare = [Deno.execPath(), "run", ...RUN_FLAGS, empty];

  const commands = commandLines(pem);
  const pairs = new Map<string, [own: number, bare: number][]>();
  const rounds = quick ? 5 : 15;
  // The first round reads the programs from the disk and is not counted.
  for (let round = 0; round <= rounds; round++) {
    bench.progress(`start to end, round ${round} of ${rounds}`);
    for (const args of commands) {
      const bareTime = await timed(bare, bench);
      const time = await timed([...bench.acmeLb, ...args], bench);
      if (round === 0) pairs.set(label(args), []);
      else pairs.get(label(args))!.push([time, bareTime]);
    }
  }
  const target = { sense: "at most" as const, value: 1.5, of: "bare Deno" as Contender };
  const figures = [...pairs].map(([what, measured]): Figure => {
    const own = measured.map(([time]) => time);
    const bareOnes = measured.map(([, bareTime]) => bareTime);
    return {
      section: SECTION,
      what,
      unit: "ms",
      values: { "acme-lb": median(own), "bare Deno": median(bareOnes) },
      rounds: { "acme-lb": own, "bare Deno": bareOnes },
      target,
    };
  });
  return [...figures, ...await measureCarrying(bench)];
}

/** Every command of the table: a small job where there is one, else its help. */
function commandLines(pem: string): string[][] {
  const jobs: Record<string, string[]> = {
    "assemble-pem": ["--key", pem, "--cert", pem, "--out", `${pem}.assembled`],
    "check-config": [],
    "check-expiry": [pem],
    "generate": ["man"],
    "self-signed": ["--name", "service.example", "--out", pem, "--if-missing"],
  };
  const small = Object.keys(COMMANDS).filter((name) => Object.hasOwn(jobs, name))
    .map((name) => [name, ...jobs[name]!]);
  return [["--version"], ...small, ...Object.keys(COMMANDS).map((name) => [name, "--help"])];
}

function label(args: string[]): string {
  return args.filter((word) => !word.startsWith("/")).slice(0, 2).join(" ");
}

/** The first start and the size, where the executable carries its runtime. */
async function measureCarrying(bench: Bench): Promise<Figure[]> {
  const [executable = ""] = bench.acmeLb;
  using file = await Deno.open(executable);
  const head = new Uint8Array(2);
  await file.read(head);
  const { size } = await file.stat();
  if (new TextDecoder().decode(head) !== "#!") return [];
  const times = [];
  for (let round = 1; round <= (bench.quick ? 3 : 5); round++) {
    bench.progress(`first start, round ${round}`);
    const cache = `${bench.directory}/first-start`;
    times.push(await timed([executable, "--version"], { ...bench, cache }));
    await Deno.remove(cache, { recursive: true });
  }
  const common = { section: SECTION };
  return [
    {
      ...common,
      what: "first start, which unpacks the runtime",
      unit: "ms",
      values: { "acme-lb": median(times) },
      rounds: { "acme-lb": times },
      target: { sense: "at most", value: 2000 },
    },
    {
      ...common,
      what: "size of the file",
      unit: "MB",
      values: { "acme-lb": size / 1e6 },
      target: { sense: "at most", value: 45 },
    },
  ];
}

async function run(bench: Bench, args: string[]): Promise<void> {
  await timed([...bench.acmeLb, ...args], bench);
}

/** Milliseconds from the start of a program to its end. @throws {Error} when it failed */
async function timed(
  [program, ...args]: string[],
  { directory, cache = `${directory}/cache` }: { directory: string; cache?: string },
): Promise<number> {
  const command = new Deno.Command(program!, {
    args,
    env: { ACME_LB_CACHE: cache },
    stdin: "null",
  });
  const begin = performance.now();
  const { code, stderr } = await command.output();
  const time = performance.now() - begin;
  if (DONE.includes(code)) return time;
  throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
