/**
 * What may become one of HAProxy's PEM files: a key, its certificate, and the chain above it.
 *
 * All of assemble-pem's judgement, apart from its I/O. HAProxy refuses to start over one bad file
 * in its directory and starts without a word with others that no client will accept, so each rule
 * here has its sentence, and several wrong things are reported at once.
 */

import { messageOf } from "../errors.ts";
import { type Certificate, readCertificate, sameBytes, titleOf } from "./certificate.ts";
import { orderChain } from "./chain.ts";
import { encodePem, isCertificate, parsePem, type PemBlock } from "./pem.ts";
import { isPrivateKey, keyFits, readPrivateKey } from "./private_key.ts";
import { compareInstalled } from "./installed.ts";

export interface NamedBytes {
  /** How messages call it: a path. */
  name: string;
  bytes: Uint8Array;
}

export interface BundleInput {
  /** Where the private key is; certificates in it are passed over. */
  key: NamedBytes;
  /** Certificate, then chain; the leaf is the first certificate of the first file. */
  certificates: NamedBytes[];
  /** What stands at the target now. */
  installed?: NamedBytes;
  now: Date;
  /** Replaces what is newer, unrelated, or no PEM file. @default false */
  force?: boolean;
}

export interface Bundle {
  /** Key, leaf, intermediates: re-encoded, and for the same input always the same bytes. */
  pem: Uint8Array;
  leaf: Certificate;
  intermediates: Certificate[];
  /** True when the installed file holds exactly `pem`. */
  unchanged: boolean;
  warnings: string[];
}

/** Either the bundle, or every reason why there is none, each a sentence for the operator. */
export type BundleResult = { ok: true; bundle: Bundle } | { ok: false; refusals: string[] };

/** A file holds a handful of certificates; each costs signature checks. */
const MAX_CERTIFICATES = 20;

/** Refused by HAProxy with the OpenSSL of current systems (security level 2), save in roots. */
const WEAK_SIGNATURES = new Map([
  ["1.2.840.113549.1.1.4", "MD5"],
  ["1.2.840.113549.1.1.5", "SHA-1"],
  ["1.2.840.10040.4.3", "SHA-1"],
  ["1.2.840.10045.4.1", "SHA-1"],
]);

/** Judges the input. Never throws for what the files hold. */
export async function makeBundle(input: BundleInput): Promise<BundleResult> {
  const refusals: string[] = [];
  const warnings: string[] = [];
  const keyBlocks = readBlocks(input.key, { refusals, warnings });
  const certificateBlocks = input.certificates.flatMap((file) =>
    readBlocks(file, { refusals, warnings }).map((block) => ({ file: file.name, block }))
  );
  const certificates = readCertificates(certificateBlocks, refusals);
  const key = onlyKey(input.key.name, {
    blocks: [...keyBlocks, ...certificateBlocks.map(({ block }) => block)],
    refusals,
  });
  const [leaf, ...others] = certificates;
  if (!leaf || !key || refusals.length > 0) return { ok: false, refusals };

  refusals.push(...await judgeKey(input.key.name, { block: key, leaf, others }));
  if (refusals.length > 0) return { ok: false, refusals };

  const chain = await orderChain(leaf, others);
  refusals.push(...chain.refusals);
  for (const certificate of [leaf, ...chain.intermediates]) {
    refusals.push(...judgeCertificate(certificate, input.now));
  }
  const pem = new TextEncoder().encode([
    encodePem(key.label, key.der),
    ...[leaf, ...chain.intermediates].map(({ der }) => encodePem("CERTIFICATE", der)),
  ].join(""));
  if (!leaf.selfIssued && !chain.rooted && chain.intermediates.length === 0) {
    warnings.push(
      `no intermediate certificate was given: clients that do not know ${leaf.issuer.text} will refuse ${
        titleOf(leaf)
      }`,
    );
  }
  const unchanged = input.installed !== undefined && sameBytes(pem, input.installed.bytes);
  if (input.installed && !unchanged) {
    const comparison = compareInstalled(leaf, input.installed);
    warnings.push(...comparison.warnings);
    if (input.force) warnings.push(...comparison.refusals);
    else refusals.push(...comparison.refusals.map((reason) => `${reason} (--force replaces it)`));
  }
  if (refusals.length > 0) return { ok: false, refusals };
  return {
    ok: true,
    bundle: { pem, leaf, intermediates: chain.intermediates, unchanged, warnings },
  };
}

interface Findings {
  refusals: string[];
  warnings: string[];
}

function readBlocks({ name, bytes }: NamedBytes, { refusals, warnings }: Findings): PemBlock[] {
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
    if (label === "DH PARAMETERS") {
      warnings.push(
        `${name}: line ${line}: DH PARAMETERS are left out: HAProxy reads them from ssl-dh-param-file`,
      );
    } else if (label !== "EC PARAMETERS") {
      refusals.push(`${name}: line ${line}: ${label} does not belong into HAProxy's file`);
    }
    return false;
  });
}

function describeBlockless(bytes: Uint8Array): string {
  if (bytes.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d))) return "is empty";
  const der = bytes[0] === 0x30 && bytes[1]! >= 0x80;
  return der ? "is DER, not PEM: convert it with openssl" : "holds no PEM block";
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

/** HAProxy takes the first key that it meets, so a second one is never harmless. */
function onlyKey(
  name: string,
  { blocks, refusals }: { blocks: PemBlock[]; refusals: string[] },
): PemBlock | undefined {
  const keys = blocks.filter(isPrivateKey).filter((key, i, all) =>
    all.findIndex(({ der }) => sameBytes(der, key.der)) === i
  );
  if (keys.length === 0 && refusals.length === 0) refusals.push(`${name}: holds no private key`);
  if (keys.length > 1) {
    refusals.push(`${name}: ${keys.length} different private keys were given; there must be one`);
  }
  return keys[0];
}

async function judgeKey(
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

function judgeCertificate(certificate: Certificate, now: Date): string[] {
  const { notBefore, notAfter, key, selfIssued, signature } = certificate;
  const title = titleOf(certificate);
  const refusals: string[] = [];
  if (now > notAfter) refusals.push(`${title} expired on ${notAfter.toISOString()}`);
  if (now < notBefore) {
    const clock = `the clock says ${now.toISOString()}`;
    refusals.push(`${title} is not valid before ${notBefore.toISOString()}; ${clock}`);
  }
  const weak = WEAK_SIGNATURES.get(signature.algorithm);
  if (weak && !selfIssued) refusals.push(`${title} is signed with ${weak}, which HAProxy refuses`);
  if (key.family === "RSA" && key.bits! < 2048) {
    refusals.push(`${title} has an ${key.name} key; HAProxy refuses those below 2048 bits`);
  }
  return refusals;
}
