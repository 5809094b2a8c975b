/**
 * Where a path really leads, and whether another user could change that.
 *
 * A command that root runs may have to pass through directories of other users: a webroot, the text
 * files of node_exporter, a socket below /run. Their owners can replace a file in them by a
 * symbolic link at any moment. So the path is resolved here one name at a time, and a link is
 * followed only when nobody but root and the caller can have made it or can replace it.
 *
 * The group bits of a mode are the mask of an access control list, so a list that lets anybody else
 * write is seen as well.
 */

import { orSilent } from "./silent_file.ts";

/** As many links as Linux itself follows before it answers ELOOP. */
const LINK_LIMIT = 40;

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/** A directory on the way, which is no link. */
export interface Directory {
  path: string;
  uid: number;
  gid: number;
  mode: number;
}

/** A user and the group that goes with its directory. */
export interface Account {
  uid: number;
  gid: number;
}

/** The result of a walk: real directories, then names that do not exist or were not followed. */
interface Walk {
  /** From / on; the last one is where the rest begins. */
  directories: Directory[];
  /** What is left of the path below the last directory: nothing, a file's name, or missing names. */
  rest: string[];
  /** What the first name of the rest stands for; undefined when it is missing. */
  info: Deno.FileInfo | undefined;
}

/** A symbolic link on the way that another user may have made. */
export class UntrustedLinkError extends Error {
  override name = "UntrustedLinkError";
}

/** Root, and the user of this process, are trusted. */
export function isOwn(uid: number | null): boolean {
  return uid === 0 || uid === Deno.uid();
}

/** Nobody but root and the caller can add, remove or exchange what is in the directory itself. */
export function isClosed({ uid, mode }: Directory): boolean {
  return isOwn(uid) && (mode & WRITABLE_BY_OTHERS) === 0;
}

/**
 * How many of the directories nobody else can exchange: all of them, or the first so many. In a
 * sticky directory of ours, such as /tmp, what belongs to us cannot be moved away by others.
 */
export function countFixed(directories: Directory[]): number {
  const at = directories.findIndex((directory, i) => {
    const parent = directories[i - 1];
    if (!parent || isClosed(parent)) return false;
    const kept = isOwn(parent.uid) && (parent.mode & STICKY) !== 0 && isOwn(directory.uid);
    return !kept;
  });
  return at < 0 ? directories.length : at;
}

/** What {@link walk} does at the last name of the path. */
interface WalkOptions {
  /** Leave the last name alone when it is a link. */
  stopAtLink?: boolean;
}

/**
 * Walks the path, which may end in names that do not exist.
 * @throws {UntrustedLinkError} at a link that others could have put there
 * @throws {SilentFileError} when a file system on the way does not answer
 * @throws what the system says, such as ENOTDIR or EACCES
 */
export function walk(path: string, options: WalkOptions = {}): Promise<Walk> {
  return orSilent(walkOn(path, options));
}

async function walkOn(path: string, { stopAtLink = false }: WalkOptions): Promise<Walk> {
  const names = (path.startsWith("/") ? path : `${Deno.cwd()}/${path}`).split("/").toReversed();
  const directories = [await directoryAt("/")];
  let links = 0;
  for (let name; (name = names.pop()) !== undefined;) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      if (directories.length > 1) directories.pop();
      continue;
    }
    const parent = directories.at(-1)!;
    const child = `${parent.path === "/" ? "" : parent.path}/${name}`;
    const info = await Deno.lstat(child).catch(unlessNotFound);
    const rest = () => [name, ...names.toReversed().filter((more) => more !== "" && more !== ".")];
    if (!info) return { directories, rest: rest(), info };
    if (info.isSymlink) {
      if (stopAtLink && rest().length === 1) return { directories, rest: rest(), info };
      assertTrustedLink({ path: child, uid: info.uid! }, directories);
      if (++links > LINK_LIMIT) throw new Deno.errors.FilesystemLoop(path);
      const to = await Deno.readLink(child);
      if (to.startsWith("/")) directories.splice(1);
      names.push(...to.split("/").toReversed());
    } else if (info.isDirectory) {
      directories.push(factsOf(child, info));
    } else {
      if (rest().length > 1) throw new Deno.errors.NotADirectory(child);
      return { directories, rest: rest(), info };
    }
  }
  return { directories, rest: [], info: undefined };
}

/**
 * The user with whose rights root should work in the last directory, when another user could
 * replace it: the first on the way who is neither root nor the caller. Then root cannot be made to
 * do what the kernel refuses that user. Undefined when nobody could exchange it, and for a
 * directory of our own, where that user may do nothing at all.
 */
export function actorIn(directories: Directory[]): Account | undefined {
  const fixed = countFixed(directories);
  if (fixed === directories.length || isOwn(directories.at(-1)!.uid)) return undefined;
  return directories.slice(fixed - 1).find(({ uid }) => !isOwn(uid));
}

/** @throws {UntrustedLinkError} */
function assertTrustedLink(link: { path: string; uid: number }, directories: Directory[]): void {
  const fixed = countFixed(directories) === directories.length;
  if (fixed && isOwn(link.uid) && isClosed(directories.at(-1)!)) return;
  throw new UntrustedLinkError(
    `${link.path} is a symbolic link that ${
      isOwn(link.uid) ? "other users than root could exchange" : `belongs to user ${link.uid}`
    }; it is not followed: give the path without the link`,
  );
}

async function directoryAt(path: string): Promise<Directory> {
  return factsOf(path, await Deno.lstat(path));
}

function factsOf(path: string, { uid, gid, mode }: Deno.FileInfo): Directory {
  return { path, uid: uid!, gid: gid!, mode: mode! & 0o7777 };
}

function unlessNotFound(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
