/** A clock that stands still until a test moves it, so that no test sleeps through a deadline. */

import type { Clock } from "../lib/time.ts";

export class ManualClock implements Clock {
  #ms = 1_000_000;
  #waiting = new Set<{ at: number; wake: () => void }>();

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

  /** Lets time pass, waking each waiter at its time, those that come to wait meanwhile too. */
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
