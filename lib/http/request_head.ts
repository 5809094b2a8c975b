/**
 * A strict reader of HTTP/1.1 and HTTP/1.0 request heads (RFC 9112 sections 2 to 6).
 *
 * It reads strictly from left to right: what it says of a prefix never depends on how the bytes
 * were cut into reads, and each byte is looked at once, so that a client which sends its head byte
 * by byte costs no more than one that sends it whole. It does not read bodies, does not decode or
 * normalise the target, and leaves the grammar of the Host value to host.ts. It refuses whatever
 * two parsers might read differently (bare LF, folded lines, blanks before a colon, repeated
 * lengths).
 */

import { type FieldFault, type FieldMeaning, latin1, RequestFields } from "./request_fields.ts";

/**
 * Bytes of a head with its final blank line, fields in it, bytes of its target. HAProxy with its
 * default buffers takes 15 KiB and 101 fields (tune.bufsize, tune.http.maxhdr), nginx a request
 * line of 8 KiB: what reaches the service on port 443 must not fail here on its way there.
 */
export const MAX_HEAD_BYTES = 16_384;
export const MAX_FIELDS = 101;
export const MAX_TARGET_BYTES = 8_192;
/** Longer than any registered method; refuses a method of ten thousand letters early. */
const MAX_METHOD = 64;

/** Why a head was refused; the word that the log and the metrics use. */
type HeadFault =
  | "bad_request_line"
  | "bad_version"
  | "bad_method"
  | "bad_header"
  | "target_too_long"
  | "head_too_large"
  | FieldFault;

export interface RequestHead extends FieldMeaning {
  kind: "head";
  /** Any token (RFC 9110 section 9.1). */
  method: string;
  /** The request target, byte for byte: no controls, no blanks; a character is a byte. */
  target: string;
  /** The minor version: 0 or 1. */
  minor: number;
  /** Bytes that the head took. */
  length: number;
}

export interface HeadRefusal {
  kind: "refusal";
  status: 400 | 405 | 413 | 414 | 431 | 505;
  fault: HeadFault;
}

/** Incomplete: everything so far may still become a good head. */
export type HeadResult = RequestHead | HeadRefusal | { kind: "incomplete" };

const INCOMPLETE: HeadResult = { kind: "incomplete" };

const CR = 13;
const LF = 10;
const SP = 32;
const HTAB = 9;
const COLON = 58;

/** RFC 9110 section 5.6.2 tchar. */
const TOKEN = byteSet((byte) => /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte)));
/** No controls and no blanks; which characters a target may hold is the handler's decision. */
const VISIBLE = byteSet((byte) => byte > 0x20 && byte !== 0x7f);
/** RFC 9110 section 5.5 field-content, with obs-text. */
const VALUE = byteSet((byte) => byte === HTAB || (byte >= 0x20 && byte !== 0x7f));

function byteSet(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => holds(byte) ? 1 : 0);
}

/** The part of a head that is being read; names and values alternate until an empty line. */
const START = 0;
const METHOD = 1;
const TARGET = 2;
const VERSION = 3;
const NAME = 4;
const FIELD_VALUE = 5;

/** Reads one head, in as many calls as its bytes take to arrive. */
export class HeadReader {
  #part = START;
  /** Offsets from the start of the head: up to where it was read, and where its part begins. */
  #at = 0;
  #mark = 0;
  #nameEnd = 0;
  #count = 0;
  #method = "";
  #target = "";
  #minor = 0;
  #fields = new RequestFields();

