/**
 * The fleet at a glance: how long `status` takes while balancers are dead, what a look at the page
 * costs, and whether those who look at it delay a challenge.
 *
 * Ten balancers, six of which run here; packets to the others are swallowed.
 */

import { layCable } from "./cable.ts";
import { type Child, startChild } from "./child.ts";
import type { Flood } from "./flood.ts";
import { processorTime } from "./procfs.ts";
import { type Figure, median, percentile } from "./report.ts";
import type { Bench } from "./servers.ts";

const SECTION = "Status of 10 balancers, 4 of them dead";
const PORTS = { public: 80, challenge: 31080, dead: 31083, metrics: 9180 };
const ADDRESSES = Array.from({ length: 10 }, (_, i) => `2001:db8::f00${(i + 1).toString(16)}`);
const ALIVE = 6;
const [HERE = ""] = ADDRESSES;

const TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
const KEY_AUTHORIZATION = `${TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;

/** Requests a second for the page. */
const RATE = 100;
/** The load has started by then, and the first looks have loaded what makes the page. */
const HEAD_START_MS = 3_000;
const ASK_EVERY_MS = 25;

export async function measureStatus(bench: Bench): Promise<Figure[]> {
  if (!bench.apart) throw new Error("needs root, for a network of its own");
  const webroot = `${bench.directory}/status-webroot`;
  await Deno.mkdir(webroot);
  await Deno.writeTextFile(`${webroot}/${TOKEN}`, KEY_AUTHORIZATION);

  await using machines = new AsyncDisposableStack();
  const { prefix } = machines.use(
    await layCable({ there: HERE, here: ADDRESSES.slice(1), swallowing: PORTS.dead }),
  );
  const balancers: Child[] = [];
  for (const [i, address] of ADDRESSES.slice(0, ALIVE).entries()) {
    bench.progress(`status: balancer ${i + 1} of ${ALIVE}`);
    const where = { address, webroot, prefix: i === 0 ? prefix : [] };
    balancers.push(machines.use(await startBalancer(bench, where)));
  }
  const command = [...prefix, ...bench.acmeLb, "status", "--config", configOf(bench, HERE)];
  return [
    ...await bench.part("status: the command", () => measureCommand(bench, command)),
    ...await bench.part(
      "status: the page",
      () => measurePage(bench, { prefix, pid: balancers[0]!.pid }),
    ),
  ];
}

function configOf({ directory }: Bench, address: string): string {
  return `${directory}/status-${address.replaceAll(":", "-")}.yaml`;
}

async function startBalancer(
  bench: Bench,
  { address, webroot, prefix }: { address: string; webroot: string; prefix: string[] },
): Promise<Child> {
  const peers = ADDRESSES.map((peer, i) => `[${peer}]:${i < ALIVE ? PORTS.challenge : PORTS.dead}`);
  const config = {
    webroot,
    public: { listen: [`[${address}]:${PORTS.public}`] },
    challenge: { listen: [`[${address}]:${PORTS.challenge}`] },
    metrics: { listen: address === HERE ? [`[::1]:${PORTS.metrics}`] : [] },
    peers,
  };
  const file = configOf(bench, address);
  // JSON is YAML.
  await Deno.writeTextFile(file, JSON.stringify(config));
  return await startChild([...prefix, ...bench.acmeLb, "serve", "--config", file], {
    address: { hostname: address, port: PORTS.challenge },
    log: `${file}.log`,
  });
}

/** Start to end, also while every processor has other work. */
async function measureCommand(bench: Bench, command: string[]): Promise<Figure[]> {
  const target = { sense: "at most", value: 2_200 } as const;
  const rounds = bench.quick ? 3 : 10;
  const quiet: number[] = [];
  const busy: number[] = [];
  // The first one reads the program from the disk and is not counted.
  await timedStatus(command);
  for (let round = 1; round <= rounds; round++) {
    bench.progress(`status, round ${round} of ${rounds}`);
    quiet.push(await timedStatus(command));
    using _others = startBusyLoops(2 * navigator.hardwareConcurrency);
    busy.push(await timedStatus(command));
  }
  const figure = (what: string, times: number[]): Figure => ({
    section: SECTION,
    what,
    unit: "ms",
    values: { "acme-lb": Math.max(...times) },
    rounds: { "acme-lb": times },
    target,
  });
  return [
    figure("start to end (worst)", quiet),
    figure("the same, each processor has two other loops", busy),
  ];
}

/** @throws {Error} when it did not tell of all of them: its time would mean nothing */
async function timedStatus([program, ...args]: string[]): Promise<number> {
  const begin = performance.now();
  const { stdout, stderr } = await new Deno.Command(program!, { args, stdin: "null" }).output();
  const time = performance.now() - begin;
  const text = new TextDecoder().decode(stdout);
  const silent = [...text.matchAll(/^ {2}\S+ +\S+ +timeout$/gm)].length;
  if (silent === ADDRESSES.length - ALIVE) return time;
  throw new Error(`${silent} are dead: ${text}${new TextDecoder().decode(stderr)}`);
}

function startBusyLoops(count: number): Disposable {
  const loops = Array.from(
    { length: count },
    () => new Deno.Command("sh", { args: ["-c", "while :; do :; done"], stdin: "null" }).spawn(),
  );
  return {
    [Symbol.dispose]() {
      for (const loop of loops) loop.kill("SIGKILL");
    },
  };
}

/**
 * The CA's answer times and the server's processor time, while nobody looks at the page and while
 * many do, in turns: what the page costs is the difference. It is made anew every two seconds.
 */
async function measurePage(
  bench: Bench,
  { prefix, pid }: { prefix: string[]; pid: number },
): Promise<Figure[]> {
  const seconds = bench.quick ? 4 : 10;
  const rounds = bench.quick ? 2 : 4;
  const alone: number[] = [];
  const beside: number[] = [];
  const costs: number[] = [];
  const used = async (work: () => Promise<void>) => {
    const before = await processorTime(pid);
    await work();
    return await processorTime(pid) - before;
  };
  for (let round = 1; round <= rounds; round++) {
    bench.progress(`challenges beside the page, round ${round} of ${rounds}`);
    const idle = await used(async () => void alone.push(...await askFor(seconds)));
    const load = startLoad(prefix);
    await new Promise((resolve) => setTimeout(resolve, HEAD_START_MS));
    const busy = await used(async () => void beside.push(...await askFor(seconds)));
    const rate = await load.stop();
    costs.push((busy - idle) * 1000 / (rate * seconds));
  }
  const figures = (what: string, times: number[]): Figure[] =>
    ([["median", 0.5], ["99 % within", 0.99]] as const).map(([name, share]) => ({
      section: SECTION,
      what: `a challenge, ${what}: ${name}`,
      unit: "ms",
      values: { "acme-lb": percentile(times, share) },
      rounds: { "acme-lb": times },
    }));
  return [
    {
      section: SECTION,
      what: `processor time for a look at the page, at ${RATE} a second`,
      unit: "ms",
      values: { "acme-lb": median(costs) },
      rounds: { "acme-lb": costs },
      target: { sense: "at most", value: 5 },
    },
    ...figures("nobody looks at the page", alone),
    ...figures(`${RATE} looks a second`, beside),
  ];
}

/** Looks at the page, until it is stopped; how often a second it did. */
function startLoad(prefix: string[]): { stop(): Promise<number> } {
  const flood: Flood = {
    address: "::1",
    port: PORTS.metrics,
    sources: ["::1"],
    rate: RATE,
    text: "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  };
  const program = new URL("flood.ts", import.meta.url).pathname;
  const [first, ...args] = [
    ...prefix,
    ...[Deno.execPath(), "run", "-A", "--no-config", program, JSON.stringify(flood)],
  ];
  const child = new Deno.Command(first!, { args, stdin: "null", stdout: "piped" }).spawn();
  return {
    async stop() {
      child.kill("SIGTERM");
      const { stdout } = await child.output();
      const rate = Number(new TextDecoder().decode(stdout));
      if (!(rate > 0)) throw new Error("nobody looked at the page");
      return rate;
    },
  };
}

/** Milliseconds of each answer, from connect to its end. */
async function askFor(seconds: number): Promise<number[]> {
  const end = performance.now() + seconds * 1000;
  const times: number[] = [];
  while (performance.now() < end) {
    times.push(await timedChallenge());
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
  return times;
}

async function timedChallenge(): Promise<number> {
  const begin = performance.now();
  using conn = await Deno.connect({ hostname: HERE, port: PORTS.public });
  const request = `GET /.well-known/acme-challenge/${TOKEN} HTTP/1.1\r\n` +
    "Host: service.example\r\nConnection: close\r\n\r\n";
  await conn.write(new TextEncoder().encode(request));
  const answer = await new Response(conn.readable).text();
  const time = performance.now() - begin;
  if (answer.trimEnd().endsWith(KEY_AUTHORIZATION)) return time;
  throw new Error(`a challenge was answered with "${answer.slice(0, 100)}"`);
}
