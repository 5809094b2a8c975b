/** Problems with a webroot on this machine, for the current user. */

import { InProgress } from "../in_progress.ts";
import { isMissing, systemReason } from "../system_reason.ts";
import { deadline, orAborted } from "../time.ts";

/** For all checks of one webroot. */
const LOOK_TIME_MS = 1_000;

/**
 * Below a webroot of the nested layout; nothing is served through a link among these. The last
 * stands for any token: whether it can be looked for there.
 */
const NESTED = [
  ".well-known",
  ".well-known/acme-challenge",
  ".well-known/acme-challenge/acme-lb-looks-here",
];

/** Each reload looks again, and must not take another thread each time. */
const looks = new InProgress<string | undefined>();

/** A line for the first problem. Never throws, and waits a second at most. */
export async function webrootWarnings(webroot: string): Promise<string[]> {
  using limit = deadline(LOOK_TIME_MS, { whileRunning: true });
  try {
    const look = looks.join(webroot, () => doubtAbout(webroot));
    const doubt = await orAborted(look, limit.signal);
    return doubt === undefined ? [] : [`webroot: ${doubt}`];
  } catch {
    return [
      `webroot: ${webroot} is on a file system that does not answer; see its server and mount. ` +
      "Until it answers, tokens in it are not found",
    ];
  }
}

/** Those whose file system does not answer. Waits a second at most. */
export async function silentWebroots(webroots: readonly string[]): Promise<string[]> {
  using limit = deadline(LOOK_TIME_MS, { whileRunning: true });
  const answers = await Promise.all(
    webroots.map((webroot) => orAborted(anyAnswer(webroot), limit.signal).catch(() => false)),
  );
  return webroots.filter((_, i) => !answers[i]);
}

/** Problems with the nested layout of a webroot whose file system answers. Never throws. */
export async function layoutDoubt(webroot: string): Promise<string | undefined> {
  return await doubtAboutLayout(webroot).catch(() => undefined);
}

/** A name that does not exist, so that no answer can come from the kernel's cache. */
async function anyAnswer(webroot: string): Promise<true> {
  await Deno.lstat(`${webroot}/.acme-lb-${crypto.randomUUID()}`).catch(() => {});
  return true;
}

async function doubtAbout(webroot: string): Promise<string | undefined> {
  await anyAnswer(webroot);
  return await doubtAboutDirectories(webroot) ?? await doubtAboutLayout(webroot);
}

/** A user who may write to a webroot can obtain certificates for the names served here. */
async function doubtAboutDirectories(webroot: string): Promise<string | undefined> {
  const steps = webroot.split("/").slice(1);
  for (let depth = steps.length; depth >= 0; depth--) {
    const directory = `/${steps.slice(0, depth).join("/")}`;
    try {
      const { isDirectory, mode } = await Deno.stat(directory);
      if (!isDirectory) return `${directory} is not a directory`;
      const open = ((mode ?? 0) & 0o002) !== 0;
      // In a sticky directory others cannot replace what is there, only add to it.
      const sticky = ((mode ?? 0) & 0o1000) !== 0;
      if (open && (depth === steps.length || !sticky)) {
        return `${directory} may be written by others (mode ${octal(mode)}), who can then obtain ` +
          `certificates; run: chmod o-w ${directory}`;
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) {
        return `${directory} does not exist yet; the ACME client must create it`;
      }
      return `${directory} cannot be read: ${systemReason(error)}`;
    }
  }
  return undefined;
}

async function doubtAboutLayout(webroot: string): Promise<string | undefined> {
  for (const name of NESTED) {
    const path = `${webroot}/${name}`;
    try {
      const { isSymlink } = await Deno.lstat(path);
      if (isSymlink) {
        return `${path} is a symbolic link, and nothing is served through one; make it a ` +
          "directory, or give the directory that it leads to as another webroot";
      }
    } catch (error) {
      if (isMissing(error)) return undefined;
      const { mode } = await Deno.stat(path.slice(0, path.lastIndexOf("/")));
      return `${path.slice(0, path.lastIndexOf("/"))} cannot be read by this user (mode ` +
        `${octal(mode)}): ${
          systemReason(error)
        }; acme-lb must be able to enter it: chmod o+x, or ` +
        "a group that both have";
    }
  }
  return undefined;
}

function octal(mode: number | null): string {
  return ((mode ?? 0) & 0o7777).toString(8);
}
