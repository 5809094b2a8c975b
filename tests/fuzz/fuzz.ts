/**
 * `deno task fuzz [TARGET] [SECONDS]`: runs for longer than the tests do, with random seeds. An
 * input that a reader takes wrongly is kept in the corpus, where the tests find it.
 */

import { corpusOf, fuzz, Violation } from "./fuzzer.ts";
import { TARGETS } from "./targets.ts";

const [only, seconds = "60"] = Deno.args;
if (only !== undefined && !Object.hasOwn(TARGETS, only)) {
  say(`there is no target ${only}; expected one of ${Object.keys(TARGETS).join(", ")}`);
  Deno.exit(64);
}

for (const [name, target] of Object.entries(TARGETS)) {
  if (only !== undefined && name !== only) continue;
  const corpus = await corpusOf(name, target);
  const seed = Date.now() % 2 ** 31;
  const end = Date.now() + Number(seconds) * 1_000;
  try {
    const count = await fuzz(target, { corpus, seed, goesOn: () => Date.now() < end });
    say(`${name}: ${count} inputs from seed ${seed}, no violation`);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    const path = new URL(`corpus/${name}/found-${seed}`, import.meta.url).pathname;
    await Deno.writeFile(path, error.input);
    say(`${name}: ${path}: ${error.message}`);
    Deno.exitCode = 1;
  }
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
