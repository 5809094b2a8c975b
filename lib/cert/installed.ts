/**
 * The installed file, and whether a new leaf may replace it.
 *
 * Protects against a hook that runs with an old file, against one target for several certificates,
 * and against a mistyped target. Anything may replace a placeholder, or a file without a readable
 * certificate, with which HAProxy would not start.
 */

import { isOlder } from "./age.ts";
import {
  type Certificate,
  fingerprint,
  issuanceOf,
  readCertificate,
  sameBytes,
  titleOf,
} from "./certificate.ts";
import { covers } from "./coverage.ts";
import { encodePem, isCertificate, type PemBlock, scanPem } from "./pem.ts";
import { isEncrypted, isPrivateKey } from "./private_key.ts";

/** An installed file. */
export interface Installed {
  name: string;
  bytes: Uint8Array;
  /** Undefined for a missing or blank file, and for one in which no certificate can be read. */
  leaf?: Certificate;
  /** Why there is no leaf, when there should be one. */
  fault?: { kind: "foreign" | "damaged"; text: string };
  /** Without one, HAProxy reads the key from another file. */
  holdsKey: boolean;
}

/** Key and certificates as they may be sent to HAProxy, and how it will tell of them. */
export interface Sendable {
  /** PEM without blank lines or other text. */
  pem: string;
  /** SHA-1 over the leaf, upper-case hexadecimal: HAProxy's name for a certificate, no proof. */
  fingerprint: string;
  /** The leaf's. */
  serial: string;
}

/**
 * Reads an installed file by the blocks in it that can be read, whatever else is there. Its leaf
 * is the first certificate; where that one is damaged, the first of the others that is no CA's.
 * Never throws.
 */
export function readInstalled(name: string, bytes: Uint8Array | undefined): Installed | undefined {
  if (!bytes) return undefined;
  const { blocks, faults } = scanPem(bytes);
  const certificates = blocks.filter(isCertificate);
  const firstLine = certificates[0]?.line ?? Infinity;
  const inFront = faults.some(({ line, label = "CERTIFICATE" }) =>
    line <= firstLine && label.endsWith("CERTIFICATE")
  );
  const [first, ...others] = certificates.map(readIfWhole);
  const leaf = inFront || !first ? [first, ...others].find((one) => one && !one.ca) : first;
  const holdsKey = blocks.some(isPrivateKey) ||
    faults.some(({ label }) => label?.endsWith("PRIVATE KEY"));
  return { name, bytes, leaf, holdsKey, fault: leaf ? undefined : faultOf(bytes) };
}

function faultOf(bytes: Uint8Array): Installed["fault"] {
  const text = new TextDecoder("latin1").decode(bytes);
  if (text.trim() === "") return undefined;
  if (!/-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/.test(text)) {
    return { kind: "foreign", text: "holds no certificate" };
  }
  const { faults: [fault], blocks } = scanPem(bytes);
  const line = fault?.line ?? blocks.find(isCertificate)?.line;
  return { kind: "damaged", text: `line ${line}: ${fault?.text ?? "the certificate is damaged"}` };
}

function readIfWhole({ der }: PemBlock): Certificate | undefined {
  try {
    return readCertificate(der);
  } catch {
    return undefined;
  }
}

/**
 * The keys and certificates of an installed file, encoded again so that nothing else in it can
 * reach HAProxy; undefined when there is nothing to which HAProxy could be rolled back.
 * @param keyFile what the file of its key holds, where it has one
 */
export async function sendableOf(
  { leaf, bytes }: Installed,
  keyFile: Uint8Array = new Uint8Array(),
): Promise<Sendable | undefined> {
  if (!leaf) return undefined;
  const blocks = [...scanPem(bytes).blocks, ...scanPem(keyFile).blocks];
  const [key] = blocks.filter((block) => isPrivateKey(block) && !isEncrypted(block));
  const others = blocks.filter(isCertificate).map(readIfWhole)
    .filter((one) => one !== undefined && !sameBytes(one.der, leaf.der));
  const chain = [leaf, ...others].map((one) => encodePem("CERTIFICATE", one!.der)).join("");
  return await sendableWith(leaf, (key ? encodePem(key.label, key.der) : "") + chain);
}

export async function sendableWith(leaf: Certificate, pem: string): Promise<Sendable> {
  return { pem, fingerprint: await fingerprint(leaf, "SHA-1"), serial: leaf.serial };
}

interface Comparison {
  /** What `--force` turns into warnings. */
  refusals: string[];
  warnings: string[];
}

/** Whether a new leaf may replace the installed file. */
export function compareInstalled(
  leaf: Certificate,
  { name, leaf: old, fault }: Installed,
): Comparison {
  const comparison: Comparison = { refusals: [], warnings: [] };
  const { refusals, warnings } = comparison;
  if (fault?.kind === "foreign") refusals.push(`${name}: the installed file ${fault.text}`);
  else if (fault) warnings.push(`${name}: the installed file was damaged: ${fault.text}`);
  if (!old || old.placeholder) return comparison;
  compareAge(leaf, old, comparison);
  if (refusals.length > 0) return comparison;
  compareNames(leaf, { name, old }, comparison);
  warnings.push(...changedKey(leaf, { name, old }));
  return comparison;
}

function compareAge(leaf: Certificate, old: Certificate, { refusals, warnings }: Comparison): void {
  const age = isOlder(issuanceOf(leaf), issuanceOf(old));
  if (age === "no") return;
  const since = `valid from ${leaf.notBefore.toISOString()}, not ${old.notBefore.toISOString()}`;
  if (age === "older") {
    refusals.push(`${titleOf(leaf)} is older than the installed ${titleOf(old)}: ${since}`);
  } else {
    warnings.push(
      `${titleOf(leaf)} begins before the installed ${titleOf(old)} (${since}), but is issued by ` +
        `${leaf.issuer.text} instead of ${old.issuer.text} and ends later`,
    );
  }
}

/** Names count by what they cover: a wildcard takes the place of the names below it. */
function compareNames(
  leaf: Certificate,
  { name, old }: { name: string; old: Certificate },
  { refusals, warnings }: Comparison,
): void {
  const lost = hostNames(old).filter((one) => !covers(leaf.names, one));
  if (lost.length === 0) return;
  const list = lost.slice(0, 10).map((one) => one.slice(0, 100)).join(", ");
  const related = lost.length < hostNames(old).length ||
    hostNames(leaf).some((one) => covers(old.names, one));
  if (related) warnings.push(`${titleOf(leaf)} no longer covers ${list}`);
  else refusals.push(`${name}: is for ${list}; ${titleOf(leaf)} covers none of these`);
}

function hostNames({ names }: Certificate): string[] {
  return names.filter(({ kind }) => kind === "DNS" || kind === "IP")
    .map(({ value }) => value.toLowerCase());
}

function changedKey(
  leaf: Certificate,
  { name, old }: { name: string; old: Certificate },
): string[] {
  if (leaf.key.family === old.key.family) return [];
  // HAProxy's suffixes for certificates of several kinds of key under one name.
  const base = name.replace(/\.(?:rsa|ecdsa|dsa)$/, "");
  return [
    `${name}: the certificate changes from a key of ${old.key.name} to one of ${leaf.key.name}, ` +
    "so clients that support only the former can no longer connect; to serve both kinds, name the " +
    `files ${base}.rsa and ${base}.ecdsa`,
  ];
}
