/**
 * The files of a check of expiry: found, read with a deadline for each, and judged.
 *
 * What belongs to no certificate is left out with a note, when nobody named it: hidden files,
 * HAProxy's side files, lone keys. What an editor or a package left behind is left out as well,
 * unless it holds a key and a certificate: HAProxy loads it then, whatever its name. Everything
 * else that cannot be judged is UNKNOWN, a README as well as a damaged file.
 */

import { fingerprintOfMany } from "../cert/certificate.ts";
import { type Contents, readContents } from "./read_certificates.ts";
import type { ExpiryRecord } from "./record.ts";
import { createCryptoCache, type CryptoCache, UNCACHED_CRYPTO } from "../cert/crypto_cache.ts";
import { fileRecord, makeRecord, type Rules } from "./certificate_record.ts";
import { type BoundedFiles, SilentFileError } from "../bounded_files.ts";
import { messageOf } from "../errors.ts";
import { LOCK_NAME } from "../file_lock.ts";
import { type Find, findFiles, type LeftOut, missingProblem } from "../find_files.ts";

export interface CheckedFiles {
  records: ExpiryRecord[];
  notes: string[];
}

export interface CheckFilesOptions {
  files: BoundedFiles;
  /** Patterns of what is left out. */
  exclude?: string[];
  /** Takes the SHA-1 fingerprint of each file's first certificate, by the file's path. */
  sha1?: Map<string, string>;
  /** Whether private keys are compared with their certificates. @default true */
  keys?: boolean;
}

/** Files that are read at once: few enough to leave threads to everything else. */
const AT_ONCE = 8;

/** Files for which the quicker fingerprints are worth what they cost to load. */
const MANY = 500;

/** Looks at files, directories and patterns. Never throws for what they hold. */
export async function checkFiles(
  paths: string[],
  rules: Rules,
  options: CheckFilesOptions,
): Promise<CheckedFiles> {
  const { files: system, exclude } = options;
  const { files, notes } = await findFiles(paths, { files: system, leaveOut, exclude });
  const crypto = createCryptoCache(
    files.length < MANY ? UNCACHED_CRYPTO : { ...UNCACHED_CRYPTO, fingerprint: fingerprintOfMany },
  );
  const results: Checked[] = [];
  let next = 0;
  async function checkOn(): Promise<void> {
    while (next < files.length) {
      const at = next++;
      results[at] = await checkFile(files[at]!, { ...options, rules, crypto });
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, checkOn));
  return {
    records: results.flatMap(({ record }) => record ?? []),
    notes: [...notes, ...results.flatMap(({ note }) => note ?? [])],
  };
}

/** What one file came to; without a record it is none of our business. */
interface Checked {
  record?: ExpiryRecord;
  note?: string;
}

async function checkFile(
  { path, problem, met }: Find,
  { rules, crypto, sha1, keys: compareKeys = true, files }:
    & CheckFilesOptions
    & { rules: Rules; crypto: CryptoCache },
): Promise<Checked> {
  const where = { source: "file" as const, place: path };
  const leftover = met && isLeftover(path) ? `${path}: left behind by an editor or a package` : "";
  const unknown = (text: string): Checked => ({
    record: makeRecord(where, [{ state: "UNKNOWN", reason: "unreadable", text }]),
  });
  const unreadable = (text: string) => leftover ? { note: leftover } : unknown(text);
  if (problem !== undefined) return unreadable(problem);
  const read = await files.read(path);
  if ("reason" in read) {
    if (read.cause instanceof SilentFileError) return unknown(read.reason);
    return unreadable(read.absent ? missingProblem(path) : `cannot be read: ${read.reason}`);
  }
  let contents: Contents;
  try {
    if (read.bytes.every(isBlank)) return unreadable("is empty");
    contents = readContents(read.bytes);
  } catch (error) {
    return unreadable(messageOf(error));
  }
  const { certificates, keys, others, damage } = contents;
  if (leftover && (certificates.length === 0 || keys.length === 0)) return { note: leftover };
  if (met && certificates.length + others.length + damage.length === 0 && keys.length > 0) {
    return { note: `${path}: holds a private key alone` };
  }
  if (!compareKeys) contents.keys = [];
  const record = await fileRecord(where, { contents, rules, crypto });
  const leaf = sha1 && certificates[0];
  if (leaf) sha1.set(path, await crypto.fingerprint(leaf, "SHA-1"));
  return { record, note: leftover ? `${leftover}; HAProxy loads it all the same` : undefined };
}

/** Names that are no certificate's, met in a directory. Our own lock is nobody's concern. */
export function leaveOut(name: string): LeftOut | undefined {
  if (name === LOCK_NAME) return {};
  if (name.startsWith(".")) return { note: "hidden" };
  if (/\.(?:ocsp|issuer|sctl)$/.test(name)) return { note: "a side file of HAProxy" };
  if (/^README(?:\.\w+)?$/.test(name)) return { note: "a text for people" };
  return undefined;
}

function isLeftover(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return /~$|^#.*#$|\.(?:swp|swo|bak|tmp|orig|rej)$|\.dpkg-\w+$/i.test(name);
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
