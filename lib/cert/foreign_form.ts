/**
 * Forms in which keys and certificates are passed around that HAProxy does not read: what a file
 * without a PEM block is, so that its operator knows how to convert it.
 */

import { childrenOf, readDer, readOid, TAG } from "./der.ts";

/** The form of a file that is a certificate, or was one before it was damaged. */
export const DER_CERTIFICATE =
  "is a certificate in DER, not PEM: convert it with openssl x509 -inform DER";

/** What the bytes are and what to do, as the end of a sentence about a file; undefined if unknown. */
export function foreignForm(bytes: Uint8Array): string | undefined {
  if (isUtf16(bytes)) return "is UTF-16 text, as editors on Windows save it: save it as UTF-8";
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return "is compressed: unpack it with gunzip";
  if (isDer(bytes)) return derForm(bytes);
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, 200)).trim();
  if (/^MI[A-Za-z0-9+/]{38}/.test(start)) {
    return "is base64 without BEGIN and END lines: decode it with base64 -d, then convert the DER";
  }
  return undefined;
}

/** Whether a file is DER: a sequence with a long length as no text has, or with the file's own. */
export function isDer(bytes: Uint8Array): boolean {
  return bytes[0] === 0x30 && (bytes[1]! >= 0x80 || bytes[1]! + 2 === bytes.length);
}

function isUtf16([first, second]: Uint8Array): boolean {
  const marked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  const [dash, high] = [0x2d, 0x00];
  return marked || (first === dash && second === high) || (first === high && second === dash);
}

/** Told by the first two members of the outermost sequence (RFC 5652, 5958, 7292, 8017). */
function derForm(bytes: Uint8Array): string {
  const unknown = "is DER, not PEM: convert it with openssl";
  try {
    const [first, second, third] = childrenOf(readDer(bytes));
    if (first?.tag === TAG.integer) {
      return first.content[0] === 3
        ? "is PKCS#12, not PEM: convert it with openssl pkcs12 -nodes"
        : "is a private key in DER, not PEM: convert it with openssl pkey -inform DER";
    }
    if (first?.tag === TAG.oid) {
      return readOid(first, "content type").startsWith("1.2.840.113549.1.7.")
        ? "is PKCS#7, not PEM: convert it with openssl pkcs7 -inform DER -print_certs"
        : unknown;
    }
    if (second?.tag === TAG.octetString) {
      return "is an encrypted private key in DER: convert it with openssl pkey -inform DER";
    }
    return third ? DER_CERTIFICATE : unknown;
  } catch {
    return unknown;
  }
}
