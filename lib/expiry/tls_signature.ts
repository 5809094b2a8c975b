/**
 * Whether the server has the private key of the certificate that it sends: its signature in the
 * handshake. HAProxy starts with a damaged ECDSA key and then fails with every client.
 */

import type { Bytes } from "./tls_bytes.ts";
import { type Certificate, readCertificate } from "../cert/certificate.ts";

interface Scheme {
  hash: string | null;
  pss?: true;
}

/** SignatureScheme (RFC 8446 section 4.2.3); those of TLS 1.2 have the same numbers. */
const SCHEMES = new Map<number, Scheme>([
  [0x0403, { hash: "sha256" }],
  [0x0503, { hash: "sha384" }],
  [0x0603, { hash: "sha512" }],
  [0x0401, { hash: "sha256" }],
  [0x0501, { hash: "sha384" }],
  [0x0601, { hash: "sha512" }],
  [0x0804, { hash: "sha256", pss: true }],
  [0x0805, { hash: "sha384", pss: true }],
  [0x0806, { hash: "sha512", pss: true }],
  [0x0807, { hash: null }],
]);

/**
 * The kinds of key whose signatures this runtime verifies correctly; see issued_by.ts in lib/cert.
 */
function isJudged({ key: { family, name, bits } }: Certificate): boolean {
  if (family === "RSA") return bits! <= 8192;
  return name === "P-256" || name === "P-384" || name === "Ed25519";
}

/** Undefined when the signature is of a kind that cannot be checked here. */
export async function isSignedBy(
  der: Bytes,
  { scheme, data, signature }: { scheme: number; data: Bytes; signature: Bytes },
): Promise<boolean | undefined> {
  const known = SCHEMES.get(scheme);
  if (!known) return undefined;
  const { constants, createPublicKey, verify } = await import("node:crypto");
  try {
    const certificate = readCertificate(der);
    if (!isJudged(certificate)) return undefined;
    const key = createPublicKey({ key: certificate.spki as never, format: "der", type: "spki" });
    const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_AUTO: saltLength } = constants;
    const how = known.pss ? { key, padding, saltLength } : key;
    return verify(known.hash, data, how as never, signature);
  } catch {
    return undefined;
  }
}
