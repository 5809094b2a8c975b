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

/** Digest by signature algorithm; null where the algorithm has its own (RFC 8410). */
const DIGESTS = new Map<string, string | null>([
  // Weak digests are verified too, to find out who signed; bundle.ts and the check of expiry report
  // them.
  ["1.2.840.113549.1.1.5", "sha1"],
  ["1.2.840.113549.1.1.11", "sha256"],
  ["1.2.840.113549.1.1.12", "sha384"],
  ["1.2.840.113549.1.1.13", "sha512"],
  ["1.2.840.10045.4.3.2", "sha256"],
  ["1.2.840.10045.4.3.3", "sha384"],
  ["1.2.840.10045.4.3.4", "sha512"],
  ["1.3.101.112", null],
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
  const digest = DIGESTS.get(algorithm);
  if (digest === undefined) {
    return { answer: "unknown", reason: `signature algorithm ${algorithm} is not supported` };
  }
  if (!isJudged(issuer.key)) {
    return { answer: "unknown", reason: `signatures by ${issuer.key.name} keys are not supported` };
  }
  const quick = QUICK.get(issuer.key.name);
  if (quick?.digest === digest) return await verifyEcdsa(certificate, { issuer, ...quick });
  const { createPublicKey, verify } = await import("node:crypto");
  try {
    const key = createPublicKey({ key: issuer.spki as never, format: "der", type: "spki" });
    return { answer: verify(digest, signed, key, value) ? "yes" : "no" };
  } catch (error) {
    return { answer: "unknown", reason: `${issuer.key.name}: ${messageOf(error)}` };
  }
}

/** The curves and digests that WebCrypto verifies at a fifth of node:crypto's cost. */
const QUICK = new Map([
  ["P-256", { digest: "sha256", hash: "SHA-256", bytes: 32 }],
  ["P-384", { digest: "sha384", hash: "SHA-384", bytes: 48 }],
]);

/** The issuer's key that was read last: thousands of files have the same intermediate. */
let last: { spki: Uint8Array; key: CryptoKey } | undefined;

async function verifyEcdsa(
  { signature: { value, signed } }: Certificate,
  { issuer, hash, bytes }: { issuer: Certificate; hash: string; bytes: number },
): Promise<Issued> {
  try {
    const raw = rawSignature(value, bytes);
    if (!raw) return { answer: "no" };
    const algorithm = { name: "ECDSA", namedCurve: issuer.key.name, hash };
    const known = sameBytes(issuer.spki, last?.spki) ? last : undefined;
    const spki = issuer.spki as BufferSource;
    const key = known?.key ??
      await crypto.subtle.importKey("spki", spki, algorithm, false, ["verify"]);
    last = { spki: issuer.spki, key };
    const good = await crypto.subtle.verify(algorithm, key, raw, signed as BufferSource);
    return { answer: good ? "yes" : "no" };
  } catch (error) {
    return { answer: "unknown", reason: `${issuer.key.name}: ${messageOf(error)}` };
  }
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
