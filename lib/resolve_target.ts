/**
 * Where a file that is about to be written really lives.
 *
 * A rename replaces a symlink instead of following it, so links are followed here, before the
 * temporary file is made beside the target. A dangling link counts: its target is then new.
 */

/** As many links as Linux itself follows before it answers ELOOP. */
const LINK_LIMIT = 40;

/** A file, existing or not, that is no symlink unless that was asked for. */
export interface RealTarget {
  path: string;
  /** The directory it is in, without symlinks. */
  directory: string;
}

export interface RealTargetOptions {
  /** Stop at a symlink instead of following it (the directory's own links are followed). */
  stopAtLink?: boolean;
}

/**
 * The file that `path` names.
 * @throws what the system says when its directory is missing or the links form a loop
 */
export async function realTarget(
  path: string,
  options: RealTargetOptions = {},
): Promise<RealTarget> {
  let at = path;
  for (let link = 0; link <= LINK_LIMIT; link++) {
    const slash = at.lastIndexOf("/");
    const name = at.slice(slash + 1);
    if (name === "" || name === "." || name === "..") throw new Deno.errors.IsADirectory(path);
    const directory = await Deno.realPath(at.slice(0, slash + 1) || ".");
    const target = { path: `${directory === "/" ? "" : directory}/${name}`, directory };
    const info = await Deno.lstat(target.path).catch(unlessNotFound);
    if (options.stopAtLink || !info?.isSymlink) return target;
    const to = await Deno.readLink(target.path);
    at = to.startsWith("/") ? to : `${directory}/${to}`;
  }
  throw new Deno.errors.FilesystemLoop(path);
}

function unlessNotFound(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