  /**
   * Reads on, where `bytes[start]` is the first byte of the head and `bytes[end]` the first that
   * has not arrived; what was read before must still stand there.
   */
  read(bytes: Uint8Array, start: number, end: number): HeadResult {
    const stop = Math.min(end, start + MAX_HEAD_BYTES);
    let at = start + this.#at;
    let mark = start + this.#mark;
    while (at < stop) {
      switch (this.#part) {
        case START:
          // RFC 9112 section 2.2: one empty line before a request line is ignored, if it ends in
          // CRLF.
          if (bytes[at] === CR) {
            if (at + 1 === stop) return this.#pause(at, mark, start, stop);
            if (bytes[at + 1] !== LF) return refusal(400, "bad_request_line");
            at += 2;
          }
          mark = at;
          this.#part = METHOD;
          break;
        case METHOD:
          while (at < stop && TOKEN[bytes[at]!] === 1) at++;
          if (at - mark > MAX_METHOD) return refusal(405, "bad_method");
          if (at === stop) break;
          if (at === mark || bytes[at] !== SP) return refusal(400, "bad_request_line");
          this.#method = latin1(bytes, mark, at);
          mark = ++at;
          this.#part = TARGET;
          break;
        case TARGET:
          while (at < stop && VISIBLE[bytes[at]!] === 1) at++;
          if (at - mark > MAX_TARGET_BYTES) return refusal(414, "target_too_long");
          if (at === stop) break;
          if (at === mark || bytes[at] !== SP) return refusal(400, "bad_request_line");
          this.#target = latin1(bytes, mark, at);
          mark = ++at;
          this.#part = VERSION;
          break;
        case VERSION:
          while (at < stop && at - mark < VERSION_LENGTH) {
            if (!fitsVersion(bytes[at]!, at - mark)) return refusal(400, "bad_request_line");
            at++;
          }
          if (at - mark < VERSION_LENGTH) break;
          {
            const refused = this.#readVersion(bytes[mark + 5]! - 48, bytes[mark + 7]! - 48);
            if (refused) return refused;
          }
          mark = at;
          this.#part = NAME;
          break;
        case NAME:
          if (at === mark && bytes[at] === CR) {
            if (at + 1 === stop) return this.#pause(at, mark, start, stop);
            return bytes[at + 1] === LF ? this.#whole(at + 2 - start) : refusal(400, "bad_header");
          }
          if (this.#count === MAX_FIELDS) return refusal(431, "head_too_large");
          while (at < stop && TOKEN[bytes[at]!] === 1) at++;
          if (at === stop) break;
          if (at === mark || bytes[at] !== COLON) return refusal(400, "bad_header");
          this.#nameEnd = at - start;
          at++;
          this.#part = FIELD_VALUE;
          break;
        case FIELD_VALUE: {
          while (at < stop && VALUE[bytes[at]!] === 1) at++;
          if (at === stop) break;
          if (bytes[at] !== CR) return refusal(400, "bad_header");
          if (at + 1 === stop) return this.#pause(at, mark, start, stop);
          if (bytes[at + 1] !== LF) return refusal(400, "bad_header");
          const nameEnd = start + this.#nameEnd;
          this.#fields.add(bytes, { nameStart: mark, nameEnd, valueEnd: at });
          mark = at += 2;
          this.#count++;
          this.#part = NAME;
          break;
        }
      }
    }
    return this.#pause(at, mark, start, stop);
  }

  /** Notes how far it came. */
  #pause(at: number, mark: number, start: number, stop: number): HeadResult {
    this.#at = at - start;
    this.#mark = mark - start;
    // A head of exactly MAX_HEAD bytes is good; as many without an end are not.
    return stop === start + MAX_HEAD_BYTES ? refusal(431, "head_too_large") : INCOMPLETE;
  }

  /**
   * Versions 0.x, 1.2 and on, and 2.0 (whose only request line is the preface of HTTP/2) never
   * stand in a request line of HTTP/1 and are 400; a later major version is not supported: 505 (RFC
   * 9110 section 15.6.6).
   */
  #readVersion(major: number, minor: number): HeadRefusal | undefined {
    if (major > 2) return refusal(505, "bad_version");
    if (major !== 1 || minor > 1) return refusal(400, "bad_version");
    this.#minor = minor;
    return undefined;
  }

  #whole(length: number): HeadResult {
    const fields = this.#fields.meaning(this.#minor);
    if ("fault" in fields) return refusal(fields.status, fields.fault);
    return {
      kind: "head",
      method: this.#method,
      target: this.#target,
      minor: this.#minor,
      length,
      host: fields.host,
      body: fields.body,
      keepAlive: fields.keepAlive,
      via: fields.via,
      cameByHttps: fields.cameByHttps,
    };
  }
}

/** `HTTP/1.1` and its line end. */
const VERSION_LENGTH = 10;
const VERSION_TEXT = [72, 84, 84, 80, 47, 0, 46, 0, CR, LF];

function fitsVersion(byte: number, at: number): boolean {
  const wanted = VERSION_TEXT[at];
  return wanted === 0 ? byte >= 48 && byte <= 57 : byte === wanted;
}

function refusal(status: HeadRefusal["status"], fault: HeadFault): HeadRefusal {
  return { kind: "refusal", status, fault };
}
