/**
 * An exclusive lock between processes, for those who read a file, decide, and write it.
 *
 * flock(2) on a dot-file of its own (HAProxy loads every other file of its directory), which is
 * never removed: a lock on a removed file locks nothing. Mode 0600, because every process that can
 * open the file can hold the lock; locking the directory itself would let any local user do so. The
 * kernel drops the lock when its holder dies. Not meant for NFS.
 */
import { actAs } from "./act_as.ts";
import { JobError } from "./errors.ts";
import { type RealTarget, realTarget } from "./resolve_target.ts";
import { orSilent } from "./silent_file.ts";
import { systemReason } from "./system_reason.ts";
import { delay } from "./time.ts";

/** Name of the lock file in each directory that holds targets. */
export const LOCK_NAME = ".acme-lb.lock";

/** Time between two tries. flock itself has no timeout. */
const RETRY_MS = 25;

interface LockOptions {
  /** How long to wait for another holder, in milliseconds. @default 60_000 */
  waitMs?: number;
}

/** A held lock; disposing of it lets the next process in. */
export interface FileLock extends Disposable {
  /** The lock file. */
  readonly path: string;
}

/**
 * Takes the lock of the directory in which `target` really lives (symlinks followed), so that one
 * process at a time changes files there. Not recursive: a second call in the same process waits for
 * the first lock like any other process.
 *
 * @example
 * ```ts
 * using lock = await lockTarget("/etc/haproxy/certs/service.example.pem");
 * await atomicWrite(path, pem, { lock });
 * ```
 * @throws {JobError} when the wait is over, or the lock file cannot be opened
 */
export async function lockTarget(target: string, options: LockOptions = {}): Promise<FileLock> {
  let directory: string;
  try {
    ({ directory } = await realTarget(target));
  } catch (error) {
    throw new JobError(`cannot write ${target}: ${systemReason(error)}`, { cause: error });
  }
  return await lockFile(`${directory}/${LOCK_NAME}`, options);
}

/**
 * Takes the lock that the file `path` stands for, making the file when it is missing.
 * @throws {JobError} when the wait is over, or the file cannot be opened
 */
export async function lockFile(path: string, options: LockOptions = {}): Promise<FileLock> {
  const { waitMs = 60_000 } = options;
  let file: Deno.FsFile;
  try {
    const target = await realTarget(path, { stopAtLink: true });
    file = await orSilent(actAs(target.actor, () => openPlain(target)));
  } catch (error) {
    throw new JobError(`cannot lock ${path}: ${systemReason(error)}`, { cause: error });
  }
  try {
    const until = performance.now() + waitMs;
    while (!await file.tryLock(true)) {
      if (performance.now() >= until) {
        throw new JobError(
          `cannot lock ${path}: another process has held it for ${waitMs / 1000} s; ` +
            `find it with: fuser -v ${path}`,
        );
      }
      await delay(RETRY_MS);
    }
  } catch (error) {
    file.close();
    throw error;
  }
  return { path, [Symbol.dispose]: () => file.close() };
}

/**
 * Created if missing, else opened unchanged: a link under its name is neither followed to create a
 * file elsewhere, nor locked. Nothing is ever written to it.
 */
async function openPlain({ path }: RealTarget): Promise<Deno.FsFile> {
  const rights = { read: true, write: true, mode: 0o600 };
  const made = await Deno.open(path, { ...rights, createNew: true }).catch((error) => {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  });
  if (made) return made;
  // Checked before opening, because opening a FIFO or a device may block or have an effect.
  const named = await Deno.lstat(path);
  if (named.isFile) {
    const file = await Deno.open(path, { read: true, write: true });
    const opened = await file.stat();
    if (opened.isFile && opened.ino === named.ino && opened.dev === named.dev) return file;
    file.close();
  }
  throw new Error("it is not a regular file; remove it");
}
