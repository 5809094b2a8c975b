/**
 * Writes a file atomically: a reader sees the old content or the new one, never a part, even after
 * a crash, and the content is never readable by more users than the finished file.
 *
 * The system calls, in order: open(O_CREAT|O_EXCL, 0600) of a dot-file beside the target (HAProxy
 * loads every other name), fchown and fchmod to the final owner and mode, write, fsync, rename,
 * fsync of the directory. Owner and mode are set by descriptor, because the owner of the directory
 * could replace a path under a privileged process. Not kept: hard links (the rename breaks them),
 * ACLs and extended attributes of the old file.
 *
 * Every file that this program writes is written here, also by hooks that run as root, so nothing
 * that another user could have prepared is trusted: links, owners, groups and modes count only
 * where nobody but root and the caller can write (trusted_path.ts); where another user could
 * replace a directory on the way, root works with that user's rights. Remaining risk: in a
 * directory of root below one of another user, a public file can be redirected between two system
 * calls.
 */
import { actAs } from "./act_as.ts";
import { JobError } from "./errors.ts";
import type { FileLock } from "./file_lock.ts";
import { type RealTarget, realTarget } from "./resolve_target.ts";
import { orSilent } from "./silent_file.ts";
import { errnoOf, systemReason } from "./system_reason.ts";
import { isOwn } from "./trusted_path.ts";

/**
 * Name of a temporary file made under a lock. If the next holder of the lock sees one, the process
 * that made it is gone.
 */
const STALE = /^\.acme-lb-[0-9a-f]{12}\.tmp$/;

/** Milliseconds for all of it; a busy disk may take some of them to sync. */
const PATIENCE_MS = 30_000;

export interface AtomicWriteOptions {
  /**
   * Permission bits, such as 0o644.
   * @default the old file's without any for others, in a trusted directory; else 0o600
   */
  mode?: number;
  /**
   * Owner and group by number.
   * @default the old file's, in a trusted directory; else the process's own
   */
  uid?: number;
  gid?: number;
  /**
   * The lock that the caller holds on the target (lockTarget in file_lock.ts). With it, temporary
   * files of crashed runs are removed first; without it they could belong to a running process.
   */
  lock?: FileLock;
  /**
   * Replace a symlink at `path` instead of writing to the file behind it: for places that belong
   * to other programs, such as a webroot.
   * @default false: a trusted link is followed, any other refused
   */
  replaceLink?: boolean;
}

/**
 * Writes `content` to `path`. A file that already holds exactly this content, with the mode and
 * owner wanted, is left alone.
 *
 * @returns "written", or "unchanged" when the content was already there
 * @throws {JobError} one line that names the file and the reason; the old file is untouched then
 * and the temporary one removed
 */
export async function atomicWrite(
  path: string,
  content: string | Uint8Array,
  options: AtomicWriteOptions = {},
): Promise<"written" | "unchanged"> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  try {
    const target = await realTarget(path, { stopAtLink: options.replaceLink });
    assertMayHold(target, options);
    assertGroup(target, options);
    return await orSilent(
      actAs(target.actor, () => writeTo(target, bytes, options)),
      PATIENCE_MS,
    );
  } catch (error) {
    if (error instanceof JobError) throw error;
    throw new JobError(`cannot write ${path}: ${systemReason(error)}`, { cause: error });
  }
}

/**
 * Brings back what `path` held before {@link atomicWrite}: `previous`, or no file at all when it
 * is undefined. Mode and owner stay those of the file in place unless given.
 * @throws {JobError} as atomicWrite does
 */
export async function putBack(
  path: string,
  previous: string | Uint8Array | undefined,
  options: AtomicWriteOptions = {},
): Promise<void> {
  if (previous !== undefined) {
    await atomicWrite(path, previous, options);
    return;
  }
  try {
    const target = await realTarget(path, { stopAtLink: options.replaceLink });
    const removal = actAs(target.actor, async () => {
      using directory = await Deno.open(target.directory);
      await Deno.remove(target.path);
      await syncDirectory(directory);
    });
    await orSilent(removal, PATIENCE_MS);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new JobError(`cannot remove ${path}: ${systemReason(error)}`, { cause: error });
  }
}

interface Rights {
  mode: number;
  uid: number | undefined;
  gid: number | undefined;
}

/** A file that everybody may read holds no secret. */
function isPublic({ mode = 0 }: AtomicWriteOptions): boolean {
  return (mode & 0o004) !== 0;
}

/** @throws {JobError} for a secret that root is to put where somebody else could lead it away */
function assertMayHold(target: RealTarget, options: AtomicWriteOptions): void {
  const { exposed, actor, directory, path } = target;
  if (!exposed || isPublic(options) || options.uid !== undefined || Deno.uid() !== 0) return;
  const who = actor ? `user ${actor.uid}` : "another user";
  throw new JobError(
    `cannot write ${path}: ${who} could replace ${directory} at the same time; use a directory below ` +
      `root's own${actor ? `, or give the file to that user: --owner ${actor.uid}` : ""}`,
  );
}

