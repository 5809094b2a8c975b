/**
 * `deno task chaos [SEEDS] [FIRST]`: plays so many seeds (50), from the first (1) on. A failure names
 * its seed, with which it is played again: `deno task chaos 1 SEED`.
 */

import { playChaos } from "./chaos.ts";

const [seeds = 50, first = 1] = Deno.args.map(Number);
let failed = 0;
for (let seed = first; seed < first + seeds; seed++) {
  try {
    await playChaos(seed);
    say(`seed ${seed}: no violation`);
  } catch (error) {
    failed++;
    say(String(error));
  }
}
say(`${seeds - failed} of ${seeds} seeds without a violation`);
Deno.exit(failed > 0 ? 1 : 0);

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
