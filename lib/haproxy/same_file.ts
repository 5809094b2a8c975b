/**
 * Which of HAProxy's certificates were loaded from a file, and which of its lists are the file's
 * directory: one file may be configured under several spellings, through links, or as `@store/alias`,
 * and HAProxy then holds it several times.
 */
import { orSilent } from "../silent_file.ts";
import { type Haproxy, replyText } from "./haproxy_connection.ts";
import { type LoadedCertificate, showAll } from "./loaded_certificates.ts";
import { nameProblem } from "./payload.ts";
import { parseCrtLists, plainPath } from "./replies.ts";
import type { SwapRequest } from "./swap_state.ts";

type Target = Pick<SwapRequest, "name" | "file" | "content" | "previous">;

/** What HAProxy has loaded from the target. @throws {SwapFault} */
export async function loadedFrom(
  haproxy: Haproxy,
  names: readonly string[],
  target: Target,
): Promise<LoadedCertificate[]> {
  const [certain, aliases]: [string[], string[]] = [[], []];
  for (const name of names) {
    if (plainPath(name) === plainPath(target.name) || await isFile(name, target)) {
      certain.push(name);
    } else if (target.file !== undefined && !name.startsWith("/") && !nameProblem(name)) {
      aliases.push(name);
    }
  }
  const shown = await showAll(haproxy, aliases);
  const ours: LoadedCertificate[] = [];
  for (const one of shown) if (await isAlias(one, target)) ours.push(one);
  return [...await showAll(haproxy, certain), ...ours];
}

/**
 * The lists to which a certificate of this name belongs, spelled as HAProxy does: the one
 * `wanted`, else all that are the directory of the target. @throws {SwapFault}
 */
export async function crtListsFor(
  haproxy: Haproxy,
  target: Pick<Target, "name" | "file">,
  wanted?: string,
): Promise<string[]> {
  const lists = parseCrtLists(replyText(await haproxy.ask("show ssl crt-list"))) ?? [];
  if (wanted !== undefined) return lists.filter((list) => plainPath(list) === plainPath(wanted));
  const directory = plainPath(directoryOf(target.name));
  const real = target.file && directoryOf(target.file);
  const fits: string[] = [];
  for (const list of lists) {
    if (plainPath(list) === directory || await isPath(list, real)) fits.push(list);
  }
  return fits;
}

/** The name that HAProxy gives to the file in a directory that it lists so. */
export function nameInList(list: string, name: string): string {
  return `${list}/${name.slice(name.lastIndexOf("/") + 1)}`;
}

export function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

async function isFile(name: string, { file }: Target): Promise<boolean> {
  return await isPath(name, file);
}

/**
 * An alias, or a relative path, which HAProxy read from a directory that it does not tell: when it
 * tells an absolute file, that one counts; else the end of the path must be the target's, and the
 * certificate the one that the target holds.
 */
async function isAlias(one: LoadedCertificate, target: Target): Promise<boolean> {
  const path = one.crtFile ?? (one.name.startsWith("@") ? undefined : one.name);
  if (path === undefined) return false;
  if (path.startsWith("/")) return await isFile(path, target);
  const tail = plainPath(path).replace(/^\.\//, "");
  const known = [target.content, target.previous].map((content) => content?.fingerprint);
  return target.file!.endsWith(`/${tail}`) && known.includes(one.fingerprintSha1);
}

async function isPath(path: string, real: string | undefined): Promise<boolean> {
  if (real === undefined || !path.startsWith("/")) return false;
  return await orSilent(Deno.realPath(path)).catch(() => undefined) === real;
}
