/**
 * The measuring half of the bench: run by run.ts in a network and process namespace of its own
 * where that is possible, prints its figures as JSON on standard output.
 *
 * Usage: `deno run -A bench/measure.ts '{"sections": [...], ...}'`; see {@link Order}.
 */

import { measureAnswers } from "./answer_time.ts";
import { measureAttack } from "./attack.ts";
import { raiseLoopback } from "./cable.ts";
import { measureStatus } from "./fleet_status.ts";
import { measureExpiry } from "./expiry.ts";
import { measureHooks } from "./hooks.ts";
import { measureMemory } from "./memory.ts";
import { measureRedirects } from "./redirect_rate.ts";
import type { Figure } from "./report.ts";
import type { Bench } from "./servers.ts";
import { measureSoak } from "./soak.ts";
import { measureStart } from "./start_time.ts";
import { measureStartup } from "./startup.ts";
import { measureSwaps } from "./swap.ts";

/** What run.ts wants measured. */
export interface Order extends Omit<Bench, "progress" | "part"> {
  sections: Section[];
  /** Whether somebody is watching. */
  terminal: boolean;
}

/** What it gets: a section, or a part of one, that could not be measured is named with the reason. */
export interface Measured {
  figures: Figure[];
  failures: string[];
}

export type Section = keyof typeof SECTIONS;

export const SECTIONS = {
  answer: measureAnswers,
  redirect: measureRedirects,
  memory: measureMemory,
  start: measureStart,
  startup: measureStartup,
  swap: measureSwaps,
  expiry: measureExpiry,
  hooks: measureHooks,
  attack: measureAttack,
  status: measureStatus,
  soak: measureSoak,
};

const encoder = new TextEncoder();

async function measure(order: Order): Promise<Measured> {
  const failures: string[] = [];
  const bench: Bench = {
    ...order,
    progress(text) {
      if (order.terminal) Deno.stderr.writeSync(encoder.encode(`\r\x1b[K${text}`));
    },
    async part(what, measure) {
      try {
        return await measure();
      } catch (error) {
        failures.push(`${what}: ${error instanceof Error ? error.message : error}`);
        return [];
      }
    },
  };
  if (order.apart) await raiseLoopback();
  const figures: Figure[] = [];
  for (const section of order.sections) {
    figures.push(...await bench.part(section, () => SECTIONS[section](bench)));
  }
  bench.progress("");
  return { figures, failures };
}

if (import.meta.main) {
  const measured = await measure(JSON.parse(Deno.args[0] ?? ""));
  await new Blob([JSON.stringify(measured)]).stream().pipeTo(Deno.stdout.writable);
}
