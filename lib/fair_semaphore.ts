/**
 * A bounded number of things at once, with a queue that is fair between those who wait.
 *
 * The limit is asked anew each time, so it may change; one key may hold at most its share, so
 * that one source cannot keep all others waiting.
 */

export interface FairSemaphoreOptions {
  /** How many may be held at once. */
  limit: () => number;
  /** How many of them one key may hold. @default the limit */
  share?: () => number;
  /** How many may wait. @default no bound */
  queue?: number;
}

interface Waiter {
  key: string;
  grant(granted: boolean): void;
}

export class FairSemaphore {
  #held = new Map<string, number>();
  #total = 0;
  #waiting = new Set<Waiter>();

  constructor(private readonly options: FairSemaphoreOptions) {}

  get held(): number {
    return this.#total;
  }

  /**
   * Waits for a slot until the signal is aborted; false when none came or the queue is full.
   * After true, {@link release} must follow.
   */
  async acquire(key: string, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#free(key)) {
      this.#take(key);
      return true;
    }
    if (this.#waiting.size >= (this.options.queue ?? Infinity)) return false;
    return await new Promise((resolve) => {
      const abort = () => waiter.grant(false);
      const waiter: Waiter = {
        key,
        grant: (granted) => {
          this.#waiting.delete(waiter);
          signal.removeEventListener("abort", abort);
          resolve(granted);
        },
      };
      this.#waiting.add(waiter);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** Gives a slot back and serves those who wait, the oldest first. */
  release(key: string): void {
    const held = (this.#held.get(key) ?? 0) - 1;
    if (held > 0) this.#held.set(key, held);
    else this.#held.delete(key);
    this.#total--;
    for (const waiter of this.#waiting) {
      if (this.#total >= this.options.limit()) return;
      if (!this.#free(waiter.key)) continue;
      this.#take(waiter.key);
      waiter.grant(true);
    }
  }

  #free(key: string): boolean {
    const limit = this.options.limit();
    return this.#total < limit && (this.#held.get(key) ?? 0) < (this.options.share?.() ?? limit);
  }

  #take(key: string): void {
    this.#total++;
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
  }
}