/**
 * A setgid directory gives new files its group, and its default access control list gives users in
 * it what the mode gives the group. The owner of the directory decides about both.
 * @throws {JobError} for a secret that a group may read, in a directory of another user, unless the
 * file is given to that user, or to the directory's group, which that user can only have chosen as
 * one of its members
 */
function assertGroup({ path, directory, holder }: RealTarget, options: AtomicWriteOptions): void {
  const { mode = 0, uid, gid } = options;
  if (isPublic(options) || (mode & 0o070) === 0 || isOwn(holder.uid)) return;
  if (uid === holder.uid || gid === holder.gid) return;
  throw new JobError(
    `cannot write ${path}: user ${holder.uid} owns ${directory}, and decides there whom the rights of a ` +
      `group reach: use --mode 0600, or give the file to that user or its group: ` +
      `--owner ${holder.uid} or --owner :${holder.gid}`,
  );
}

async function writeTo(
  target: RealTarget,
  bytes: Uint8Array,
  options: AtomicWriteOptions,
): Promise<"written" | "unchanged"> {
  if (options.lock) await removeStale(target.directory);
  const old = await oldFile(target.path, options);
  if (old && !target.trusted) assertOwn(old, { target, options });
  const inherited = target.trusted ? old : undefined;
  const rights: Rights = {
    mode: options.mode ?? (inherited ? (inherited.mode ?? 0) & 0o770 : 0o600),
    uid: options.uid ?? inherited?.uid ?? undefined,
    gid: options.gid ?? inherited?.gid ?? undefined,
  };
  const same = old?.size === bytes.length && await holds(target.path, bytes);
  if (same && hasRights(old, rights)) return "unchanged";
  await replace(target, bytes, { rights, suffix: options.lock ? "tmp" : "part" });
  return same ? "unchanged" : "written";
}

/** @throws {JobError} when another user may have put the file there to be given a secret */
function assertOwn(
  { uid }: Deno.FileInfo,
  { target, options }: { target: RealTarget; options: AtomicWriteOptions },
): void {
  if (isPublic(options) || options.uid !== undefined || uid === Deno.uid()) return;
  throw new JobError(
    `cannot write ${target.path}: it belongs to user ${uid}, and others than root and you can ` +
      `write to ${target.directory}; give it to that user with --owner ${uid}, or remove it`,
  );
}

async function replace(
  target: RealTarget,
  bytes: Uint8Array,
  { rights, suffix }: { rights: Rights; suffix: string },
): Promise<void> {
  // Only node:fs reaches fchown and fchmod; it costs 15 ms, so it is loaded when needed.
  const { open } = await import("node:fs/promises");
  const random = crypto.getRandomValues(new Uint8Array(6)).toHex();
  const temporary = `${target.directory}/.acme-lb-${random}.${suffix}`;
  // Opened before the rename, so that a directory that cannot be synced is refused in time.
  using directory = await Deno.open(target.directory);
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      const made = await file.stat();
      const { mode, uid = made.uid, gid = made.gid } = rights;
      // Owner before mode: rights must not reach the group that a setgid directory gave the file.
      if (uid !== made.uid || gid !== made.gid) await file.chown(uid, gid);
      if (mode !== (made.mode & 0o7777)) await file.chmod(mode);
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await Deno.rename(temporary, target.path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
  await syncDirectory(directory);
}

/** The file at `path`, undefined when there is none; devices and the like are refused. */
async function oldFile(
  path: string,
  options: AtomicWriteOptions,
): Promise<Deno.FileInfo | undefined> {
  try {
    const info = await Deno.lstat(path);
    if (info.isFile) return info;
    if (info.isSymlink && options.replaceLink) return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  throw new JobError(`cannot write ${path}: it exists and is not a regular file`);
}

async function holds(path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    const old = await Deno.readFile(path);
    return old.length === bytes.length && old.every((byte, i) => byte === bytes[i]);
  } catch (error) {
    // A file that this user cannot read cannot be compared, so it is written again.
    if (error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}

function hasRights(info: Deno.FileInfo, { mode, uid, gid }: Rights): boolean {
  return ((info.mode ?? 0) & 0o7777) === mode && (uid ?? info.uid) === info.uid &&
    (gid ?? info.gid) === info.gid;
}

async function removeStale(directory: string): Promise<void> {
  for await (const entry of Deno.readDir(directory)) {
    if (!entry.isFile || !STALE.test(entry.name)) continue;
    // Another user's in a sticky directory, or an immutable one, cannot be removed.
    await Deno.remove(`${directory}/${entry.name}`).catch(() => {});
  }
}

async function syncDirectory(directory: Deno.FsFile): Promise<void> {
  try {
    await directory.sync();
  } catch (error) {
    // Some file systems cannot sync a directory.
    if (errnoOf(error) !== "EINVAL") throw error;
  }
}
