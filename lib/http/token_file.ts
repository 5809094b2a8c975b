/**
 * Reading a token's file from a webroot that other users may write to.
 *
 * Users who can write there can already obtain certificates for the name; they must not be able to
 * read, through port 80, files that only acme-lb may read. So a token file is a regular file with
 * one link, readable by everybody, of at most 1 KiB, with one line of printable ASCII, and no step
 * below the webroot is a symbolic link. The descriptor is checked, not the path: a name may be
 * replaced between any two checks.
 *
 * A directory can be replaced by a link and restored within microseconds, so that every check of
 * the path succeeds while the descriptor is that of another file. A text that begins with the
 * token's own name and a dot, as every key authorization does, is no secret wherever the file is.
 * For any other (the test files of operators) the directories on the way must not have changed
 * while it was read.
 *
 * O_NOFOLLOW is not honoured under --allow-read, `/proc/self/fd` is refused without all rights,
 * and Deno.chdir makes no relative open: the runtime opens the absolute path.
 */

import { isMissing, systemReason } from "../system_reason.ts";
import { isOwn } from "../trusted_path.ts";
import { CHALLENGE_PREFIX } from "./challenge_path.ts";

const MAX_TOKEN_FILE = 1024;

/** One line of printable ASCII, with or without its line end. */
const ONE_LINE = /^[\x20-\x7e]+(?:\r?\n)?$/;

/** Why a file that is there counts as absent, or could not be looked at. */
export type TokenFileFault =
  | "symlink"
  | "hard_link"
  | "not_a_file"
  | "too_large"
  | "not_one_line"
  | "changed_while_read"
  | "foreign_link"
  | "not_public"
  | "unreadable";

/** The faults of a token that may be right, but whose file may not be read. */
const COULD_NOT_LOOK: TokenFileFault[] = ["unreadable", "not_public"];

export interface IgnoredFile {
  path: string;
  fault: TokenFileFault;
  /** What the system says, when it is `unreadable`. */
  reason?: string;
}

export type TokenFile =
  | { kind: "found"; body: string; path: string }
  | { kind: "absent" | "unreadable"; faults: IgnoredFile[] };

/** Whether text is what a token file may hold; also asked of what a peer sends. */
export function isTokenText(text: string): boolean {
  return text.length <= MAX_TOKEN_FILE && ONE_LINE.test(text);
}

/**
 * The token's file in the webroot: flat (`TOKEN`, as acmetool and dehydrated write it), then nested
 * (`.well-known/acme-challenge/TOKEN`, as certbot and lego do). `unreadable` says that it may be
 * there, and this user cannot read it. The token has been checked; see challenge_path.ts. Never
 * throws, but may never return on a file system that does not answer.
 */
export async function readTokenFile(
  webroot: string,
  token: string,
  { now = Date.now }: { now?: () => number } = {},
): Promise<TokenFile> {
  const faults: IgnoredFile[] = [];
  for (const name of [token, `${CHALLENGE_PREFIX.slice(1)}${token}`]) {
    const path = `${webroot}/${name}`;
    const result = await readOne(webroot, { name, token, now });
    if (result && "text" in result) return { kind: "found", body: result.text, path };
    if (result) faults.push({ path, ...result });
  }
  const blind = faults.some(({ fault }) => COULD_NOT_LOOK.includes(fault));
  return { kind: blind ? "unreadable" : "absent", faults };
}

type Content = { text: string } | Omit<IgnoredFile, "path">;

/** The content, the reason it does not count, or undefined when there is no such file. */
async function readOne(
  webroot: string,
  { name, token, now }: { name: string; token: string; now: () => number },
): Promise<Content | undefined> {
  try {
    const content = await readContent(webroot, name);
    if (!content || "fault" in content || content.text.startsWith(`${token}.`)) return content;
    return await readUnmoved(webroot, { name, now });
  } catch (error) {
    return isMissing(error) ? undefined : { fault: "unreadable", reason: systemReason(error) };
  }
}

