/**
 * OpenConnections for many connections with one timer.
 *
 * A timer per connection would be a good part of the cost of a redirect; all deadlines here are
 * seconds long, so one sweep every {@link SWEEP} milliseconds is exact enough. The sweep runs
 * only while something waits, on the monotonic clock.
 */

const SWEEP = 100;

export interface Waiting {
  /** On the clock of performance.now(). */
  deadline: number;
  /** Called once, when the deadline has passed; must not throw. */
  expire(): void;
}

export class OpenConnections<T extends Waiting> {
  #waiting = new Set<T>();
  #timer: ReturnType<typeof setInterval> | undefined;

  get size(): number {
    return this.#waiting.size;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#waiting.values();
  }

  add(waiting: T): void {
    this.#waiting.add(waiting);
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP);
  }

  delete(waiting: T): void {
    this.#waiting.delete(waiting);
  }

  /** Ends the timer; what still waits is forgotten. */
  stop(): void {
    this.#waiting.clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #sweep(): void {
    const now = performance.now();
    for (const waiting of this.#waiting) {
      if (waiting.deadline <= now) waiting.expire();
    }
    if (this.#waiting.size === 0) this.stop();
  }
}
