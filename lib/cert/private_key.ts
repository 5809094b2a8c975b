/**
 * Private keys: PKCS#8, PKCS#1 and SEC1, for the kinds that ACME clients make.
 *
 * No part of a key may appear in a message, so the runtime's own errors are never passed on. The
 * key is not converted: the bundle gets the DER of the input, after it has been read as one whole
 * structure. Reading it checks that both halves belong together (see the tests); HAProxy does
 * not check this: it starts with a damaged ECDSA key and then every handshake fails.
 */

import { type Certificate, sameBytes } from "./certificate.ts";
import { readDer, TAG } from "./der.ts";
import { type KeyKind, readKeyKind } from "./key_kind.ts";
import type { PemBlock } from "./pem.ts";
import type { KeyFormat } from "./public_half.ts";

interface PrivateKey {
  kind: KeyKind;
  /** The SubjectPublicKeyInfo of its public half. */
  spki: Uint8Array;
}

/** PEM label to node:crypto's name of the format. */
const FORMATS = new Map<string, KeyFormat>([
  ["PRIVATE KEY", "pkcs8"],
  ["RSA PRIVATE KEY", "pkcs1"],
  ["EC PRIVATE KEY", "sec1"],
]);

/** Whether a block claims to be a private key of any kind. */
export function isPrivateKey({ label }: PemBlock): boolean {
  return label.endsWith("PRIVATE KEY");
}

/** Whether only a passphrase opens it. */
export function isEncrypted({ encrypted, label }: PemBlock): boolean {
  return encrypted || label === "ENCRYPTED PRIVATE KEY";
}

/**
 * Reads one block.
 * @throws {SyntaxError} for encrypted keys, formats and kinds that are not supported, and damage
 */
export async function readPrivateKey(block: PemBlock): Promise<PrivateKey> {
  if (isEncrypted(block)) {
    throw new SyntaxError(
      "the private key is encrypted; HAProxy starts without a passphrase, so decrypt it first",
    );
  }
  if (!FORMATS.has(block.label)) {
    throw new SyntaxError(
      `${block.label} is not a supported key format; use PKCS#8, PKCS#1 or SEC1`,
    );
  }
  if (readDer(block.der).tag !== TAG.sequence) throw new SyntaxError("the private key is damaged");
  const spki = await readPublicHalf(block);
  if (!spki && hasExplicitCurve(block)) {
    throw new SyntaxError(
      "the private key spells its curve out: convert it with openssl ec -param_enc named_curve",
    );
  }
  if (!spki) throw new SyntaxError("the private key is damaged or of a kind that is not supported");
  const kind = readKeyKind(readDer(spki));
  const refusal = refusedKind(kind);
  if (refusal) throw new SyntaxError(`the private key is ${kind.name}: ${refusal}`);
  return { kind, spki };
}

/**
 * The SubjectPublicKeyInfo of the public half of a plain key of any kind that the runtime knows;
 * undefined when it is damaged or of another kind, which the runtime does not tell apart.
 */
export async function readPublicHalf(block: PemBlock): Promise<Uint8Array | undefined> {
  const type = FORMATS.get(block.label);
  if (!type) return undefined;
  // The server, which compares no keys, never loads it.
  const { publicHalfOf } = await import("./public_half.ts");
  try {
    const usual = await publicHalfOf(block.der, type);
    if (usual) return usual;
  } catch {
    return undefined;
  }
  const { createPrivateKey, createPublicKey } = await import("node:crypto");
  try {
    const key = createPrivateKey({ key: block.der as never, format: "der", type });
    return new Uint8Array(createPublicKey(key as never).export({ type: "spki", format: "der" }));
  } catch {
    return undefined;
  }
}

/**
 * Whether the curve is given by its numbers (RFC 3279 section 2.3.5, fieldType prime-field) instead
 * of its name. OpenSSL and HAProxy read such keys, the runtime does not.
 */
export function hasExplicitCurve({ der }: PemBlock): boolean {
  return der.toHex().includes("06072a8648ce3d0101");
}

/** Why HAProxy or common clients do not support such a key; undefined when they do. */
function refusedKind({ family, name, bits }: KeyKind): string | undefined {
  if (family === "RSA") {
    if (bits! < 2048) return "HAProxy refuses RSA keys below 2048 bits";
    return bits! > 8192 ? "RSA keys above 8192 bits are not supported" : undefined;
  }
  const supported = ["P-256", "P-384", "Ed25519"];
  return supported.includes(name) ? undefined : `use RSA, ${supported.join(", ")}`;
}

/** Whether the key is the one in the certificate: their public halves are the same bytes. */
export function keyFits(key: PrivateKey, certificate: Certificate): boolean {
  return sameBytes(key.spki, certificate.spki);
}
