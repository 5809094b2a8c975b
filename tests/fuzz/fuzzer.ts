/** Inputs made from a corpus by chance, the same for the same seed, and the search for a violation. */

import { oneOf, type RandomNumbers, randomNumbers } from "../random_numbers.ts";
import type { Target } from "./targets.ts";

const CORPUS = new URL("corpus/", import.meta.url).pathname;
const MAX_INPUT = 20_000;

/** An input for which the target threw. */
export class Violation extends Error {
  override name = "Violation";

  constructor(readonly input: Uint8Array, options: { cause: unknown }) {
    super(`${options.cause}\ninput: ${JSON.stringify(shown(input))}`, options);
  }
}

function shown(input: Uint8Array): string {
  return Array.from(input.subarray(0, 2_000), (byte) => String.fromCharCode(byte)).join("");
}

/** The files of a target's corpus, and the seeds that it makes itself. */
export async function corpusOf(name: string, target: Target): Promise<Uint8Array[]> {
  const files = await Array.fromAsync(Deno.readDir(CORPUS + name), (entry) => entry.name);
  const kept = await Promise.all(
    files.sort().map((file) => Deno.readFile(`${CORPUS}${name}/${file}`)),
  );
  return [...kept, ...await target.seeds?.() ?? []];
}

/** Runs the target on one input. @throws {Violation} */
export async function tryInput(
  target: Target,
  input: Uint8Array,
  random: RandomNumbers,
): Promise<void> {
  try {
    await target.run(input, random);
  } catch (cause) {
    throw new Violation(input, { cause });
  }
}

/**
 * Runs the target on inputs until `goesOn` says no; how many there were.
 * @throws {Violation} with the shortest input that was found by leaving parts out
 */
export async function fuzz(
  target: Target,
  { corpus, seed, goesOn }: {
    corpus: Uint8Array[];
    seed: number;
    goesOn: (count: number) => boolean;
  },
): Promise<number> {
  const random = randomNumbers(seed);
  let count = 0;
  for (; goesOn(count); count++) {
    const input = mutate(oneOf(corpus, random), { corpus, words: target.words, random });
    try {
      await tryInput(target, input, random);
    } catch (error) {
      throw await shortened(target, error as Violation);
    }
  }
  return count;
}

interface Material {
  corpus: Uint8Array[];
  words: string[];
  random: RandomNumbers;
}

/** One to four changes: bytes, words, pieces taken out, doubled, or from elsewhere in the corpus. */
export function mutate(original: Uint8Array, { corpus, words, random }: Material): Uint8Array {
  let bytes = [...original];
  for (let times = 1 + random(4); times > 0; times--) {
    const at = random(bytes.length + 1);
    const piece = bytes.slice(at, at + 1 + random(40));
    switch (random(9)) {
      case 0:
      case 1:
        bytes[Math.min(at, bytes.length)] = random(256);
        break;
      case 2:
        bytes.splice(at, 0, random(256));
        break;
      case 3:
        bytes.splice(at, piece.length);
        break;
      case 4:
        bytes.splice(at, 0, ...piece);
        break;
      case 5:
        bytes = bytes.slice(0, at);
        break;
      case 6: {
        const other = oneOf(corpus, random);
        bytes = [...bytes.slice(0, at), ...other.subarray(random(other.length + 1))];
        break;
      }
      default:
        bytes.splice(at, random(3), ...Array.from(oneOf(words, random), (c) => c.charCodeAt(0)));
    }
  }
  return Uint8Array.from(bytes.slice(0, MAX_INPUT));
}

/** Without the parts that do not matter. */
async function shortened(target: Target, violation: Violation): Promise<Violation> {
  let shortest = violation;
  for (let size = Math.ceil(violation.input.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < shortest.input.length;) {
      const { input } = shortest;
      const without = Uint8Array.from([...input.subarray(0, at), ...input.subarray(at + size)]);
      try {
        await tryInput(target, without, randomNumbers(1));
        at += size;
      } catch (error) {
        shortest = error as Violation;
      }
    }
  }
  return shortest;
}
