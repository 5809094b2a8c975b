/**
 * Redirects: how many a second, and what processor time each takes.
 *
 * The contenders run side by side and are loaded in turn, round after round, so that a disturbance
 * of the machine meets all of them; the medians count. wrk takes a core for itself and may be the
 * slower party, which is why the processor time tells more than the rate.
 */

import type { Child } from "./child.ts";
import { processorTime } from "./procfs.ts";
import { type Figure, median } from "./report.ts";
import { type Bench, startAcmeLb, startBareLoop, startHaproxy, startNginx } from "./servers.ts";
import { type Load, runWrk } from "./wrk.ts";

const SECTION = "Redirects";
const CONNECTIONS = 50;
const PORTS = {
  "acme-lb": 28080,
  "nginx": 28081,
  "HAProxy": 28082,
  "bare loop": 28083,
};
type Redirector = keyof typeof PORTS;
const CHALLENGE_PORT = 28090;
/** Between two loads, for the sockets of the one to be gone before the other. */
const PAUSE = 500;

type Mode = "new" | "kept";

/** One load of one contender. */
interface Measured extends Load {
  contender: Redirector;
  mode: Mode;
  /** Processor seconds of the contender during the load. */
  processor: number;
}

/** Redirects a second and processor time per redirect, with new and with kept connections. */
export async function measureRedirects(bench: Bench): Promise<Figure[]> {
  const rounds = bench.quick ? 3 : 5;
  const seconds = bench.quick ? 1 : 3;
  await using children = new AsyncDisposableStack();
  const contenders = await startAll(bench, children);
  for (const { contender } of contenders) await checkRedirect(contender);

  const all: Measured[] = [];
  // Round 0 lets the compilers and allocators of all contenders come to rest.
  for (let round = 0; round <= rounds; round++) {
    for (const mode of ["new", "kept"] as const) {
      for (const { contender, child } of contenders) {
        if (mode === "kept" && contender === "bare loop") continue;
        bench.progress(`redirects, round ${round} of ${rounds}: ${contender}, ${mode} connections`);
        const before = await processorTime(child.pid);
        const load = await runWrk(PORTS[contender], {
          seconds: round === 0 ? 2 : seconds,
          connections: CONNECTIONS,
          close: mode === "new",
        });
        const processor = await processorTime(child.pid) - before;
        checkErrors(contender, load);
        if (round > 0) all.push({ ...load, contender, mode, processor });
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  }
  return figures(all);
}

async function startAll(
  bench: Bench,
  children: AsyncDisposableStack,
): Promise<{ contender: Redirector; child: Child }[]> {
  const webroot = `${bench.directory}/webroot`;
  await Deno.mkdir(webroot, { recursive: true });
  const balancer = { challengePort: CHALLENGE_PORT, peers: [], webroot };
  const starts: [Redirector, () => Promise<Child>][] = [
    ["acme-lb", () => startAcmeLb(bench, { ...balancer, publicPort: PORTS["acme-lb"] })],
    ["bare loop", () => startBareLoop(bench, { port: PORTS["bare loop"] })],
  ];
  if (bench.nginx) {
    const publicPort = PORTS.nginx;
    const challengePort = CHALLENGE_PORT + 1;
    starts.push(["nginx", () => startNginx(bench, { ...balancer, publicPort, challengePort })]);
  }
  if (bench.haproxy) {
    starts.push(["HAProxy", () => startHaproxy(bench, { port: PORTS.HAProxy })]);
  }
  const started = [];
  for (const [contender, start] of starts) {
    started.push({ contender, child: children.use(await start()) });
  }
  return started;
}

/** A rate of wrong answers would be worth nothing. */
async function checkRedirect(contender: Redirector): Promise<void> {
  using conn = await Deno.connect({ hostname: "::1", port: PORTS[contender] });
  const request = "GET /status?from=bench HTTP/1.1\r\nHost: service.example\r\n\r\n";
  await conn.write(new TextEncoder().encode(request));
  const buffer = new Uint8Array(1024);
  const text = new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
  const wanted = contender === "bare loop" ? "" : "status\\?from=bench";
  const pattern = `^HTTP/1\\.1 301 [^]*^location: https://service\\.example/${wanted}\r$`;
  if (!new RegExp(pattern, "im").test(text)) {
    throw new Error(`${contender} does not redirect: ${text.slice(0, 300)}`);
  }
}

/** A few connections are cut when the load ends; more than that and the rate is not one of answers. */
function checkErrors(contender: Redirector, { errors, requests }: Load): void {
  if (errors > Math.max(CONNECTIONS, requests / 1000)) {
    throw new Error(`${contender}: ${errors} errors beside ${requests} answers`);
  }
}

function figures(all: Measured[]): Figure[] {
  const rate = ({ requests, duration }: Measured) => requests / duration;
  const cost = ({ requests, processor }: Measured) => processor / requests * 1e6;
  const costNew = collect(all, { mode: "new", by: cost });
  const { "acme-lb": _, ...withoutUs } = costNew.values;
  return [
    {
      section: SECTION,
      what: "new connections",
      unit: "/s",
      ...collect(all, { mode: "new", by: rate }),
      target: { sense: "at least", value: 1, of: "nginx" },
    },
    {
      section: SECTION,
      what: "connections kept",
      unit: "/s",
      ...collect(all, { mode: "kept", by: rate }),
      target: { sense: "at least", value: 0.75, of: "nginx" },
    },
    {
      section: SECTION,
      what: "processor time each, new connections",
      unit: "µs",
      ...costNew,
      target: { sense: "at most", value: 1.25, of: "bare loop" },
    },
    {
      section: SECTION,
      what: "the same: bare loop beside the others",
      unit: "µs",
      values: withoutUs,
      subject: "bare loop",
    },
    {
      section: SECTION,
      what: "processor time each, connections kept",
      unit: "µs",
      ...collect(all, { mode: "kept", by: cost }),
    },
  ];
}

/** The measurements of one mode, by contender, with their medians. */
function collect(
  all: Measured[],
  { mode, by }: { mode: Mode; by: (measured: Measured) => number },
): Required<Pick<Figure, "values" | "rounds">> {
  const ofMode = all.filter((measured) => measured.mode === mode);
  const values: Figure["values"] = {};
  const rounds: NonNullable<Figure["rounds"]> = {};
  for (const [contender, group] of Map.groupBy(ofMode, ({ contender }) => contender)) {
    rounds[contender] = group.map(by);
    values[contender] = median(rounds[contender]);
  }
  return { values, rounds };
}
