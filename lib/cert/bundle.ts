/**
 * What may become one of HAProxy's PEM files: a key, its certificate, and the chain above it.
 *
 * All rules of assemble-pem, apart from its I/O. HAProxy refuses to start because of one bad file
 * in its directory, and starts silently with other files that no client accepts, so each rule here
 * has a message, and all faults are reported at once.
 */

import { messageOf } from "../errors.ts";
import { isExpired, isYetToCome } from "./age.ts";
import { type Certificate, readCertificate, sameBytes, titleOf } from "./certificate.ts";
import { orderChain, unique } from "./chain.ts";
import { foreignForm } from "./foreign_form.ts";
import { encodePem, isCertificate, parsePem, type PemBlock } from "./pem.ts";
import { isPrivateKey, keyFits, readPrivateKey } from "./private_key.ts";
import { compareInstalled, type Installed, type Sendable, sendableWith } from "./installed.ts";

interface NamedBytes {
  /** Its name in messages: a path. */
  name: string;
  bytes: Uint8Array;
}

export interface BundleInput {
  /** Where the private key is; certificates in it are passed over. */
  key: NamedBytes;
  /** Certificate, then chain; the leaf is the first certificate of the first file. */
  certificates: NamedBytes[];
  /** The file at the target now. */
  installed?: Installed;
  now: Date;
  /** Replaces what is newer, unrelated, or no PEM file; takes a weak signature. @default false */
  force?: boolean;
}

export interface Bundle {
  /** Key, leaf, intermediates: re-encoded, and for the same input always the same bytes. */
  pem: Uint8Array;
  /** The same for HAProxy's runtime API. */
  sendable: Sendable;
  /** The key alone, as PEM. */
  keyPem: Uint8Array;
  leaf: Certificate;
  intermediates: Certificate[];
  /** True when the installed file holds exactly `pem`. */
  unchanged: boolean;
  warnings: string[];
}

/** Either the bundle, or every reason why there is none, each a sentence for the operator. */
type BundleResult = { ok: true; bundle: Bundle } | { ok: false; refusals: string[] };

/** A file holds a few certificates; each costs signature checks. */
const MAX_CERTIFICATES = 20;

/**
 * No client accepts them any more, except in roots. Whether HAProxy loads one depends on its
 * version and OpenSSL's security level: 2.6 of Debian 12 refuses to start with it, 3.0 of Debian 13
 * starts.
 */
const WEAK_SIGNATURES = new Map([
  ["1.2.840.113549.1.1.4", "MD5"],
  ["1.2.840.113549.1.1.5", "SHA-1"],
  ["1.2.840.10040.4.3", "SHA-1"],
  ["1.2.840.10045.4.1", "SHA-1"],
]);

/** Makes the bundle, or tells why there is none. Never throws for what the files hold. */
export async function makeBundle(input: BundleInput): Promise<BundleResult> {
  const refusals: string[] = [];
  const warnings: string[] = [];
  const keyBlocks = readBlocks(input.key, { refusals, warnings });
  const certificateBlocks = input.certificates.flatMap((file) =>
    readBlocks(file, { refusals, warnings }).map((block) => ({ file: file.name, block }))
  );
  const [leaf, ...others] = readCertificates(certificateBlocks, refusals);
  const blocks = [...keyBlocks, ...certificateBlocks.map(({ block }) => block)];
  const key = onlyKey(input.key.name, { blocks, refusals });
  if (!leaf || !key || refusals.length > 0) return { ok: false, refusals };

  refusals.push(...await keyFaults(input.key.name, { block: key, leaf, others }));
  if (refusals.length > 0) return { ok: false, refusals };

  const chain = await orderChain(leaf, others);
  refusals.push(...chain.refusals);
  const ordered = [leaf, ...chain.intermediates];
  refusals.push(...ordered.flatMap((one) => certificateFaults(one, input.now)));
  if (!leaf.selfIssued && !chain.rooted && chain.intermediates.length === 0) {
    warnings.push(
      `no intermediate certificate was given: clients that do not know ${leaf.issuer.text} will ` +
        `refuse ${titleOf(leaf)}`,
    );
  }
  const keyText = encodePem(key.label, key.der);
  const text = keyText + ordered.map(({ der }) => encodePem("CERTIFICATE", der)).join("");
  const pem = new TextEncoder().encode(text);
  const { installed } = input;
  const unchanged = installed !== undefined && sameBytes(pem, installed.bytes);
  const objections = ordered.flatMap(weakSignature);
  if (installed && !unchanged) {
    const comparison = compareInstalled(leaf, installed);
    warnings.push(...comparison.warnings);
    objections.push(...comparison.refusals);
  }
  if (input.force) warnings.push(...objections);
  else refusals.push(...objections.map((reason) => `${reason} (--force overrides this)`));
  if (refusals.length > 0) return { ok: false, refusals };
  const sendable = await sendableWith(leaf, text);
  const keyPem = new TextEncoder().encode(keyText);
  const { intermediates } = chain;
  return { ok: true, bundle: { pem, sendable, keyPem, leaf, intermediates, unchanged, warnings } };
}

