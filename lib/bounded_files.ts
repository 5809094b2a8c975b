/**
 * The file system, with a deadline for every operation.
 *
 * On a network disk whose server is gone, on a FUSE mount without its process, or on a FIFO, an
 * operation may never return. Its thread cannot be freed, and the runtime has only 32 of them, so a
 * path that did not answer is not used again until the pending operation has returned.
 */

import { type Read, readUnbounded } from "./read_input.ts";
import { SILENT_FILE, SilentFileError } from "./silent_file.ts";
import { type Clock, deadline, DeadlineError, orAborted, SYSTEM_CLOCK } from "./time.ts";

export interface FileSystem {
  /** What stands at the end of the links. */
  stat(path: string): Promise<Deno.FileInfo>;
  readLink(path: string): Promise<string>;
  list(directory: string): Promise<Deno.DirEntry[]>;
  /** Never rejects: a file that does not answer is a reason like any other. */
  read(path: string): Promise<Read>;
}

/** The same operations, each with a deadline. */
export type BoundedFiles = FileSystem;

interface BoundedFilesOptions {
  /** For one operation. @default 2000 */
  patienceMs?: number;
  /** When it is aborted, an operation gets {@link HURRY_MS} at most. */
  hurry?: AbortSignal;
  /** Threads that may wait without an end, of the 32 that everything shares. @default 20 */
  maxSilent?: number;
  clock?: Clock;
  /** @default the files of this machine */
  system?: FileSystem;
}

const SYSTEM_FILES: FileSystem = {
  stat: (path) => Deno.stat(path),
  readLink: (path) => Deno.readLink(path),
  list: (directory) => Array.fromAsync(Deno.readDir(directory)),
  read: readUnbounded,
};

/** For one operation when there is no time left; a disk that works needs far less. */
const HURRY_MS = 500;

/** After so many silent files in a row, the directory that holds them counts as silent. */
const MAX_SILENT_BESIDE = 3;

/** Operations with a deadline each, for one check that ends with its process. */
export function boundFiles(options: BoundedFilesOptions = {}): BoundedFiles {
  const { patienceMs = 2000, hurry, maxSilent = 20 } = options;
  const { clock = SYSTEM_CLOCK, system = SYSTEM_FILES } = options;
  /** Paths with an operation that has not returned yet. */
  const silent = new Set<string>();
  /** Silent files in a row, by directory. */
  const silentBeside = new Map<string, number>();

  async function ask<T>(
    path: string,
    question: () => Promise<T>,
    { isFile = false } = {},
  ): Promise<T> {
    const place = silentPlace(path);
    if (place !== undefined) {
      throw new SilentFileError(`was not looked at, because ${place} does not answer`);
    }
    const directory = directoryOf(path);
    const answer = question();
    try {
      const given = await inTime(answer);
      if (isFile) silentBeside.delete(directory);
      return given;
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      silent.add(path);
      // Directories side by side may be different file systems; files side by side are not.
      if (isFile) silentBeside.set(directory, (silentBeside.get(directory) ?? 0) + 1);
      const answered = () => {
        silent.delete(path);
        silentBeside.delete(directory);
      };
      answer.then(answered, answered);
      throw new SilentFileError(SILENT_FILE);
    }
  }

  /** Counts the time in which this process runs: a busy machine is not a disk that does not answer. */
  async function inTime<T>(answer: Promise<T>): Promise<T> {
    const waitMs = hurry?.aborted ? Math.min(HURRY_MS, patienceMs) : patienceMs;
    using limit = deadline(waitMs, { clock, whileRunning: true });
    return await orAborted(answer, limit.signal);
  }

  function silentPlace(path: string): string | undefined {
    if (silent.size >= maxSilent) return `the file system, in ${silent.size} places,`;
    if (silent.size === 0) return undefined;
    for (let place = path;; place = directoryOf(place)) {
      if (silent.has(place) || (silentBeside.get(place) ?? 0) >= MAX_SILENT_BESIDE) return place;
      if (place === directoryOf(place)) return undefined;
    }
  }

  return {
    stat: (path) => ask(path, () => system.stat(path)),
    readLink: (path) => ask(path, () => system.readLink(path)),
    list: (directory) => ask(directory, () => system.list(directory)),
    async read(path) {
      try {
        return await ask(path, () => system.read(path), { isFile: true });
      } catch (error) {
        if (!(error instanceof SilentFileError)) throw error;
        return { reason: error.message, absent: false, cause: error };
      }
    },
  };
}

function directoryOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : ".";
}
