/**
 * A line on a terminal while work takes longer than a second; without a terminal nothing, so that
 * hooks and units print nothing.
 */

interface ProgressOptions {
  /** @default whether stderr is one */
  terminal?: boolean;
  /** @default stderr */
  write?: (text: string) => void;
  /** Milliseconds of silence, and between the seconds that are counted. @default 1000 */
  everyMs?: number;
}

/** Waits for `work`; meanwhile `what` stands on the terminal with the seconds that it has taken. */
export async function whileShowing<T>(
  what: string,
  work: Promise<T>,
  options: ProgressOptions = {},
): Promise<T> {
  const { terminal = Deno.stderr.isTerminal(), write = writeToStderr, everyMs = 1000 } = options;
  if (!terminal) return await work;
  let ticks = 0;
  const timer = setInterval(() => write(`\r${what} … ${++ticks} s\x1b[K`), everyMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (ticks > 0) write("\r\x1b[K");
  }
}

function writeToStderr(text: string): void {
  try {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  } catch {
    // The terminal is gone, but the work goes on.
  }
}
