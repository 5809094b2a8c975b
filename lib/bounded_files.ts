/**
 * The file system, with a deadline for every question.
 *
 * A file on a dead network disk, a FUSE mount whose server is gone, a FIFO in the place of a file:
 * whoever asks waits for ever. The thread that waits cannot be freed, and the runtime has only 32
 * of them, so a place that has been silent is not asked again before it has answered after all.
 */

import { type Read, readUnbounded, SILENT_FILE } from "./read_input.ts";
import { type Clock, deadline, DeadlineError, orAborted, SYSTEM_CLOCK } from "./time.ts";

export interface BoundedFiles {
  /** What stands at the end of the links. */
  stat(path: string): Promise<Deno.FileInfo>;
  readLink(path: string): Promise<string>;
  list(directory: string): Promise<Deno.DirEntry[]>;
  /** Never rejects: silence is a reason like any other. */
  read(path: string): Promise<Read>;
}

/** A question that was not answered, or not asked because others were not answered there. */
export class SilentFileError extends Error {
  override name = "SilentFileError";
}

export interface BoundedFilesOptions {
  /** Milliseconds for one answer. @default 2000 */
  patienceMs?: number;
  /** Once it is aborted, an answer has {@link HURRY_MS} at most. */
  hurry?: AbortSignal;
  /** Threads that may be lost to silence, of the 32 that everything shares. @default 20 */
  maxSilent?: number;
  clock?: Clock;
  /** What is asked. @default the system's files */
  system?: FileSystem;
}

/** What is asked without any bound. */
export interface FileSystem {
  stat(path: string): Promise<Deno.FileInfo>;
  readLink(path: string): Promise<string>;
  list(directory: string): Promise<Deno.DirEntry[]>;
  read(path: string): Promise<Read>;
}

const SYSTEM_FILES: FileSystem = {
  stat: (path) => Deno.stat(path),
  readLink: (path) => Deno.readLink(path),
  list: (directory) => Array.fromAsync(Deno.readDir(directory)),
  read: readUnbounded,
};

/** Milliseconds for an answer when there is no time left: a living disk needs far less. */
export const HURRY_MS = 500;

/** Silent files after which their directory counts as dead, when none in it answers meanwhile. */
const MAX_SILENT_BESIDE = 3;

/** How often a question gets the time again that this process itself did not run. */
const MAX_STALLS = 5;

/** Questions with a deadline each, by one check that ends with its process. */
export function boundFiles(options: BoundedFilesOptions = {}): BoundedFiles {
  const { patienceMs = 2000, hurry, maxSilent = 20 } = options;
  const { clock = SYSTEM_CLOCK, system = SYSTEM_FILES } = options;
  /** Paths that were asked and have not answered yet. */
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
      // Mount points lie side by side without being one file system; files do not.
      if (isFile) silentBeside.set(directory, (silentBeside.get(directory) ?? 0) + 1);
      const answered = () => {
        silent.delete(path);
        silentBeside.delete(directory);
      };
      answer.then(answered, answered);
      throw new SilentFileError(SILENT_FILE);
    }
  }

  /** A busy machine is no dead disk: time in which this process did not run does not count. */
  async function inTime<T>(answer: Promise<T>): Promise<T> {
    for (let stalls = 0;; stalls++) {
      const waitMs = hurry?.aborted ? Math.min(HURRY_MS, patienceMs) : patienceMs;
      const begun = clock.monotonic();
      using limit = deadline(waitMs, { clock });
      try {
        return await orAborted(answer, limit.signal);
      } catch (error) {
        const stalled = clock.monotonic() - begun > waitMs * 1.2;
        if (!limit.passed || !stalled || stalls === MAX_STALLS) throw error;
      }
    }
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
