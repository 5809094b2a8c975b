/**
 * A token file in a webroot that others may write to: made whole, never through somebody's link,
 * and looked at afterwards as the challenge server will.
 */

import { atomicWrite, putBack } from "../atomic_write.ts";
import { JobError } from "../errors.ts";
import { readTokenFile } from "../http/token_file.ts";
import { makeDirectory } from "../make_directory.ts";

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
  // /run is empty after a restart; a umask must not keep the server out.
  const made = await makeDirectory(directory);
  // Not followed: others may be able to plant a link in the webroot.
  await atomicWrite(`${directory}/${token}`, content, { mode: 0o644, replaceLink: true });
  const served = await readTokenFile(webroot, token);
  if (served.kind === "found" && served.body === content) return made;
  const faults = served.kind === "found" ? [] : served.faults.map(({ fault }) => fault);
  // Directories that were made a moment ago have just been changed, by this.
  if (made.length > 0 && faults.join() === "changed_while_read") return made;
  throw new JobError(`${directory}/${token} would not be served: ${faults.join(", ") || "absent"}`);
}

/**
 * Takes the file away; one that is gone already is no error.
 * @throws {JobError} also for a directory, a link or anything else that no ACME client makes
 */
export async function removeToken(directory: string, token: string): Promise<void> {
  const path = `${directory}/${token}`;
  const info = await Deno.lstat(path).catch(() => undefined);
  if (info && !info.isFile) {
    const what = info.isDirectory ? "a directory" : info.isSymlink ? "a symbolic link" : "no file";
    throw new JobError(`${path} is left alone: it is ${what}`);
  }
  await putBack(path, undefined, { replaceLink: true });
}
