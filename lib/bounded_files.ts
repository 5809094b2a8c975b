/**
 * The file system, with a deadline for every question.
 *
 * A file on a dead network disk, a FUSE mount whose server is gone, a FIFO in the place of a file:
 * whoever asks waits for ever. The thread that waits cannot be freed, and the runtime has only 32
 * of them, so a place that has been silent is not asked again before it has answered after all.
 */

import { type Read, tryToRead } from "./read_input.ts";
import { type Clock, type Deadline, deadline, orAborted, SYSTEM_CLOCK } from "./time.ts";

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
  read: tryToRead,
};

/** Milliseconds for an answer when there is no time left: a living disk needs far less. */
export const HURRY_MS = 100;

/** Silent files after which their directory counts as dead. */
const MAX_SILENT_BESIDE = 3;

/** Questions with a deadline each, by one check that ends with its process. */
export function boundFiles(options: BoundedFilesOptions = {}): BoundedFiles {
  const { patienceMs = 2000, hurry, maxSilent = 20 } = options;
  const { clock = SYSTEM_CLOCK, system = SYSTEM_FILES } = options;
  const silent = new Map<string, number>();
  let lost = 0;

  async function ask<T>(
    path: string,
    question: () => Promise<T>,
    { isFile = false } = {},
  ): Promise<T> {
    const place = silentPlace(path);
    if (place !== undefined) {
      throw new SilentFileError(`was not looked at, because ${place} does not answer`);
    }
    using limit = patience();
    const answer = question();
    try {
      return await orAborted(answer, limit.signal);
    } catch (error) {
      if (!limit.signal.aborted) throw error;
      // Mount points lie side by side without being one file system; files do not.
      const places = isFile ? [path, directoryOf(path)] : [path];
      mark(places, 1);
      const unmark = () => mark(places, -1);
      answer.then(unmark, unmark);
      throw new SilentFileError(
        "does not answer: its disk or network file system may be dead, or it is a pipe",
      );
    }
  }

  /** The first place is silent itself, the second is what it lies in. */
  function mark([path, beside]: string[], sign: 1 | -1): void {
    lost += sign;
    const add = (place: string, number: number) =>
      silent.set(place, (silent.get(place) ?? 0) + sign * number);
    add(path!, MAX_SILENT_BESIDE);
    if (beside !== undefined) add(beside, 1);
  }

  function patience(): Deadline {
    if (hurry?.aborted) return deadline(Math.min(HURRY_MS, patienceMs), { clock });
    return deadline(patienceMs, { clock });
  }

  function silentPlace(path: string): string | undefined {
    if (lost >= maxSilent) return `the file system, in ${lost} places,`;
    if (lost === 0) return undefined;
    for (let place = path;; place = directoryOf(place)) {
      if ((silent.get(place) ?? 0) >= MAX_SILENT_BESIDE) return place;
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
