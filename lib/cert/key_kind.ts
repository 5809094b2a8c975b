/**
 * Which kind of public key a SubjectPublicKeyInfo holds.
 *
 * HAProxy, the CAs and the runtime's signature checks each support only some of them. Only the
 * curve's name and the size of the modulus are read here.
 */

import {
  type Element,
  readAlgorithm,
  readBitString,
  readDer,
  readInteger,
  readOid,
  readSequence,
} from "./der.ts";

/** `name` is for people (`RSA 2048`, `P-256`, an object identifier when unknown). */
export interface KeyKind {
  family: "RSA" | "EC" | "Ed25519" | "other";
  name: string;
  bits: number | undefined;
}

/** Object identifiers of the algorithms whose keys need a closer look (RFC 8017, RFC 5480). */
export const RSA_KEY = "1.2.840.113549.1.1.1";
export const EC_KEY = "1.2.840.10045.2.1";

const CURVES = new Map<string, [name: string, bits: number]>([
  ["1.2.840.10045.3.1.7", ["P-256", 256]],
  ["1.3.132.0.34", ["P-384", 384]],
  ["1.3.132.0.35", ["P-521", 521]],
  ["1.3.132.0.10", ["secp256k1", 256]],
]);

const OTHERS = new Map([
  ["1.2.840.113549.1.1.10", "RSA-PSS"],
  ["1.2.840.10040.4.1", "DSA"],
  ["1.3.101.113", "Ed448"],
]);

/** Reads the algorithm of a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). @throws {SyntaxError} */
export function readKeyKind(spki: Element | undefined): KeyKind {
  const [algorithm, bits, ...rest] = readSequence(spki, "public key");
  if (rest.length > 0) throw new SyntaxError("the public key has too many fields");
  const { oid, parameters } = readAlgorithm(algorithm, "public key algorithm");
  const key = readBitString(bits, "public key");
  if (oid === RSA_KEY) {
    const [modulus] = readSequence(readDer(key), "RSA public key");
    const size = bitLength(readInteger(modulus, "RSA modulus").magnitude);
    return { family: "RSA", name: `RSA ${size}`, bits: size };
  }
  if (oid === EC_KEY) {
    const [name, bits] = curveOf(readOid(parameters, "elliptic curve"));
    return { family: "EC", name, bits };
  }
  if (oid === "1.3.101.112") return { family: "Ed25519", name: "Ed25519", bits: 256 };
  return { family: "other", name: OTHERS.get(oid) ?? oid, bits: undefined };
}

/** The name of a curve and the bits of its field, by its object identifier. */
export function curveOf(oid: string): [name: string, bits: number | undefined] {
  return CURVES.get(oid) ?? [`curve ${oid}`, undefined];
}

function bitLength(magnitude: Uint8Array): number {
  return magnitude.length * 8 - Math.clz32(magnitude[0]!) + 24;
}
