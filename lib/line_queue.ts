/**
 * Lines on their way to a descriptor whose reader may stop reading.
 *
 * A write to a full pipe blocks until somebody reads, and every request would wait with it. So
 * lines wait in a bounded queue, lines that do not fit are refused, and at most one write is in
 * progress: the runtime uses one of its few threads for blocking work for it.
 */

import { deadline, orAborted } from "./time.ts";

/** Characters that may wait. */
const MAX_WAITING = 256 * 1024;
/** Characters of one write. */
const MAX_BATCH = 32 * 1024;

interface LineQueue {
  /** Takes a line with its newline; false when it does not fit, and is lost. */
  push(line: string): boolean;
  /**
   * Waits until everything is written, at most for the given time; false when something was left.
   */
  flush(timeoutMs: number): Promise<boolean>;
}

/** @param write as `Deno.stderr.write`: resolves with the number of bytes taken */
export function createLineQueue(
  write: (bytes: Uint8Array) => Promise<number>,
  { maxWaiting = MAX_WAITING }: { maxWaiting?: number } = {},
): LineQueue {
  const encoder = new TextEncoder();
  let lines: string[] = [];
  /** Characters in `lines`, and in the write that is under way. */
  let waiting = 0;
  let writing: Promise<void> | undefined;

  /** All that waits, up to the size of one write; always at least a line. */
  function takeBatch(): string {
    let size = 0;
    let count = 0;
    do size += lines[count++]!.length; while (
      count < lines.length && size + lines[count]!.length <= MAX_BATCH
    );
    const batch = lines.slice(0, count).join("");
    lines = lines.slice(count);
    return batch;
  }

  async function writeAll(): Promise<void> {
    while (lines.length > 0) {
      const batch = takeBatch();
      try {
        const bytes = encoder.encode(batch);
        for (let sent = 0; sent < bytes.length;) sent += await write(bytes.subarray(sent));
      } catch {
        // A full disk or a closed pipe must not end a server, and it cannot be reported anywhere.
      }
      waiting -= batch.length;
    }
    writing = undefined;
  }

  return {
    push(line) {
      if (waiting + line.length > maxWaiting) return false;
      waiting += line.length;
      lines.push(line);
      writing ??= writeAll();
      return true;
    },
    async flush(timeoutMs) {
      if (!writing) return true;
      using limit = deadline(timeoutMs);
      try {
        await orAborted(writing, limit.signal);
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** The one queue of this process for stderr. */
export const STDERR: LineQueue = createLineQueue((bytes) => Deno.stderr.write(bytes));
