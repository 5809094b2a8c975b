/**
 * The public half of a private key, read from its DER, after a proof that both halves belong
 * together: for RSA by arithmetic, for the curves of the CAs by WebCrypto.
 *
 * node:crypto could do all of it; but to load it takes as long as a whole start, and each key three
 * times as long. What is not read here is left to it: see private_key.ts.
 */

import { sameBytes } from "./certificate.ts";
import {
  type Element,
  expectTag,
  readAlgorithm,
  readBitString,
  readDer,
  readInteger,
  readOid,
  readSequence,
  TAG,
} from "./der.ts";
import { writeBitString, writeDer, writeInteger, writeOid, writeSequence } from "./der_writer.ts";
import { curveOf, EC_KEY, RSA_KEY } from "./key_kind.ts";

/** The encodings that ACME clients write, by node:crypto's names. */
export type KeyFormat = "pkcs8" | "pkcs1" | "sec1";

/** Curves whose keys WebCrypto reads. */
const CURVES = new Set(["P-256", "P-384"]);

/** The first byte of a point of which both coordinates follow (SEC 1 section 2.3.3). */
const UNCOMPRESSED = 4;

/** OpenSSL takes no larger modulus; arithmetic with one would keep a check busy. */
const MAX_RSA_BYTES = 2048;

/**
 * The SubjectPublicKeyInfo that belongs to a key of RSA, P-256 or P-384.
 * @returns undefined for every other kind, and for an encoding that is not the usual one
 * @throws {SyntaxError} for damage
 */
export async function publicHalfOf(
  der: Uint8Array,
  format: KeyFormat,
): Promise<Uint8Array | undefined> {
  const whole = readDer(der);
  if (format === "pkcs1") return rsaPublicHalf(whole);
  if (format === "sec1") return await ecPublicHalf(whole, undefined);
  // OneAsymmetricKey, RFC 5958 section 2.
  const [version, algorithm, content, ...rest] = readSequence(whole, "private key");
  if (numberOf(version) !== 0n || rest.length > 0) return undefined;
  const { oid, parameters } = readAlgorithm(algorithm, "private key algorithm");
  if (oid !== RSA_KEY && oid !== EC_KEY) return undefined;
  const inner = readDer(expectTag(content, TAG.octetString, "private key").content);
  return oid === RSA_KEY ? rsaPublicHalf(inner) : await ecPublicHalf(inner, parameters);
}

/**
 * RSAPrivateKey, RFC 8017 appendix A.1.2: every number in it follows from the two primes and the
 * public exponent.
 */
function rsaPublicHalf(key: Element): Uint8Array | undefined {
  const fields = readSequence(key, "RSA private key");
  if (fields.length !== 9 || fields[1]!.content.length > MAX_RSA_BYTES) return undefined;
  const numbers = fields.map(numberOf);
  const [version, n, e, d, p, q, dp, dq, qInverse] = numbers as NineNumbers;
  if (version !== 0n) return undefined;
  const positive = numbers.slice(1).every((number) => number > 0n) && p > 1n && q > 1n;
  const whole = positive && n === p * q &&
    (d * e) % (p - 1n) === 1n && (d * e) % (q - 1n) === 1n &&
    dp === d % (p - 1n) && dq === d % (q - 1n) && (qInverse * q) % p === 1n;
  if (!whole) throw new SyntaxError("the numbers of the RSA key do not belong together");
  const algorithm = writeSequence(writeOid(RSA_KEY), writeDer(TAG.null));
  const both = writeSequence(fields[1]!.raw, fields[2]!.raw);
  return writeSequence(algorithm, writeBitString(both));
}

type NineNumbers = [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];

/** @throws {SyntaxError} for anything but an INTEGER of zero or more */
function numberOf(element: Element | undefined): bigint {
  const { magnitude, negative } = readInteger(element, "number of the private key");
  if (negative) throw new SyntaxError("a number of the private key is negative");
  return BigInt(`0x${magnitude.toHex()}`);
}

/**
 * ECPrivateKey, RFC 5915 section 3. The curve stands in it, around it, or in both places. WebCrypto
 * gets the private half alone and computes the public one; with both it would do so twice.
 */
async function ecPublicHalf(
  key: Element,
  outerParameters: Element | undefined,
): Promise<Uint8Array | undefined> {
  const [version, secret, ...optional] = readSequence(key, "EC private key");
  const [point, inner, ...rest] = optional.toReversed().map(({ content }) => readDer(content));
  const usual = optional.every(({ tag }, i) => tag === (i === optional.length - 1 ? 0xa1 : 0xa0));
  const parameters = outerParameters ?? inner;
  // Without its public half there is nothing to compare; explicit parameters name no curve.
  if (!point || !usual || rest.length > 0) return undefined;
  if (parameters?.tag !== TAG.oid || (inner && inner.tag !== TAG.oid)) return undefined;
  const identifier = readOid(parameters, "elliptic curve");
  const [curve] = curveOf(identifier);
  if (!CURVES.has(curve) || (inner && readOid(inner, "elliptic curve") !== identifier)) {
    return undefined;
  }
  const algorithm = writeSequence(writeOid(EC_KEY), parameters.raw);
  const half = writeDer(TAG.octetString, writeSequence(version!.raw, secret!.raw));
  const pkcs8 = writeSequence(writeInteger(Uint8Array.of(0)), algorithm, half);
  const own = readBitString(point, "public half");
  if (own[0] !== UNCOMPRESSED) return undefined;
  const jwk = await exportKey(pkcs8, curve);
  const [x, y] = [jwk.x!, jwk.y!].map(fromBase64Url) as [Uint8Array, Uint8Array];
  const told = Uint8Array.of(UNCOMPRESSED, ...x, ...y);
  if (!sameBytes(told, own)) {
    throw new SyntaxError("the halves of the EC key do not belong together");
  }
  return writeSequence(algorithm, writeBitString(told));
}

/** @throws {SyntaxError} when WebCrypto does not take it */
async function exportKey(pkcs8: Uint8Array, namedCurve: string): Promise<JsonWebKey> {
  try {
    const algorithm = { name: "ECDSA", namedCurve };
    const { subtle } = crypto;
    const key = await subtle.importKey("pkcs8", pkcs8 as BufferSource, algorithm, true, ["sign"]);
    return await subtle.exportKey("jwk", key);
  } catch {
    throw new SyntaxError("the EC key is damaged");
  }
}

function fromBase64Url(text: string): Uint8Array {
  return Uint8Array.fromBase64(text, { alphabet: "base64url" });
}
