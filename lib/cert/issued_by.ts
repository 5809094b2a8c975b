/**
 * Whether one certificate signed another: the names match and the signature is valid.
 *
 * Names alone prove nothing (two CAs may share one), and HAProxy accepts a wrong intermediate
 * silently. Dates, key usage and revocation are not checked here.
 */

import { messageOf } from "../errors.ts";
import { type Certificate, sameBytes } from "./certificate.ts";
import { readDer, readInteger, readSequence } from "./der.ts";
import type { KeyKind } from "./key_kind.ts";

/** `unknown` carries why the signature could not be checked; it must not be taken for a yes. */
export type Issued = { answer: "yes" | "no" } | { answer: "unknown"; reason: string };

interface Scheme {
  /** Of the keys that sign so. */
  family: KeyKind["family"];
  /** WebCrypto's name; absent where the algorithm has its own digest (RFC 8410). */
  hash?: string;
}

const SCHEMES = new Map<string, Scheme>([
  // Weak digests are verified too, to find out who signed; bundle.ts and the check of expiry report
  // them.
  ["1.2.840.113549.1.1.5", { family: "RSA", hash: "SHA-1" }],
  ["1.2.840.113549.1.1.11", { family: "RSA", hash: "SHA-256" }],
  ["1.2.840.113549.1.1.12", { family: "RSA", hash: "SHA-384" }],
  ["1.2.840.113549.1.1.13", { family: "RSA", hash: "SHA-512" }],
  ["1.2.840.10045.4.3.2", { family: "EC", hash: "SHA-256" }],
  ["1.2.840.10045.4.3.3", { family: "EC", hash: "SHA-384" }],
  ["1.2.840.10045.4.3.4", { family: "EC", hash: "SHA-512" }],
  ["1.3.101.112", { family: "Ed25519" }],
]);

/**
 * The issuers' keys that the runtime verifies correctly. For P-521 and secp256k1 Deno 2.9.6 rejects
 * valid signatures. The size of RSA keys is bounded because the chain is untrusted input.
 */
function isJudged({ family, name, bits }: KeyKind): boolean {
  if (family === "RSA") return bits! <= 8192;
  return name === "P-256" || name === "P-384" || name === "Ed25519";
}

/** Names are compared as bytes, which RFC 5280 section 7.1 allows and every public CA keeps. */
export async function issuedBy(certificate: Certificate, issuer: Certificate): Promise<Issued> {
  if (!sameBytes(certificate.issuer.der, issuer.subject.der)) return { answer: "no" };
  const { algorithm, signed, value } = certificate.signature;
  const scheme = SCHEMES.get(algorithm);
  if (!scheme) {
    return { answer: "unknown", reason: `signature algorithm ${algorithm} is not supported` };
  }
  if (!isJudged(issuer.key)) {
    return { answer: "unknown", reason: `signatures by ${issuer.key.name} keys are not supported` };
  }
  if (scheme.family !== issuer.key.family) return { answer: "no" };
  try {
    const quick = webCryptoAlgorithm(scheme, issuer.key);
    const good = quick
      ? await verifyByWebCrypto(certificate, { issuer, algorithm: quick })
      : await verifyByNode(signed, { issuer, hash: scheme.hash, value });
    return { answer: good ? "yes" : "no" };
  } catch (error) {
    return { answer: "unknown", reason: `${issuer.key.name}: ${messageOf(error)}` };
  }
}

/** Bytes of r and of s, where WebCrypto knows the curve; it knows one digest for each. */
const CURVES = new Map([
  ["P-256", { hash: "SHA-256", bytes: 32 }],
  ["P-384", { hash: "SHA-384", bytes: 48 }],
]);

/** WebCrypto's name of the scheme: it is there already, while node:crypto takes long to load. */
function webCryptoAlgorithm(
  { family, hash }: Scheme,
  { name }: KeyKind,
): { name: string; hash: string; namedCurve?: string } | undefined {
  if (family === "RSA") return { name: "RSASSA-PKCS1-v1_5", hash: hash! };
  if (family === "EC" && CURVES.get(name)?.hash === hash) {
    return { name: "ECDSA", hash: hash!, namedCurve: name };
  }
  return undefined;
}

async function verifyByNode(
  signed: Uint8Array,
  { issuer, hash, value }: { issuer: Certificate; hash?: string; value: Uint8Array },
): Promise<boolean> {
  const { createPublicKey, verify } = await import("node:crypto");
  const key = createPublicKey({ key: issuer.spki as never, format: "der", type: "spki" });
  return verify(hash?.replace("-", "").toLowerCase() ?? null, signed, key, value);
}

/** The issuer's key that was read last: thousands of files have the same intermediate. */
let last: { spki: Uint8Array; hash: string; key: CryptoKey } | undefined;

async function verifyByWebCrypto(
  { signature: { value, signed } }: Certificate,
  { issuer: { spki, key: { name } }, algorithm }: {
    issuer: Certificate;
    algorithm: { name: string; hash: string; namedCurve?: string };
  },
): Promise<boolean> {
  const curve = CURVES.get(name);
  const raw = curve ? rawSignature(value, curve.bytes) : value;
  if (!raw) return false;
  const known = last?.hash === algorithm.hash && sameBytes(spki, last.spki) ? last : undefined;
  const key = known?.key ??
    await crypto.subtle.importKey("spki", spki as BufferSource, algorithm, false, ["verify"]);
  last = { spki, hash: algorithm.hash, key };
  const { subtle } = crypto;
  return await subtle.verify(algorithm, key, raw as BufferSource, signed as BufferSource);
}

/** r and s of RFC 3279 section 2.2.3 side by side, as WebCrypto wants them; undefined for others. */
function rawSignature(der: Uint8Array, bytes: number): Uint8Array<ArrayBuffer> | undefined {
  const raw = new Uint8Array(2 * bytes);
  try {
    const parts = readSequence(readDer(der), "signature");
    if (parts.length !== 2) return undefined;
    for (const [i, part] of parts.entries()) {
      const { magnitude, negative } = readInteger(part, "signature");
      if (negative || magnitude.length > bytes) return undefined;
      raw.set(magnitude, (i + 1) * bytes - magnitude.length);
    }
    return raw;
  } catch {
    return undefined;
  }
}