/**
 * The content of the descriptor, which was at the path before it was opened; undefined when the file
 * has been removed.
 */
async function readContent(webroot: string, name: string): Promise<Content | undefined> {
  const path = `${webroot}/${name}`;
  const seen = await Deno.lstat(path);
  if (seen.isSymlink) return { fault: "symlink" };
  if (!seen.isFile) return { fault: "not_a_file" };
  const { open, constants } = await fileSystem();
  // Non-blocking: opening a FIFO that replaced the file would block forever.
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const held = await file.stat();
  if (!held.isFile() || held.dev !== seen.dev || held.ino !== seen.ino) {
    return { fault: "changed_while_read" };
  }
  // The client has removed it since: its order has ended.
  if (held.nlink === 0) return undefined;
  if (held.nlink > 1) return { fault: "hard_link" };
  if ((held.mode & 0o004) === 0) return { fault: "not_public" };
  if (held.size > MAX_TOKEN_FILE) return { fault: "too_large" };
  // One byte more than fits, to notice a file that grows.
  const bytes = new Uint8Array(MAX_TOKEN_FILE + 1);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
  if (await Deno.realPath(path) !== `${await Deno.realPath(webroot)}/${name}`) {
    return { fault: "symlink" };
  }
  if (bytesRead > MAX_TOKEN_FILE) return { fault: "too_large" };
  const text = String.fromCharCode(...bytes.subarray(0, bytesRead));
  return ONE_LINE.test(text) ? { text } : { fault: "not_one_line" };
}

/** The same, if nothing was replaced in the directories on the way during the read. */
async function readUnmoved(
  webroot: string,
  { name, now }: { name: string; now: () => number },
): Promise<Content | undefined> {
  if (await isForeignLink(webroot)) return { fault: "foreign_link" };
  const real = await Deno.realPath(webroot);
  // The webroot's own name, and those of the steps below it, stand in these directories.
  const steps = name.split("/").slice(0, -1);
  const directories = [
    real.replace(/\/[^/]*$/, "") || "/",
    ...steps.map((_, i) => [real, ...steps.slice(0, i)].join("/")),
  ];
  const before = await restingState(directories, now);
  if (before === undefined) return { fault: "changed_while_read" };
  const content = await readContent(real, name);
  return await restingState(directories, now) === before
    ? content
    : { fault: "changed_while_read" };
}

/**
 * The runtime reports the time of a change in whole seconds, and the kernel's clock for it has
 * ticks.
 */
const CHANGE_SETTLED_MS = 1_050;

/**
 * What changes with any exchange in those of the directories that users other than root and
 * acme-lb's own may write to: their times of change, which no user can set. Undefined while the
 * last change is so young that another could have the same time.
 */
async function restingState(
  directories: string[],
  now: () => number,
): Promise<string | undefined> {
  let state = "";
  for (const directory of directories) {
    const { dev, ino, uid, mode, ctime } = await Deno.lstat(directory);
    if (isOwn(uid) && ((mode ?? 0) & 0o022) === 0) continue;
    const changed = ctime?.getTime() ?? Infinity;
    if (changed > now() - CHANGE_SETTLED_MS) return undefined;
    state += `${dev}:${ino}:${changed} `;
  }
  return state;
}

/**
 * Whether the webroot is a link of another user to a directory that is not theirs (as Apache's
 * SymLinksIfOwnerMatch).
 */
async function isForeignLink(webroot: string): Promise<boolean> {
  const { isSymlink, uid } = await Deno.lstat(webroot);
  return isSymlink && !isOwn(uid) && (await Deno.stat(webroot)).uid !== uid;
}

let loaded: Promise<typeof import("node:fs/promises")> | undefined;

/** Loads what the first file takes, some tens of milliseconds, so that no answer has to wait for it. */
export async function prepareReading(): Promise<void> {
  await fileSystem();
}

function fileSystem(): Promise<typeof import("node:fs/promises")> {
  return loaded ??= import("node:fs/promises");
}
