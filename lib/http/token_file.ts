/**
 * Reading a token's file from a webroot that other users may write to.
 *
 * Whoever can write there can already obtain certificates for the name; what must not happen is
 * that they read, through port 80, files that only acme-lb may read. So: no symbolic link on any
 * step below the webroot, no second hard link, no FIFO (opening one blocks for ever), no device,
 * at most 1 KiB, and the content must be one line of printable ASCII, which no key or password
 * file is. Deno's --allow-read=DIR does not stop symbolic links, and O_NOFOLLOW is not honoured
 * under it, hence the checks before and after the file is open.
 */

import { CHALLENGE_PREFIX } from "./challenge_path.ts";

const MAX_TOKEN_FILE = 1024;

/** One line of printable ASCII, with or without its line end. */
const ONE_LINE = /^[\x20-\x7e]+(?:\r?\n)?$/;

/** Why a file that is there counts as absent. */
export type TokenFileFault =
  | "symlink"
  | "hard_link"
  | "not_a_file"
  | "too_large"
  | "not_one_line"
  | "changed_while_read"
  | "unreadable";

export type TokenFile =
  | { kind: "found"; body: string; path: string }
  | { kind: "absent"; faults: { path: string; fault: TokenFileFault }[] };

/** Whether text is what a token file may hold; also asked of what a peer sends. */
export function isTokenText(text: string): boolean {
  return text.length <= MAX_TOKEN_FILE && ONE_LINE.test(text);
}

/**
 * The first good file for the token: in each webroot flat (`TOKEN`, as acmetool and dehydrated
 * write it), then nested (`.well-known/acme-challenge/TOKEN`, as certbot and lego do). The token
 * has been checked; see challenge_path.ts. Never throws.
 */
export async function readTokenFile(
  webroots: readonly string[],
  token: string,
): Promise<TokenFile> {
  const faults: { path: string; fault: TokenFileFault }[] = [];
  for (const webroot of webroots) {
    for (const name of [token, `${CHALLENGE_PREFIX.slice(1)}${token}`]) {
      const result = await readOne(webroot, name);
      const path = `${webroot}/${name}`;
      if (typeof result === "string") return { kind: "found", body: result, path };
      if (result) faults.push({ path, fault: result.fault });
    }
  }
  return { kind: "absent", faults };
}

/** The content, the reason it does not count, or undefined when there is no such file. */
async function readOne(
  webroot: string,
  name: string,
): Promise<string | { fault: TokenFileFault } | undefined> {
  try {
    const path = `${webroot}/${name}`;
    const seen = await Deno.lstat(path);
    if (seen.isSymlink) return { fault: "symlink" };
    if (!seen.isFile) return { fault: "not_a_file" };
    if (seen.nlink !== 1) return { fault: "hard_link" };
    if (seen.size > MAX_TOKEN_FILE) return { fault: "too_large" };
    if (await Deno.realPath(path) !== `${await Deno.realPath(webroot)}/${name}`) {
      return { fault: "symlink" };
    }
    using file = await Deno.open(path, { read: true });
    const held = await file.stat();
    // Without this, a name that is swapped between lstat and open leads elsewhere.
    const same = held.isFile && held.dev === seen.dev && held.ino === seen.ino && held.nlink === 1;
    if (!same) return { fault: "changed_while_read" };
    return judgeContent(await readAtMost(file, MAX_TOKEN_FILE + 1));
  } catch (error) {
    return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory
      ? undefined
      : { fault: "unreadable" };
  }
}

function judgeContent(bytes: Uint8Array): string | { fault: TokenFileFault } {
  if (bytes.length > MAX_TOKEN_FILE) return { fault: "too_large" };
  const text = String.fromCharCode(...bytes);
  return ONE_LINE.test(text) ? text : { fault: "not_one_line" };
}

async function readAtMost(file: Deno.FsFile, limit: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(limit);
  let filled = 0;
  while (filled < limit) {
    const count = await file.read(buffer.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return buffer.subarray(0, filled);
}
