/**
 * Deadlines of many connections with one timer.
 *
 * A timer for each connection would be a large part of the cost of a redirect; all deadlines here
 * are seconds long, so one sweep every {@link SWEEP_MS} is exact enough. The sweep runs only while
 * connections are open.
 */

import type { Clock } from "../time.ts";

const SWEEP_MS = 100;

export interface Waiting {
  /** Milliseconds on the monotonic clock. */
  deadline: number;
  /** Called when the deadline has passed; must not throw. */
  expire(): void;
}

export class OpenConnections<T extends Waiting> {
  #open = new Set<T>();
  #cancel: (() => void) | undefined;

  constructor(private readonly clock: Clock) {}

  get size(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#open.values();
  }

  add(connection: T): void {
    this.#open.add(connection);
    this.#cancel ??= this.clock.schedule(SWEEP_MS, () => this.#sweep());
  }

  delete(connection: T): void {
    this.#open.delete(connection);
  }

  /** Stops the timer; connections that are still open are dropped from the list. */
  stop(): void {
    this.#open.clear();
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #sweep(): void {
    const now = this.clock.monotonic();
    for (const connection of this.#open) {
      if (connection.deadline <= now) connection.expire();
    }
    this.#cancel = this.#open.size === 0
      ? undefined
      : this.clock.schedule(SWEEP_MS, () => this.#sweep());
  }
}
