/**
 * Time: the clock, waiting, deadlines, and spans of time as operators write and read them.
 *
 * No other file makes a timer of its own for waiting: a deadline is an {@link AbortSignal} made
 * here, and every wait takes one. All numbers are milliseconds.
 */

/** What tells the time and wakes a waiter. Tests give one of their own, so that none sleeps. */
export interface Clock {
  /** Milliseconds since the epoch; jumps when the system's clock is set. */
  now(): number;
  /** Milliseconds on a clock that never jumps, for deadlines and measurements. */
  monotonic(): number;
  /** Calls `wake` once after this time; the result cancels it. */
  schedule(ms: number, wake: () => void): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(ms, wake) {
    const timer = setTimeout(wake, ms);
    return () => clearTimeout(timer);
  },
};

/** Why a signal of {@link deadline} is aborted when its time has passed. */
export class DeadlineError extends Error {
  override name = "DeadlineError";
  constructor(public readonly ms: number) {
    super(`not done within ${formatDuration(ms)}`);
  }
}

/**
 * Waits; ends early, without an error, when the signal is aborted.
 * @returns false when it ended early
 */
export function delay(
  ms: number,
  { signal, clock = SYSTEM_CLOCK }: { signal?: AbortSignal; clock?: Clock } = {},
): Promise<boolean> {
  if (signal?.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const done = (whole: boolean) => {
      cancel();
      signal?.removeEventListener("abort", abort);
      resolve(whole);
    };
    const abort = () => done(false);
    const cancel = clock.schedule(ms, () => done(true));
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** An absolute deadline that ends with the scope that made it: `using limit = deadline(2_000)`. */
export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  /** Whether it ended because the time has passed. */
  readonly passed: boolean;
  /** Ends it early, for the given reason. */
  abort(reason?: unknown): void;
}

interface DeadlineOptions {
  /** Ends it early, with its own reason. */
  parent?: AbortSignal;
  clock?: Clock;
  /**
   * Count only time in which this process runs, so that one without processor time does not see a
   * disk, or a peer, that does not answer. Timers then fire late, and count as if they had not.
   * @default false
   */
  whileRunning?: boolean;
}

/** The steps of a wait that counts running time: a pause of the process counts as one step. */
const STEPS = 8;

/**
 * A signal that is aborted with a {@link DeadlineError} after so many milliseconds, or with the
 * parent's reason when the parent is. Unlike that of AbortSignal.timeout its timer can be ended,
 * and unlike AbortSignal.any it leaves no listener behind on a parent that lives for long.
 */
export function deadline(ms: number, options: DeadlineOptions = {}): Deadline {
  const { parent, clock = SYSTEM_CLOCK, whileRunning = false } = options;
  const controller = new AbortController();
  const follow = () => controller.abort(parent!.reason);
  const end = () => {
    cancel();
    parent?.removeEventListener("abort", follow);
  };
  let cancel = () => {};
  const wait = (leftMs: number) => {
    const stepMs = whileRunning ? Math.min(Math.ceil(ms / STEPS), leftMs) : leftMs;
    cancel = clock.schedule(stepMs, () => {
      if (leftMs > stepMs) wait(leftMs - stepMs);
      else controller.abort(new DeadlineError(ms));
    });
  };
  wait(ms);
  if (parent?.aborted) follow();
  else parent?.addEventListener("abort", follow, { once: true });
  return {
    signal: controller.signal,
    get passed() {
      return controller.signal.reason instanceof DeadlineError;
    },
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]: end,
  };
}

/**
 * The result of the work; throws the signal's reason when it is aborted first. The work itself goes
 * on if it does not observe the signal: a read from a file system that does not answer cannot be
 * cancelled.
 */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

const UNITS: Record<string, number> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 };

/**
 * Milliseconds for a number followed by a unit.
 * @throws {SyntaxError} when the text is not a duration
 */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text);
  if (!match) throw new SyntaxError(`expected a duration such as 500ms, 2s, 5m, 48h or 30d`);
  // Multiplied by 1000 first: 2.3 has no exact binary form, and 2.3d would lose a part of a
  // millisecond.
  return Math.round(Number(match[1]) * 1000) * UNITS[match[2]!]! / 1000;
}

/** The shortest exact spelling that {@link parseDuration} reads back. */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    if (ms >= UNITS[unit]! && ms % UNITS[unit]! === 0) return `${ms / UNITS[unit]!}${unit}`;
  }
  return `${ms}ms`;
}

const SPAN_UNITS: [string, number][] = [["d", 86_400], ["h", 3600], ["m", 60], ["s", 1]];

/** The two largest units of a span in milliseconds, rounded down; a zero second one is left out. */
export function formatSpan(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  if (seconds === 0) return "0s";
  const at = SPAN_UNITS.findIndex(([, size]) => seconds >= size);
  const parts = SPAN_UNITS.slice(at, at + 2).map(([unit, size], i) => {
    const whole = i === 0 ? seconds : seconds % SPAN_UNITS[at]![1];
    return { unit, count: Math.floor(whole / size) };
  });
  const told = parts.filter(({ count }, i) => i === 0 || count > 0);
  return told.map(({ unit, count }) => `${count}${unit}`).join(" ");
}

/** What is left until `end`: `11d 4h`, or `2d 3h ago`. */
export function formatRemaining(now: Date, end: Date): string {
  const ms = end.getTime() - now.getTime();
  return ms < 0 ? `${formatSpan(-ms)} ago` : formatSpan(ms);
}

/** `2026-11-25T12:00:00Z`, or undefined for another spelling and for a date that no calendar has. */
export function parseInstant(text: string): Date | undefined {
  const instant = new Date(text);
  // Date takes the 30th of February for the 1st or 2nd of March.
  return !Number.isNaN(instant.getTime()) && isoSeconds(instant) === text ? instant : undefined;
}

/** An instant without its fraction of a second, which no certificate has. */
export function isoSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
