/**
 * The files of a check of expiry: found, read one by one, and judged.
 *
 * What belongs to no certificate is left out with a note, when nobody named it: hidden files,
 * what editors leave behind, HAProxy's side files, lone keys. Everything else that cannot be
 * judged is UNKNOWN, a README as well as a damaged file: HAProxy would load both.
 */

import { fingerprintOfMany } from "../cert/certificate.ts";
import { type Contents, readContents } from "./read_certificates.ts";
import type { ExpiryRecord } from "./record.ts";
import { createCryptoCache, type CryptoCache, UNCACHED_CRYPTO } from "../cert/crypto_cache.ts";
import { judgeContents, makeRecord, type Rules } from "./verdict.ts";
import { messageOf } from "../errors.ts";
import { LOCK_NAME } from "../file_lock.ts";
import { type Find, findFiles, type LeftOut, missingProblem } from "../find_files.ts";
import { type Read, tryToReadNow } from "../read_input.ts";

export interface CheckedFiles {
  records: ExpiryRecord[];
  notes: string[];
}

export interface CheckFilesOptions {
  /** Takes the SHA-1 fingerprint of each file's first certificate, by the file's path. */
  sha1?: Map<string, string>;
  /** Whether private keys are compared with their certificates. @default true */
  keys?: boolean;
  /** Reads one file. @default at once, while everything else waits */
  read?: (path: string) => Read | Promise<Read>;
}

/** Endpoints are asked meanwhile; what they answer must not wait for thousands of files. */
const SLICE_MS = 20;

/** Files for which the quicker fingerprints are worth what they cost to load. */
const MANY = 500;

/** Looks at files, directories and patterns. Never throws for what they hold. */
export async function checkFiles(
  paths: string[],
  rules: Rules,
  options: CheckFilesOptions = {},
): Promise<CheckedFiles> {
  const { files, notes } = await findFiles(paths, { leaveOut });
  const questions = createCryptoCache(
    files.length < MANY ? UNCACHED_CRYPTO : { ...UNCACHED_CRYPTO, fingerprint: fingerprintOfMany },
  );
  const results: (ExpiryRecord | { note: string })[] = [];
  let since = performance.now();
  for (const file of files) {
    results.push(await checkFile(file, { rules, questions, ...options }));
    if (performance.now() - since < SLICE_MS) continue;
    await new Promise((resolve) => setTimeout(resolve));
    since = performance.now();
  }
  const records = results.filter((result) => "state" in result);
  return {
    records,
    notes: [...notes, ...results.flatMap((result) => "note" in result ? [result.note] : [])],
  };
}

/** One record for one file, or the note that it is none of our business. */
async function checkFile(
  { path, problem, met }: Find,
  { rules, questions, sha1, keys: judgeKeys = true, read: readFile = tryToReadNow }:
    & CheckFilesOptions
    & { rules: Rules; questions: CryptoCache },
): Promise<ExpiryRecord | { note: string }> {
  const where = { source: "file" as const, place: path };
  const unreadable = (text: string) =>
    makeRecord(where, [{ state: "UNKNOWN", reason: "unreadable", text }]);
  if (problem !== undefined) return unreadable(problem);
  const read = await readFile(path);
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
  const record = await judgeContents(where, { contents, rules, questions });
  const leaf = sha1 && certificates[0];
  if (leaf) sha1.set(path, await questions.fingerprint(leaf, "SHA-1"));
  return record;
}

/** Names that are no certificate's, met in a directory. Our own lock is nobody's concern. */
export function leaveOut(name: string): LeftOut | undefined {
  if (name === LOCK_NAME) return {};
  if (name.startsWith(".")) return { note: "hidden" };
  if (/~$|^#.*#$|\.(?:swp|swo|bak|tmp|orig|rej)$|\.dpkg-\w+$/i.test(name)) {
    return { note: "left behind by an editor or a package; HAProxy would load it" };
  }
  if (/\.(?:ocsp|issuer|sctl)$/.test(name)) return { note: "a side file of HAProxy" };
  if (/^README(?:\.\w+)?$/.test(name)) return { note: "a text for people" };
  return undefined;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
