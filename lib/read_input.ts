/** Reads the small files and streams that an operator names, within a limit. */

import { JobError } from "./errors.ts";
import { errnoOf, systemReason } from "./system_reason.ts";

/** Files of certificates are a few KiB; a larger file is not one of them. */
const MAX_FILE_BYTES = 1024 * 1024;

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

/**
 * The content of a regular file, symlinks followed. Never throws.
 *
 * Another user may replace the file by a FIFO, and opening one would wait for a writer forever: so
 * it is opened without blocking, and the descriptor is checked.
 */
export async function tryToRead(path: string): Promise<Read> {
  try {
    const refusal = refusalOf(await Deno.stat(path));
    if (refusal) return refusal;
    const { open, constants } = await import("node:fs/promises");
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const held = await file.stat();
    return refusalOf({ isFile: held.isFile(), size: held.size }) ??
      { bytes: new Uint8Array(await file.readFile()) };
  } catch (cause) {
    return failure(cause);
  }
}

function refusalOf({ isFile, size }: Pick<Deno.FileInfo, "isFile" | "size">): Read | undefined {
  if (!isFile) return { reason: "it is not a regular file", absent: false };
  return size > MAX_FILE_BYTES ? { reason: "it is larger than 1 MiB", absent: false } : undefined;
}

function failure(cause: unknown): Read {
  const absent = cause instanceof Deno.errors.NotFound || errnoOf(cause) === "ENOENT";
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
