/**
 * Something that costs a while to find out, found out when somebody asks, and not again for a time.
 *
 * One look at a time, however many ask; who asks waits for it, but never longer than its patience,
 * so a disk that hangs holds up nobody.
 */

import { type Clock, deadline, orAborted, SYSTEM_CLOCK } from "./time.ts";

export interface FreshLookOptions<T> {
  look: () => Promise<T>;
  /** What is told until the first look has come to its end. */
  initial: T;
  /** For so long the last result is told without another look. */
  freshMs: number;
  /** For so long who asks waits for a look. */
  patienceMs: number;
  /** Told of a look that failed; the last result stays. */
  onError: (error: unknown) => void;
  clock?: Clock;
}

/** A function that tells the last result. It never rejects. */
export function createFreshLook<T>(options: FreshLookOptions<T>): () => Promise<T> {
  const { look, freshMs, patienceMs, onError, clock = SYSTEM_CLOCK } = options;
  let result = options.initial;
  let lookedAt = -Infinity;
  let looking: Promise<void> | undefined;

  async function lookAgain(): Promise<void> {
    try {
      result = await look();
    } catch (error) {
      onError(error);
    }
    lookedAt = clock.monotonic();
    looking = undefined;
  }

  return async () => {
    if (clock.monotonic() - lookedAt > freshMs) looking ??= lookAgain();
    if (looking) {
      using limit = deadline(patienceMs, { clock });
      await orAborted(looking, limit.signal).catch(() => {});
    }
    return result;
  };
}
