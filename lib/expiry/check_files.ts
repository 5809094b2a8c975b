/**
 * The files of a check of expiry: found, read with a deadline for each, with their findings.
 *
 * Files in a directory that hold no certificate are skipped with a note, unless they were named:
 * hidden files, HAProxy's side files, keys without a certificate. Files left behind by an editor or
 * a package are skipped as well, unless they hold a key and a certificate: HAProxy loads those,
 * whatever their name. Every other file without a readable certificate is UNKNOWN.
 */

import { fingerprintOfMany } from "../cert/certificate.ts";
import { type Contents, readContents } from "./read_certificates.ts";
import type { ExpiryRecord } from "./record.ts";
import { createCryptoCache, type CryptoCache, UNCACHED_CRYPTO } from "../cert/crypto_cache.ts";
import { fileRecord, makeRecord, type Rules } from "./certificate_record.ts";
import type { BoundedFiles } from "../bounded_files.ts";
import { SilentFileError } from "../silent_file.ts";
import { messageOf } from "../errors.ts";
import { LOCK_NAME } from "../file_lock.ts";
import { type Find, findFiles, type LeftOut, missingProblem } from "../find_files.ts";

interface CheckedFiles {
  records: ExpiryRecord[];
  notes: string[];
}

interface CheckFilesOptions {
  files: BoundedFiles;
  /** Patterns of what is left out. */
  exclude?: string[];
  /** Takes the SHA-1 fingerprint of each file's first certificate, by the file's path. */
  sha1?: Map<string, string>;
  /** Whether private keys are compared with their certificates. @default true */
  keys?: boolean;
}

/** Files that are read at once: few enough to leave threads for other work. */
const AT_ONCE = 8;

/** From this number of files on, the faster fingerprints are worth their loading time. */
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

/** The result for one file; without a record it is skipped. */
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
    return { note: `${path}: holds only a private key` };
  }
  if (!compareKeys) contents.keys = [];
  const record = await fileRecord(where, { contents, rules, crypto });
  const leaf = sha1 && certificates[0];
  if (leaf) sha1.set(path, await crypto.fingerprint(leaf, "SHA-1"));
  return { record, note: leftover ? `${leftover}; HAProxy loads it nevertheless` : undefined };
}

/**
 * Names in a directory that no certificate has. The lock file of acme-lb is skipped without a note.
 */
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
