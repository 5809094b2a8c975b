/**
 * A bounded number of things at once, with a queue that is fair between those who wait.
 *
 * Keys (such as sources of requests) take turns, so a key with many requests delays only itself.
 * The limit is asked anew each time, so it may change; one key may hold at most its share, and the
 * queue is bounded in all and for each key.
 */

interface FairSemaphoreOptions {
  /** How many may be held at once. */
  limit: () => number;
  /** How many of them one key may hold. @default the limit */
  share?: () => number;
  /** How many may wait in all, and of one key. @default no bound */
  queue?: number;
  queueOfKey?: number;
}

interface Waiter {
  key: string;
  grant(granted: boolean): void;
}

export class FairSemaphore {
  #held = new Map<string, number>();
  #total = 0;
  /** The waiting requests by key; the keys in the order of their turns. */
  #queues = new Map<string, Set<Waiter>>();
  #waiting = 0;

  constructor(private readonly options: FairSemaphoreOptions) {}

  get held(): number {
    return this.#total;
  }

  /** Takes a slot if one is free now. After true, {@link release} must follow. */
  tryAcquire(key: string): boolean {
    if (!this.#free(key)) return false;
    this.#total++;
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    return true;
  }

  /**
   * Waits for a slot until the signal is aborted; false when none came or there is no room in the
   * queue. After true, {@link release} must follow.
   */
  async acquire(key: string, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.tryAcquire(key)) return true;
    if (!this.#makeRoom(key)) return false;
    return await new Promise((resolve) => {
      const abort = () => waiter.grant(false);
      const waiter: Waiter = {
        key,
        grant: (granted) => {
          this.#leaveQueue(waiter);
          signal.removeEventListener("abort", abort);
          resolve(granted);
        },
      };
      const queue = this.#queues.get(key) ?? new Set();
      this.#queues.set(key, queue.add(waiter));
      this.#waiting++;
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  /** Gives a slot back and serves those who wait: the keys in turn, of each the oldest first. */
  release(key: string): void {
    const held = (this.#held.get(key) ?? 0) - 1;
    if (held > 0) this.#held.set(key, held);
    else this.#held.delete(key);
    this.#total--;
    this.serve();
  }

  /** Serves those who wait; to be called when the limit has grown. */
  serve(): void {
    for (const [key, queue] of this.#queues) {
      if (this.#total >= this.options.limit()) return;
      if (!this.tryAcquire(key)) continue;
      // Its next turn comes after those of all other keys.
      this.#queues.delete(key);
      this.#queues.set(key, queue);
      const [oldest] = queue;
      oldest!.grant(true);
    }
  }

  #free(key: string): boolean {
    const limit = this.options.limit();
    return this.#total < limit && (this.#held.get(key) ?? 0) < (this.options.share?.() ?? limit);
  }

  /** Where the queue is full, the newest of the key that waits most makes room for others. */
  #makeRoom(key: string): boolean {
    const { queue = Infinity, queueOfKey = Infinity } = this.options;
    const own = this.#queues.get(key)?.size ?? 0;
    if (own >= queueOfKey) return false;
    if (this.#waiting < queue) return true;
    let longest: Set<Waiter> | undefined;
    for (const one of this.#queues.values()) {
      if (one.size > (longest?.size ?? own + 1)) longest = one;
    }
    if (!longest) return false;
    [...longest].at(-1)!.grant(false);
    return true;
  }

  #leaveQueue(waiter: Waiter): void {
    const queue = this.#queues.get(waiter.key)!;
    queue.delete(waiter);
    if (queue.size === 0) this.#queues.delete(waiter.key);
    this.#waiting--;
  }
}