interface Remarks {
  refusals: string[];
  warnings: string[];
}

function readBlocks({ name, bytes }: NamedBytes, { refusals, warnings }: Remarks): PemBlock[] {
  let blocks: PemBlock[];
  try {
    blocks = parsePem(bytes);
  } catch (error) {
    refusals.push(`${name}: ${messageOf(error)}`);
    return [];
  }
  if (blocks.length === 0) refusals.push(`${name}: ${describeBlockless(bytes)}`);
  return blocks.filter((block) => {
    const { label, line } = block;
    if (isCertificate(block) || isPrivateKey(block)) return true;
    // `openssl ecparam -genkey` puts them before each key; the key says the same.
    if (label === "EC PARAMETERS") return false;
    if (/\bDH PARAMETERS$/.test(label)) {
      warnings.push(
        `${name}: line ${line}: ${label} are left out: HAProxy reads them from ssl-dh-param-file`,
      );
    } else if (label.endsWith("PARAMETERS")) {
      warnings.push(`${name}: line ${line}: ${label} are left out`);
    } else {
      refusals.push(`${name}: line ${line}: ${label} does not belong in a PEM file for HAProxy`);
    }
    return false;
  });
}

function describeBlockless(bytes: Uint8Array): string {
  if (bytes.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d))) return "is empty";
  return foreignForm(bytes) ?? "holds no PEM block";
}

function readCertificates(
  blocks: { file: string; block: PemBlock }[],
  refusals: string[],
): Certificate[] {
  const found = blocks.filter(({ block }) => isCertificate(block));
  if (found.length === 0 && refusals.length === 0) refusals.push("no certificate was given");
  if (found.length > MAX_CERTIFICATES) {
    refusals.push(
      `${found.length} certificates were given; at most ${MAX_CERTIFICATES} make sense`,
    );
    return [];
  }
  return found.flatMap(({ file, block }) => {
    try {
      return [readCertificate(block.der)];
    } catch (error) {
      refusals.push(`${file}: line ${block.line}: the certificate is damaged: ${messageOf(error)}`);
      return [];
    }
  });
}

/** HAProxy takes the first key in the file, so a second one is never harmless. */
function onlyKey(
  name: string,
  { blocks, refusals }: { blocks: PemBlock[]; refusals: string[] },
): PemBlock | undefined {
  const keys = unique(blocks.filter(isPrivateKey));
  if (keys.length === 0 && refusals.length === 0) refusals.push(`${name}: holds no private key`);
  if (keys.length > 1) {
    refusals.push(`${name}: ${keys.length} different private keys were given; there must be one`);
  }
  return keys[0];
}

async function keyFaults(
  name: string,
  { block, leaf, others }: { block: PemBlock; leaf: Certificate; others: Certificate[] },
): Promise<string[]> {
  try {
    const key = await readPrivateKey(block);
    if (keyFits(key, leaf)) return [];
    const owner = others.find((other) => keyFits(key, other));
    if (owner) {
      const titles = `${titleOf(owner)}, which follows ${titleOf(leaf)}`;
      return [`the leaf must come first: the key belongs to ${titles}`];
    }
    return [`${name}: the private key does not belong to ${titleOf(leaf)}`];
  } catch (error) {
    return [`${name}: ${messageOf(error)}`];
  }
}

function certificateFaults(certificate: Certificate, now: Date): string[] {
  const { notBefore, notAfter, key } = certificate;
  const title = titleOf(certificate);
  const refusals: string[] = [];
  if (isExpired(certificate, now)) refusals.push(`${title} expired on ${notAfter.toISOString()}`);
  if (isYetToCome(certificate, now)) {
    const clock = `the clock says ${now.toISOString()}`;
    refusals.push(`${title} is not valid before ${notBefore.toISOString()}; ${clock}`);
  }
  if (key.family === "RSA" && key.bits! < 2048) {
    refusals.push(`${title} has an ${key.name} key; HAProxy refuses those below 2048 bits`);
  }
  return refusals;
}

function weakSignature(certificate: Certificate): string[] {
  const { signature, selfIssued } = certificate;
  const weak = WEAK_SIGNATURES.get(signature.algorithm);
  if (!weak || selfIssued) return [];
  return [
    `${titleOf(certificate)} is signed with ${weak}: clients refuse it, and HAProxy may not start`,
  ];
}
