/**
 * Resident memory: idle, and with many connections that never complete their request.
 *
 * The connections come in waves. The first meets a fresh process; what the later ones show is
 * whether the memory of those before is used again, which is what an operator lives with.
 */

import type { Child } from "./child.ts";
import { descriptorLimit, descriptors, residentMemory } from "./procfs.ts";
import type { Contender, Figure } from "./report.ts";
import { type Bench, startAcmeLb, startHaproxy, startNginx } from "./servers.ts";

const SECTION = "Resident memory";
const PORT = 28080;
const CHALLENGE_PORT = 28090;
const CONNECTIONS = 10_000;
/** Descriptors that the generator and the servers need beside the connections. */
const RESERVE = 200;
/** Milliseconds of rest before the idle figure is taken. */
const REST = 2_000;
/** Milliseconds between two looks at a loaded server. */
const LOOK = 50;
/** Connections are watched this long after the last was opened; the head deadline is 5 s. */
const WATCH = 3_000;
const WAVES = 3;
/** A server that still holds connections so long after the generator ended keeps them for good. */
const PATIENCE = 10_000;

/** VmRSS of each contender, idle and at its highest while the connections are open. */
export async function measureMemory(bench: Bench): Promise<Figure[]> {
  const connections = Math.min(CONNECTIONS, await descriptorLimit() - RESERVE);
  const idle: Figure["values"] = {};
  const first: Figure["values"] = {};
  const highest: Figure["values"] = {};
  const rounds: NonNullable<Figure["rounds"]> = {};
  for (const [contender, start] of starts(bench, connections)) {
    bench.progress(`memory: ${contender}`);
    await using child = await start();
    await new Promise((resolve) => setTimeout(resolve, REST));
    idle[contender] = await residentMemory(child.pid);
    const waves = [];
    for (let wave = 1; wave <= WAVES; wave++) {
      bench.progress(`memory: ${contender}, wave ${wave} of ${WAVES}`);
      waves.push(await loadedMemory(child, connections));
    }
    first[contender] = waves[0]!;
    highest[contender] = Math.max(...waves);
    rounds[contender] = waves;
  }
  const what = connections === CONNECTIONS
    ? `${CONNECTIONS.toLocaleString("en")} half-open connections`
    : `only ${connections.toLocaleString("en")} half-open connections: ulimit -Hn is lower`;
  return [
    {
      section: SECTION,
      what: "idle",
      unit: "MB",
      values: idle,
      target: { sense: "at most", value: 80 },
    },
    {
      section: SECTION,
      what,
      unit: "MB",
      values: first,
      target: { sense: "at most", value: 200 },
    },
    {
      section: SECTION,
      what: `the highest of ${WAVES} such waves`,
      unit: "MB",
      values: highest,
      rounds,
      target: { sense: "at most", value: 200 },
    },
  ];
}

function starts(bench: Bench, connections: number): [Contender, () => Promise<Child>][] {
  // With more than half of its limit taken a server sheds load; that is not what is measured.
  const limit = connections * 2 + RESERVE;
  const webroot = `${bench.directory}/webroot`;
  const balancer = { publicPort: PORT, challengePort: CHALLENGE_PORT, peers: [], webroot };
  const all: [Contender, () => Promise<Child>][] = [
    ["acme-lb", () => startAcmeLb(bench, { ...balancer, connections: limit })],
  ];
  if (bench.nginx) {
    all.push(["nginx", () => startNginx(bench, { ...balancer, connections: limit })]);
  }
  if (bench.haproxy) all.push(["HAProxy", () => startHaproxy(bench, { port: PORT, connections })]);
  return all;
}

/** @throws {Error} when the server did not hold all the connections at one time */
async function loadedMemory(server: Child, connections: number): Promise<number> {
  const before = await descriptors(server.pid);
  const generator = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-config", new URL("half_open.ts", import.meta.url).pathname],
      ...[`${PORT}`, `${connections}`],
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  let end = Infinity;
  const opened = readLine(generator.stdout).then((line) => {
    end = performance.now() + WATCH;
    return line;
  });
  let most = 0;
  let memory = 0;
  while (performance.now() < end) {
    const open = await descriptors(server.pid) - before;
    const resident = await residentMemory(server.pid);
    most = Math.max(most, open);
    memory = Math.max(memory, resident);
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
  await generator.stdin.close();
  await generator.status;
  if (most < connections) {
    throw new Error(`the server held ${most} of ${connections} connections (${await opened})`);
  }
  const patience = performance.now() + PATIENCE;
  while (await descriptors(server.pid) > before + RESERVE) {
    if (performance.now() > patience) throw new Error("the server keeps connections that ended");
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
  return memory;
}

async function readLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  return text.trim();
}
