/**
 * Writes the DER that a certificate needs; the reverse of der.ts, and no more than that.
 */

import { isoSeconds } from "../time.ts";
import { TAG } from "./der.ts";

/** One element with the minimal length of X.690 section 10.1. */
export function writeDer(tag: number, ...contents: Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const header = [tag];
  if (length < 0x80) header.push(length);
  else {
    const bytes: number[] = [];
    for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
    header.push(0x80 + bytes.length, ...bytes);
  }
  return join([Uint8Array.from(header), ...contents]);
}

export function writeSequence(...contents: Uint8Array[]): Uint8Array {
  return writeDer(TAG.sequence, ...contents);
}

/** An INTEGER of zero or more from its big-endian bytes, leading zeros dropped. */
export function writeInteger(magnitude: Uint8Array): Uint8Array {
  const first = magnitude.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Uint8Array.of(0) : magnitude.subarray(first);
  return writeDer(TAG.integer, digits[0]! >= 0x80 ? join([Uint8Array.of(0), digits]) : digits);
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function writeOid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const septets = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      septets.unshift(128 + left % 128);
    }
    return septets;
  });
  return writeDer(TAG.oid, Uint8Array.from(bytes));
}

export function writeUtf8(text: string): Uint8Array {
  return writeDer(TAG.utf8String, new TextEncoder().encode(text));
}

/** A BIT STRING of whole bytes. */
export function writeBitString(bytes: Uint8Array): Uint8Array {
  return writeDer(TAG.bitString, Uint8Array.of(0), bytes);
}

/** UTCTime through 2049, GeneralizedTime after that, as RFC 5280 section 4.1.2.5 demands. */
export function writeTime(time: Date): Uint8Array {
  const digits = isoSeconds(time).replace(/\D/g, "");
  const short = time.getUTCFullYear() < 2050;
  const text = `${short ? digits.slice(2) : digits}Z`;
  return writeDer(short ? TAG.utcTime : TAG.generalizedTime, new TextEncoder().encode(text));
}

/**
 * WebCrypto's ECDSA signature (r and s side by side) as the SEQUENCE of two integers that X.509
 * wants (RFC 3279 section 2.2.3).
 */
export function writeEcdsaSignature(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2;
  const numbers = [signature.subarray(0, half), signature.subarray(half)];
  return writeSequence(...numbers.map(writeInteger));
}

/** The parts are small: a kilobyte or two for the largest keys. */
function join(parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
