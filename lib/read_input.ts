/** Reads the small files and streams that an operator names, within a limit. */

import { JobError, messageOf } from "./errors.ts";
import { errnoOf, systemReason } from "./system_reason.ts";
import { orSilent, SILENT_FILE } from "./silent_file.ts";

/** Files of certificates are a few KiB; a larger file is not one of them. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * The content of a regular file, symlinks followed.
 * @throws {JobError} naming the file and the reason
 */
export async function readInputFile(path: string): Promise<Uint8Array> {
  return (await readWithMode(path)).bytes;
}

/** The same with the permission bits of the very file that was read. @throws {JobError} */
export async function readWithMode(path: string): Promise<{ bytes: Uint8Array; mode: number }> {
  const read = await readOrAbsent(path);
  if (read) return { mode: 0, ...read };
  throw new JobError(`cannot read ${path}: there is no such file`);
}

/** As {@link readInputFile}, but undefined when there is no such file. @throws {JobError} */
export async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  return (await readOrAbsent(path))?.bytes;
}

async function readOrAbsent(path: string): Promise<Content | undefined> {
  const read = await tryToRead(path);
  if ("bytes" in read) return read;
  if (read.absent) return undefined;
  throw new JobError(`cannot read ${path}: ${read.reason}`, { cause: read.cause });
}

interface Content {
  bytes: Uint8Array;
  /** Permission bits. */
  mode?: number;
}

/** A file's content, or why there is none. */
export type Read = Content | { reason: string; absent: boolean; cause?: unknown };

/** Paths that did not answer and still do not: a second wait would be in vain. */
const silent = new Set<string>();

/** The content of a regular file, symlinks followed, within ten seconds. Never throws. */
export async function tryToRead(path: string): Promise<Read> {
  if (silent.has(path)) return { reason: SILENT_FILE, absent: false };
  const read = readUnbounded(path);
  try {
    return await orSilent(read);
  } catch (cause) {
    silent.add(path);
    void read.then(() => silent.delete(path));
    return { reason: messageOf(cause), absent: false, cause };
  }
}

/**
 * The same for callers with a deadline of their own.
 *
 * Another user may exchange the file for a FIFO, whose opening would wait for a writer: it is opened
 * without blocking, which only node:fs can do, and what was opened is looked at again.
 */
export async function readUnbounded(path: string): Promise<Read> {
  try {
    return refusalOf(await Deno.stat(path)) ?? await readOpened(path);
  } catch (cause) {
    return failure(cause);
  }
}

async function readOpened(path: string): Promise<Read> {
  const { open, constants } = await import("node:fs/promises");
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const held = await file.stat();
  const refusal = refusalOf({ isFile: held.isFile(), size: held.size });
  if (refusal) return refusal;
  const mode = held.mode & 0o7777;
  // Files of /proc say that they are empty.
  if (held.size === 0) return { bytes: new Uint8Array(await file.readFile()), mode };
  const bytes = new Uint8Array(held.size);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return { bytes: bytes.subarray(0, length), mode };
}

const TOO_LARGE: Read = { reason: "it is larger than 1 MiB", absent: false };

function refusalOf({ isFile, size }: Pick<Deno.FileInfo, "isFile" | "size">): Read | undefined {
  if (!isFile) return { reason: "it is not a regular file", absent: false };
  return size > MAX_FILE_BYTES ? TOO_LARGE : undefined;
}

function failure(cause: unknown): Read {
  return { reason: systemReason(cause), absent: errnoOf(cause) === "ENOENT", cause };
}

/**
 * All of standard input as text.
 * @throws {JobError} when it is longer than `limit` bytes, or cannot be read
 */
export async function readStandardInput(limit: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  try {
    for await (const chunk of Deno.stdin.readable) {
      size += chunk.length;
      if (size > limit) throw new JobError(`standard input is longer than ${limit} bytes`);
      text += decoder.decode(chunk, { stream: true });
    }
  } catch (error) {
    if (error instanceof JobError) throw error;
    throw new JobError(`cannot read standard input: ${systemReason(error)}`, { cause: error });
  }
  return text + decoder.decode();
}
