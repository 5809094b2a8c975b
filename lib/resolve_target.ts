/**
 * The real place of a file that is about to be written, and what may be trusted there.
 *
 * A rename replaces a symlink instead of following it, so links are followed here, before the
 * temporary file is made beside the target; only trusted ones (see trusted_path.ts). A dangling
 * link counts: its target is then new.
 */

import { type Account, actorIn, countFixed, isClosed, walk } from "./trusted_path.ts";

/** A file, existing or not, that is no symlink unless that was asked for. */
export interface RealTarget {
  path: string;
  /** The directory it is in, without symlinks. */
  directory: string;
  /** Whose the directory is. */
  holder: Account;
  /** Only root and the caller can have created its content. */
  trusted: boolean;
  /** Others could replace the directory itself during the work. */
  exposed: boolean;
  /** The user with whose rights root writes there; see actorIn. */
  actor: Account | undefined;
}

interface RealTargetOptions {
  /** Stop at a symlink instead of following it (trusted links of the directory are followed). */
  stopAtLink?: boolean;
}

/**
 * The file that `path` names.
 * @throws {UntrustedLinkError} at a link that others could have put there
 * @throws what the system says when its directory is missing or the links form a loop
 */
export async function realTarget(
  path: string,
  options: RealTargetOptions = {},
): Promise<RealTarget> {
  if (/(^|\/)\.{0,2}$/.test(path)) throw new Deno.errors.IsADirectory(path);
  const { directories, rest } = await walk(path, options);
  if (rest.length > 1) throw new Deno.errors.NotFound(path);
  // A directory is walked into; as a target it stands in the one above.
  const name = rest[0] ?? directories.pop()!.path.replace(/^.*\//, "");
  const directory = directories.at(-1)!;
  const exposed = countFixed(directories) < directories.length;
  return {
    path: `${directory.path === "/" ? "" : directory.path}/${name}`,
    directory: directory.path,
    holder: { uid: directory.uid, gid: directory.gid },
    trusted: !exposed && isClosed(directory),
    exposed,
    actor: actorIn(directories),
  };
}
