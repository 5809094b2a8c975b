/**
 * Work on files whose file system may not answer: a network disk without its server, a FUSE mount
 * without its process. Such a call cannot be cancelled; what waits for it can give up.
 */

import { deadline, orAborted } from "./time.ts";

/** Milliseconds until a file counts as silent; a living disk needs far less. */
const PATIENCE_MS = 10_000;

/** What is said of a file that gives no answer. */
export const SILENT_FILE =
  "does not answer: its disk or network file system may be dead, or it is a pipe";

/** An operation that did not return in time, or was not begun because another there has not. */
export class SilentFileError extends Error {
  override name = "SilentFileError";
}

/**
 * The result of the work, which goes on when nobody waits for it any more. Only time in which this
 * process runs counts.
 * @throws {SilentFileError} when there is none in time
 */
export async function orSilent<T>(work: Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  using limit = deadline(patienceMs, { whileRunning: true });
  try {
    return await orAborted(work, limit.signal);
  } catch (error) {
    if (limit.passed) throw new SilentFileError(SILENT_FILE, { cause: error });
    throw error;
  }
}
