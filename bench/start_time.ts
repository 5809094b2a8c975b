/** From the start of the process to the first connection it takes: the median of several starts. */

import type { Child } from "./child.ts";
import { type Contender, type Figure, median } from "./report.ts";
import { type Bench, startAcmeLb, startHaproxy, startNginx } from "./servers.ts";

const PORT = 28080;
const CHALLENGE_PORT = 28090;

/** Milliseconds to listening of each contender. */
export async function measureStart(bench: Bench): Promise<Figure[]> {
  const webroot = `${bench.directory}/webroot`;
  const balancer = { publicPort: PORT, challengePort: CHALLENGE_PORT, peers: [], webroot };
  const starts: [Contender, () => Promise<Child>][] = [
    ["acme-lb", () => startAcmeLb(bench, balancer)],
  ];
  if (bench.nginx) starts.push(["nginx", () => startNginx(bench, balancer)]);
  if (bench.haproxy) starts.push(["HAProxy", () => startHaproxy(bench, { port: PORT })]);

  const values: Figure["values"] = {};
  const rounds: NonNullable<Figure["rounds"]> = {};
  const count = bench.quick ? 3 : 9;
  // The first start of each reads the program from the disk and is not counted.
  for (let round = 0; round <= count; round++) {
    for (const [contender, start] of starts) {
      bench.progress(`start to listening, round ${round} of ${count}: ${contender}`);
      const child = await start();
      await child.stop();
      if (round > 0) (rounds[contender] ??= []).push(child.startTime);
    }
  }
  for (const [contender] of starts) values[contender] = median(rounds[contender] ?? []);
  const target = { sense: "at most" as const, value: 300 };
  return [{ section: "Start", what: "start to listening", unit: "ms", values, rounds, target }];
}
