/** A clock that stands still until a test moves it, so that no test sleeps through a deadline. */

import type { Clock } from "../lib/time.ts";

export class ManualClock implements Clock {
  #ms = 1_000_000;
  #waiting = new Set<{ at: number; wake: () => void }>();
  /** Works of {@link run} that are not done. */
  #running = 0;

  now(): number {
    return this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  schedule(ms: number, wake: () => void): () => void {
    const waiter = { at: this.#ms + ms, wake };
    this.#waiting.add(waiter);
    return () => void this.#waiting.delete(waiter);
  }

  /**
   * What comes of the work, while time passes as if it cost none: whenever nothing else is left to do, the
   * clock jumps to the next waiter. For work without I/O.
   */
  async run<T>(work: Promise<T>): Promise<T> {
    if (this.#running++ === 0) void this.#jump();
    try {
      return await work;
    } finally {
      this.#running--;
    }
  }

  async #jump(): Promise<void> {
    while (true) {
      // A turn of the event loop comes after all that promises have started.
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (this.#running === 0) return;
      const next = this.#waiting.values().reduce<number>(
        (least, { at }) => Math.min(least, at),
        Infinity,
      );
      if (next < Infinity) this.advance(Math.max(0, next - this.#ms));
    }
  }

  /** Moves the time forward and wakes each waiter at its time, also those that begin to wait during the call. */
  advance(ms: number): void {
    const end = this.#ms + ms;
    while (true) {
      const next = [...this.#waiting].sort((a, b) => a.at - b.at)[0];
      if (!next || next.at > end) break;
      this.#ms = Math.max(this.#ms, next.at);
      this.#waiting.delete(next);
      next.wake();
    }
    this.#ms = end;
  }
}
