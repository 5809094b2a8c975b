/**
 * A generator that gives the same numbers for the same seed, so that what a test did by chance can
 * be done again: the whole number that it returns is below the one that it is asked for.
 */
export type RandomNumbers = (below: number) => number;

export function randomNumbers(seed: number): RandomNumbers {
  let state = seed;
  return (below) => {
    // Mulberry32.
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** One of several. */
export function oneOf<T>(choices: readonly T[], random: RandomNumbers): T {
  return choices[random(choices.length)]!;
}
