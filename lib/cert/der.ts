/**
 * A strict reader for the small part of DER (X.690) that certificates and keys are made of.
 *
 * One spelling for each value: definite minimal lengths, minimal integers, no bytes left over. This
 * file knows nothing of certificates, and decodes only what a caller needs. Everything that is not
 * DER is a SyntaxError that says what was expected; offsets are left out, since an operator cannot
 * count bytes inside base64.
 */

import { parseInstant } from "../time.ts";

/** Tag bytes, with the constructed bit where DER demands it. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One tag-length-value: `raw` is the whole of it, `content` what the length covers. */
export interface Element {
  tag: number;
  content: Uint8Array;
  raw: Uint8Array;
}

/**
 * The one element that `bytes` is, with nothing after it.
 * @throws {SyntaxError} when it is anything else
 */
export function readDer(bytes: Uint8Array): Element {
  const element = elementAt(bytes, 0);
  if (element.raw.length !== bytes.length) {
    throw new SyntaxError(`${bytes.length - element.raw.length} bytes follow the DER structure`);
  }
  return element;
}

/** The element that `bytes` begin with; more may follow it. @throws {SyntaxError} */
export function readFirstDer(bytes: Uint8Array): Element {
  return elementAt(bytes, 0);
}

/** The elements inside a constructed one. @throws {SyntaxError} */
export function childrenOf(element: Element): Element[] {
  const children: Element[] = [];
  for (let offset = 0; offset < element.content.length;) {
    const child = elementAt(element.content, offset);
    children.push(child);
    offset += child.raw.length;
  }
  return children;
}

/**
 * `element` itself when it is there and has the tag.
 * @throws {SyntaxError} naming `what`
 */
export function expectTag(element: Element | undefined, tag: number, what: string): Element {
  if (!element) throw new SyntaxError(`${what} is missing`);
  if (element.tag !== tag) {
    throw new SyntaxError(`${what} has tag ${hexByte(element.tag)} where ${hexByte(tag)} belongs`);
  }
  return element;
}

/** Shorthand for the children of an expected SEQUENCE. @throws {SyntaxError} */
export function readSequence(element: Element | undefined, what: string): Element[] {
  return childrenOf(expectTag(element, TAG.sequence, what));
}

/**
 * The bytes of an INTEGER without its sign byte (`00` for zero), and whether it is below zero.
 * @throws {SyntaxError} when it is empty or not minimal
 */
export function readInteger(
  element: Element | undefined,
  what: string,
): { magnitude: Uint8Array; negative: boolean } {
  const { content } = expectTag(element, TAG.integer, what);
  if (content.length === 0) throw new SyntaxError(`${what} is empty`);
  const [first, second] = [content[0]!, content[1]];
  if (second !== undefined && (first === 0 ? second < 0x80 : first === 0xff && second >= 0x80)) {
    throw new SyntaxError(`${what} is not in its shortest form`);
  }
  const negative = first >= 0x80;
  const magnitude = first === 0 && content.length > 1 ? content.subarray(1) : content;
  return { magnitude, negative };
}

/** @throws {SyntaxError} unless it is exactly TRUE or FALSE */
export function readBoolean(element: Element | undefined, what: string): boolean {
  const { content } = expectTag(element, TAG.boolean, what);
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) {
    throw new SyntaxError(`${what} is neither TRUE nor FALSE`);
  }
  return content[0] === 0xff;
}

/** Dotted decimal. @throws {SyntaxError} */
export function readOid(element: Element | undefined, what: string): string {
  const { content } = expectTag(element, TAG.oid, what);
  const arcs: (number | bigint)[] = [];
  let arc: number | bigint = 0;
  let started = false;
  for (const byte of content) {
    if (!started && byte === 0x80) throw new SyntaxError(`${what} is not in its shortest form`);
    started = true;
    // An arc has no limit; one that a number cannot hold exactly, which is rare, becomes a bigint.
    if (typeof arc === "number" && arc >= 2 ** 45) arc = BigInt(arc);
    arc = typeof arc === "number" ? arc * 128 + (byte & 0x7f) : (arc << 7n) | BigInt(byte & 0x7f);
    if (byte >= 0x80) continue;
    arcs.push(arc);
    [arc, started] = [0, false];
  }
  if (started || arcs.length === 0) throw new SyntaxError(`${what} is cut short`);
  const [first = 0, ...rest] = arcs;
  const top = first < 80 ? Math.trunc(Number(first) / 40) : 2;
  const second = typeof first === "number" ? first - top * 40 : first - BigInt(top * 40);
  return [top, second, ...rest].join(".");
}

/**
 * The bytes of a BIT STRING that is a whole number of bytes, which signatures and keys are.
 * @throws {SyntaxError}
 */
export function readBitString(element: Element | undefined, what: string): Uint8Array {
  const { content } = expectTag(element, TAG.bitString, what);
  if (content[0] !== 0) throw new SyntaxError(`${what} is not a whole number of bytes`);
  return content.subarray(1);
}

/**
 * The parts of an AlgorithmIdentifier (RFC 5280 section 4.1.1.2). Its parameters are an identifier,
 * a NULL or a SEQUENCE in all known algorithms; OpenSSL refuses most others.
 * @throws {SyntaxError}
 */
export function readAlgorithm(
  element: Element | undefined,
  what: string,
): { oid: string; parameters: Element | undefined } {
  const [identifier, parameters, ...rest] = readSequence(element, what);
  const oid = readOid(identifier, what);
  const usual = parameters === undefined || parameters.tag === TAG.sequence ||
    (parameters.tag === TAG.null && parameters.content.length === 0) ||
    (parameters.tag === TAG.oid && readOid(parameters, what) !== "");
  if (!usual || rest.length > 0) {
    throw new SyntaxError(`the parameters of the ${what} are unusable`);
  }
  return { oid, parameters };
}

/**
 * A validity time as RFC 5280 section 4.1.2.5 spells it: to the second, in UTC; two-digit years
 * are 1950 to 2049.
 * @throws {SyntaxError} for other spellings and for dates that no calendar has
 */
export function readTime(element: Element | undefined, what: string): Date {
  if (!element) throw new SyntaxError(`${what} is missing`);
  const text = String.fromCharCode(...element.content.subarray(0, 20));
  const short = element.tag === TAG.utcTime;
  const long = element.tag === TAG.generalizedTime;
  const century = short ? (text < "50" ? "20" : "19") : "";
  const digits = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text)?.slice(1);
  if (!digits || !(short || long)) throw new SyntaxError(`${what} is not a UTC time to the second`);
  const [year, month, day, ...clock] = digits;
  const time = parseInstant(`${year}-${month}-${day}T${clock.join(":")}Z`);
  if (!time) throw new SyntaxError(`${what} is not a date of the calendar`);
  return time;
}

function elementAt(bytes: Uint8Array, offset: number): Element {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined) {
    throw new SyntaxError("the DER structure is cut short");
  }
  if ((tag & 0x1f) === 0x1f) throw new SyntaxError("a DER tag has more than one byte");
  let start = offset + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first - 0x80;
    if (count < 1 || count > 3) throw new SyntaxError("a DER length has an unusable form");
    length = 0;
    for (const byte of bytes.subarray(start, start + count)) length = length * 256 + byte;
    if (length < 0x80 || length < 2 ** (8 * (count - 1))) {
      throw new SyntaxError("a DER length is not in its shortest form");
    }
    start += count;
  }
  if (start + length > bytes.length) throw new SyntaxError("the DER structure is cut short");
  const end = start + length;
  return { tag, content: bytes.subarray(start, end), raw: bytes.subarray(offset, end) };
}

function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}
