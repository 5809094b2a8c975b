/**
 * The files of a check of expiry: found, read some at a time, and judged.
 *
 * What belongs to no certificate is left out with a note, when nobody named it: hidden files,
 * what editors leave behind, HAProxy's side files, lone keys. Everything else that cannot be
 * judged is UNKNOWN, a README as well as a damaged file: HAProxy would load both.
 */

import { fingerprint } from "../cert/certificate.ts";
import { type Contents, readContents } from "../cert/contents.ts";
import type { ExpiryRecord } from "../cert/expiry_record.ts";
import { judgeContents, makeRecord, type Rules } from "../cert/verdict.ts";
import { messageOf } from "../errors.ts";
import { type Find, findFiles, missingProblem } from "../find_files.ts";
import { tryToRead } from "../read_input.ts";

export interface CheckedFiles {
  records: ExpiryRecord[];
  notes: string[];
}

export interface CheckFilesOptions {
  /** Takes the SHA-1 fingerprint of each file's first certificate, by the file's path. */
  sha1?: Map<string, string>;
  /** Whether private keys are compared with their certificates. @default true */
  keys?: boolean;
  /** How many files are open at once. @default 32: more gain nothing, and descriptors may be few */
  atOnce?: number;
}

/** Looks at files, directories and patterns. Never throws for what they hold. */
export async function checkFiles(
  paths: string[],
  rules: Rules,
  options: CheckFilesOptions = {},
): Promise<CheckedFiles> {
  const { atOnce = 32 } = options;
  const { files, notes } = await findFiles(paths, { leaveOut });
  const results: (ExpiryRecord | { note: string })[] = new Array(files.length);
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < files.length) {
      const index = next++;
      results[index] = await checkFile(files[index]!, { rules, ...options });
    }
  }));
  const records = results.filter((result) => "state" in result);
  return {
    records,
    notes: [...notes, ...results.flatMap((result) => "note" in result ? [result.note] : [])],
  };
}

/** One record for one file, or the note that it is none of our business. */
async function checkFile(
  { path, problem, met }: Find,
  { rules, sha1, keys: judgeKeys = true }: CheckFilesOptions & { rules: Rules },
): Promise<ExpiryRecord | { note: string }> {
  const where = { source: "file" as const, place: path };
  const unreadable = (text: string) =>
    makeRecord(where, [{ state: "UNKNOWN", reason: "unreadable", text }]);
  if (problem !== undefined) return unreadable(problem);
  const read = await tryToRead(path);
  if ("reason" in read) {
    return unreadable(read.absent ? missingProblem(path) : `cannot be read: ${read.reason}`);
  }
  let contents: Contents;
  try {
    if (read.bytes.every(isBlank)) return unreadable("is empty");
    contents = readContents(read.bytes);
  } catch (error) {
    return unreadable(messageOf(error));
  }
  const { certificates, keys, others } = contents;
  if (met && certificates.length === 0 && keys.length > 0 && others.length === 0) {
    return { note: `${path}: holds a private key alone` };
  }
  if (!judgeKeys) contents.keys = [];
  const record = await judgeContents(where, { contents, rules });
  const leaf = sha1 && certificates[0];
  if (leaf) sha1.set(path, await fingerprint(leaf, "SHA-1"));
  return record;
}

/** Why a name met in a directory is no certificate's. */
export function leaveOut(name: string): string | undefined {
  if (name.startsWith(".")) return "hidden";
  if (/~$|^#.*#$|\.(?:swp|swo|bak|tmp|orig|rej)$|\.dpkg-\w+$/i.test(name)) {
    return "left behind by an editor or a package";
  }
  if (/\.(?:ocsp|issuer|sctl)$/.test(name)) return "a side file of HAProxy";
  if (/^README(?:\.\w+)?$/.test(name)) return "a text for people";
  return undefined;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
