/**
 * What `/healthz` says: whether this process serves, for keepalived and monitoring.
 *
 * It fails only for faults that moving a virtual address would cure: a port that is not served, an
 * event loop that is blocked. A fault with which tokens of the other balancers still pass through,
 * such as a webroot that cannot be read, is reported without a failure: moving the address would
 * cost connections and cure nothing.
 */

import { type Clock, SYSTEM_CLOCK } from "../time.ts";

export interface Health {
  /** Each a reason to fail. */
  faults: string[];
  /** Reported, without a failure. */
  notes: string[];
}

/** Checks one thing; must not wait. */
export type HealthCheck = () => Partial<Health>;

export function healthOf(checks: readonly HealthCheck[]): Health {
  const found = checks.map((check) => check());
  // Several ports may have the same thing behind them.
  return {
    faults: [...new Set(found.flatMap(({ faults = [] }) => faults))],
    notes: [...new Set(found.flatMap(({ notes = [] }) => notes))],
  };
}

const LOOK_MS = 250;
const MAX_LAG_MS = 1_000;
/** How long a lag is reported, so that a check every few seconds sees it. */
const REMEMBERED_MS = 5_000;

/** How late timers fire: the time in which nothing was answered. */
export class EventLoopLag implements Disposable {
  #cancel: () => void = () => {};
  #worst = { ms: 0, at: 0 };
  #due = 0;

  constructor(private readonly clock: Clock = SYSTEM_CLOCK) {
    this.#schedule();
  }

  /** The longest of the last seconds, in milliseconds. */
  get worstMs(): number {
    const now = this.clock.monotonic();
    // A timer that is overdue now counts too.
    this.#note(now);
    return this.#worst.ms;
  }

  readonly check: HealthCheck = () => {
    const ms = this.worstMs;
    return ms < MAX_LAG_MS
      ? {}
      : { faults: [`the event loop stood still for ${(ms / 1000).toFixed(1)} s`] };
  };

  [Symbol.dispose](): void {
    this.#cancel();
  }

  #schedule(): void {
    this.#due = this.clock.monotonic() + LOOK_MS;
    this.#cancel = this.clock.schedule(LOOK_MS, () => {
      this.#note(this.clock.monotonic());
      this.#schedule();
    });
  }

  #note(now: number): void {
    const ms = Math.max(0, now - this.#due);
    if (ms >= this.#worst.ms || now - this.#worst.at > REMEMBERED_MS) this.#worst = { ms, at: now };
  }
}
