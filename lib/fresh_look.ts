/**
 * A slow measurement, made on request, whose result is kept for a time.
 *
 * One measurement at a time, for any number of callers; a caller waits for it, but never longer
 * than its limit, so a disk that hangs delays nobody.
 */

import { type Clock, deadline, orAborted, SYSTEM_CLOCK } from "./time.ts";

interface FreshLookOptions<T> {
  look: () => Promise<T>;
  /** The result until the first measurement has ended. */
  initial: T;
  /** How long the last result is returned without another measurement. */
  freshMs: number;
  /** How long a caller waits for a measurement. */
  patienceMs: number;
  /** Called when a measurement failed; the last result stays. */
  onError: (error: unknown) => void;
  clock?: Clock;
}

/** A function that returns the last result. It never rejects. */
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
