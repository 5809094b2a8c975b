/** Reads the small files and streams that an operator names, within a limit. */

import { JobError } from "./errors.ts";
import { systemReason } from "./system_reason.ts";

/** Files of certificates are a few KiB; more than this is not one of them. */
const MAX_FILE = 1024 * 1024;

/**
 * The content of a regular file, symlinks followed.
 * @throws {JobError} naming the file and the reason
 */
export async function readInputFile(path: string): Promise<Uint8Array> {
  const bytes = await readIfPresent(path);
  if (bytes) return bytes;
  throw new JobError(`cannot read ${path}: there is no such file`);
}

/** As {@link readInputFile}, but undefined when there is no such file. @throws {JobError} */
export async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  const read = await tryToRead(path);
  if ("bytes" in read) return read.bytes;
  if (read.absent) return undefined;
  throw new JobError(`cannot read ${path}: ${read.reason}`, { cause: read.cause });
}

/** A file's content, or why there is none. */
export type Read = { bytes: Uint8Array } | { reason: string; absent: boolean; cause?: unknown };

/** The content of a regular file, symlinks followed. Never throws. */
export async function tryToRead(path: string): Promise<Read> {
  try {
    // Asked first: opening a FIFO waits for a writer, for ever.
    return refusalOf(await Deno.stat(path)) ?? { bytes: await Deno.readFile(path) };
  } catch (cause) {
    return failure(cause);
  }
}

/**
 * The same while everything else waits, in a third of the time: for commands that read thousands
 * of files, not for servers.
 */
export function tryToReadNow(path: string): Read {
  try {
    return refusalOf(Deno.statSync(path)) ?? { bytes: Deno.readFileSync(path) };
  } catch (cause) {
    return failure(cause);
  }
}

function refusalOf({ isFile, size }: Deno.FileInfo): Read | undefined {
  if (!isFile) return { reason: "it is not a regular file", absent: false };
  return size > MAX_FILE ? { reason: "it is larger than 1 MiB", absent: false } : undefined;
}

function failure(cause: unknown): Read {
  const absent = cause instanceof Deno.errors.NotFound;
  return { reason: systemReason(cause), absent, cause };
}

/** All of standard input as text. @throws {JobError} when it is longer than `limit` bytes */
export async function readStandardInput(limit: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const chunk of Deno.stdin.readable) {
    size += chunk.length;
    if (size > limit) throw new JobError(`standard input is longer than ${limit} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
