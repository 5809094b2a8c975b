/** Runs every parser on its corpus and on a fixed number of mutations of it; `deno task fuzz` runs more. */

import { corpusOf, fuzz, tryInput } from "./fuzzer.ts";
import { randomNumbers } from "../random_numbers.ts";
import { TARGETS } from "./targets.ts";

/** Each costs a file, or a key that the runtime checks. */
const FEWER: Record<string, number> = { token_file: 500, key: 500 };
const INPUTS = 3_000;
const SEED = 20_261_125;

for (const [name, target] of Object.entries(TARGETS)) {
  Deno.test(`fuzzing finds no input that ${name} takes wrongly`, async () => {
    const corpus = await corpusOf(name, target);
    for (const input of corpus) await tryInput(target, input, randomNumbers(SEED));
    const inputs = FEWER[name] ?? INPUTS;
    await fuzz(target, { corpus, seed: SEED, goesOn: (count) => count < inputs });
  });
}
