/**
 * Makes missing directories, with a mode that depends neither on the umask nor, where nobody else
 * can write, on a default access control list. Existing directories keep theirs: a chmod by path
 * could follow a link that another user has put there.
 */

import { actAs } from "./act_as.ts";
import { JobError } from "./errors.ts";
import { realTarget } from "./resolve_target.ts";
import { orSilent } from "./silent_file.ts";
import { systemReason } from "./system_reason.ts";
import { actorIn, countFixed, isClosed, walk } from "./trusted_path.ts";

/** A directory is made in each; another process that makes or removes the same takes some more. */
const ATTEMPTS = 100;

/**
 * Makes `path` and what is missing above it, 0755, as mkdir -p does; links are followed where they
 * are trusted (see trusted_path.ts).
 * @returns the directories that were made, the outermost first
 * @throws {JobError} naming the directory and the reason
 */
export async function makeDirectory(path: string): Promise<string[]> {
  const made: string[] = [];
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { directories, rest: [name], info } = await walk(path);
      if (name === undefined) return made;
      if (info) throw new Deno.errors.NotADirectory(path);
      const parent = directories.at(-1)!;
      const next = `${parent.path === "/" ? "" : parent.path}/${name}`;
      const closed = countFixed(directories) === directories.length && isClosed(parent);
      const making = actAs(actorIn(directories), () => make(next, { closed }));
      if (await orSilent(making)) made.push(next);
    }
    throw new Error("it disappears again and again");
  } catch (error) {
    throw new JobError(`cannot make ${path}: ${systemReason(error)}`, { cause: error });
  }
}

/** Removes directories that {@link makeDirectory} has made, those that are empty. Never throws. */
export async function removeDirectories(made: string[]): Promise<void> {
  for (const path of made.toReversed()) {
    try {
      const target = await realTarget(path, { stopAtLink: true });
      await orSilent(actAs(target.actor, () => Deno.remove(target.path)));
    } catch {
      // Somebody else uses it, or has removed it.
    }
  }
}

/**
 * @param options `closed`: nobody but root and the caller can exchange the new directory
 * @returns false when there is something of that name by now
 */
async function make(path: string, { closed }: { closed: boolean }): Promise<boolean> {
  const before = Deno.umask(0o022);
  try {
    await Deno.mkdir(path, { mode: 0o755 });
    const mode = (await Deno.lstat(path)).mode! & 0o7777;
    if (closed && (mode & 0o777) !== 0o755) await Deno.chmod(path, mode & 0o7000 | 0o755);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  } finally {
    Deno.umask(before);
  }
}
