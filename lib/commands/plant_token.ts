/**
 * A token file in a webroot that others may write to: written atomically, never through a link, and
 * read afterwards as the challenge server reads it.
 */

import { atomicWrite, putBack } from "../atomic_write.ts";
import { JobError } from "../errors.ts";
import { readTokenFile } from "../http/token_file.ts";
import { makeDirectory } from "../make_directory.ts";
import { orSilent } from "../silent_file.ts";
import { systemReason } from "../system_reason.ts";
import { walk } from "../trusted_path.ts";

export interface TokenContent {
  /** Checked by isToken. */
  token: string;
  content: string;
  /** Where in the webroot. @default the webroot itself */
  directory?: string;
}

/**
 * Writes the file, readable for everybody; a webroot that is missing is made.
 * @returns the directories that were made, the outermost first
 * @throws {JobError} naming the file and the reason
 */
export async function plantToken(
  webroot: string,
  { token, content, directory = webroot }: TokenContent,
): Promise<string[]> {
  // /run is empty after a restart; a umask must not keep the server from reading it.
  const made = await makeDirectory(directory);
  // Not followed: others may be able to plant a link in the webroot.
  await atomicWrite(`${directory}/${token}`, content, { mode: 0o644, replaceLink: true });
  const served = await orSilent(readTokenFile(webroot, token));
  if (served.kind === "found" && served.body === content) return made;
  const faults = served.kind === "found" ? [] : served.faults.map(({ fault }) => fault);
  // Directories that this function has just made have changed a moment ago.
  if (made.length > 0 && faults.join() === "changed_while_read") return made;
  throw new JobError(`${directory}/${token} would not be served: ${faults.join(", ") || "absent"}`);
}

/**
 * Removes the file; a missing file is not an error.
 * @throws {JobError} also for a directory, a link or anything else that no ACME client makes
 */
export async function removeToken(directory: string, token: string): Promise<void> {
  const path = `${directory}/${token}`;
  const other = await otherKindAt(path);
  if (other !== undefined) throw new JobError(`${path} is not removed: it is ${other}`);
  await putBack(path, undefined, { replaceLink: true });
}

/** What stands there and is no regular file. */
async function otherKindAt(path: string): Promise<string | undefined> {
  try {
    const { rest, info } = await walk(path, { stopAtLink: true });
    if (rest.length === 0) return "a directory";
    if (info?.isSymlink) return "a symbolic link";
    return info && !info.isFile ? "not a regular file" : undefined;
  } catch (error) {
    throw new JobError(`cannot remove ${path}: ${systemReason(error)}`, { cause: error });
  }
}
