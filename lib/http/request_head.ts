/**
 * A strict reader of HTTP/1.1 and HTTP/1.0 request heads (RFC 9112 sections 2 to 6), as a pure
 * function of the bytes received so far.
 *
 * It judges strictly from left to right: what it says of a prefix never depends on how the bytes
 * were cut into reads. It does not read bodies, does not decode or normalise the target, and
 * leaves the grammar of the Host value to host.ts. It refuses whatever two parsers might read
 * differently (bare LF, folded lines, blanks before a colon, repeated lengths): nothing is gained
 * by guessing on port 80.
 */

/** Bytes of a head with its final blank line, headers in it, and bytes of its target. */
export const MAX_HEAD = 8192;
export const MAX_HEADERS = 64;
export const MAX_TARGET = 2048;
/** Longer than any registered method; stops a method of ten thousand letters early. */
const MAX_METHOD = 32;

/** Why a head was refused; the word that the log and the metrics use. */
export type HeadFault =
  | "bad_request_line"
  | "bad_version"
  | "bad_method"
  | "bad_header"
  | "bad_host"
  | "bad_framing"
  | "expectation"
  | "body_too_large"
  | "target_too_long"
  | "head_too_large";

export interface RequestHead {
  kind: "head";
  method: string;
  /** The request target, byte for byte: printable ASCII without blanks. */
  target: string;
  /** The minor version: 0 or 1. */
  minor: number;
  /** The Host value without blanks around it; undefined when absent, which 1.0 allows. */
  host: string | undefined;
  /** A body follows, by Content-Length or Transfer-Encoding. */
  body: boolean;
  /** HTTP/1.1 without `Connection: close` and without `Upgrade`. */
  keepAlive: boolean;
  /** The Via values, joined; how a request of another acme-lb is recognised. */
  via: string;
  /** Bytes that the head took. */
  length: number;
}

export interface HeadRefusal {
  kind: "refusal";
  status: 400 | 405 | 413 | 414 | 417 | 431 | 505;
  fault: HeadFault;
}

export type HeadResult = RequestHead | HeadRefusal | { kind: "incomplete" };

const INCOMPLETE: HeadResult = { kind: "incomplete" };

const CR = 13;
const LF = 10;
const SP = 32;
const HTAB = 9;
const COLON = 58;

/** RFC 9110 section 5.6.2 tchar. */
const TOKEN = byteSet((byte) => /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte)));
/** Any printable ASCII; which of it a target may hold is the handler's judgement. */
const VISIBLE = byteSet((byte) => byte > 0x20 && byte < 0x7f);
/** RFC 9110 section 5.5 field-content, with obs-text. */
const VALUE = byteSet((byte) => byte === HTAB || (byte >= 0x20 && byte !== 0x7f));

function byteSet(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => holds(byte) ? 1 : 0);
}

/** The headers that change what happens; all others are checked for form and forgotten. */
interface Framing {
  hosts: number;
  host: string | undefined;
  lengths: number;
  contentLength: string;
  encodings: number;
  transferEncoding: string;
  expect: string;
  connection: string;
  upgrade: boolean;
  via: string;
}

/**
 * Reads one request head from `bytes[start]` to `bytes[end]` (exclusive).
 *
 * @returns the head; a refusal with the status to send before closing; or incomplete, when
 * everything so far may still become a good head
 */
export function parseRequestHead(bytes: Uint8Array, start: number, end: number): HeadResult {
  // A head of exactly MAX_HEAD bytes is good; one byte more without an end is not.
  const stop = Math.min(end, start + MAX_HEAD);
  const exhausted = stop < end || stop === start + MAX_HEAD
    ? refusal(431, "head_too_large")
    : INCOMPLETE;
  let at = start;

  // RFC 9112 section 2.2: one empty line before a request line is forgiven, with CRLF alone.
  if (at === stop) return exhausted;
  if (bytes[at] === CR) {
    if (at + 1 === stop) return exhausted;
    if (bytes[at + 1] !== LF) return refusal(400, "bad_request_line");
    at += 2;
  }

  const methodStart = at;
  while (at < stop && TOKEN[bytes[at]!] === 1) {
    if (at - methodStart === MAX_METHOD) return refusal(405, "bad_method");
    at++;
  }
  if (at === stop) return exhausted;
  if (at === methodStart || bytes[at] !== SP) return refusal(400, "bad_request_line");
  const method = ascii(bytes, methodStart, at++);

  const targetStart = at;
  while (at < stop && VISIBLE[bytes[at]!] === 1) {
    if (at - targetStart === MAX_TARGET) return refusal(414, "target_too_long");
    at++;
  }
  if (at === stop) return exhausted;
  if (at === targetStart || bytes[at] !== SP) return refusal(400, "bad_request_line");
  const target = ascii(bytes, targetStart, at++);

  const version = readVersion(bytes, at, stop);
  if (typeof version !== "number") return version === INCOMPLETE ? exhausted : version;
  at += VERSION_LENGTH;

  const framing: Framing = {
    hosts: 0,
    host: undefined,
    lengths: 0,
    contentLength: "",
    encodings: 0,
    transferEncoding: "",
    expect: "",
    connection: "",
    upgrade: false,
    via: "",
  };
  for (let count = 0;; count++) {
    if (at === stop) return exhausted;
    if (bytes[at] === CR) {
      if (at + 1 === stop) return exhausted;
      if (bytes[at + 1] !== LF) return refusal(400, "bad_header");
      at += 2;
      break;
    }
    if (count === MAX_HEADERS) return refusal(431, "head_too_large");
    const nameStart = at;
    while (at < stop && TOKEN[bytes[at]!] === 1) at++;
    if (at === stop) return exhausted;
    if (at === nameStart || bytes[at] !== COLON) return refusal(400, "bad_header");
    const nameEnd = at++;
    const valueStart = at;
    while (at < stop && VALUE[bytes[at]!] === 1) at++;
    if (at === stop) return exhausted;
    if (bytes[at] !== CR) return refusal(400, "bad_header");
    if (at + 1 === stop) return exhausted;
    if (bytes[at + 1] !== LF) return refusal(400, "bad_header");
    noteHeader(framing, { bytes, nameStart, nameEnd, valueStart, valueEnd: at });
    at += 2;
  }
  return judge(framing, { method, target, minor: version, length: at - start });
}

/** `HTTP/1.1` and its line end. */
const VERSION_LENGTH = 10;
const VERSION_PREFIX = [72, 84, 84, 80, 47];

/**
 * The minor version, or why there is none. Versions 0.x, 1.2 and on, and 2.0 (whose only request
 * line is the preface of HTTP/2) never stand in a request line of HTTP/1 and are 400; a later
 * major version is a promise that cannot be kept here: 505 (RFC 9110 section 15.6.6).
 */
function readVersion(bytes: Uint8Array, at: number, stop: number): number | HeadResult {
  for (let i = 0; i < VERSION_LENGTH; i++) {
    if (at + i === stop) return INCOMPLETE;
    const byte = bytes[at + i]!;
    const fits = i < 5
      ? byte === VERSION_PREFIX[i]
      : i === 6
      ? byte === 46
      : i === 8
      ? byte === CR
      : i === 9
      ? byte === LF
      : byte >= 48 && byte <= 57;
    if (!fits) return refusal(400, "bad_request_line");
  }
  const [major, minor] = [bytes[at + 5]! - 48, bytes[at + 7]! - 48];
  if (major > 2) return refusal(505, "bad_version");
  return major === 1 && minor <= 1 ? minor : refusal(400, "bad_version");
}

interface HeaderSpan {
  bytes: Uint8Array;
  nameStart: number;
  nameEnd: number;
  valueStart: number;
  valueEnd: number;
}

function noteHeader(framing: Framing, span: HeaderSpan): void {
  const length = span.nameEnd - span.nameStart;
  // Only these lengths can be one of the names below; most headers of a browser are skipped.
  if (length !== 4 && length !== 10 && length !== 14 && length !== 17 && length > 7) return;
  if (length < 3) return;
  const name = ascii(span.bytes, span.nameStart, span.nameEnd).toLowerCase();
  switch (name) {
    case "host":
      framing.hosts++;
      framing.host = valueOf(span);
      break;
    case "content-length":
      framing.lengths++;
      framing.contentLength = valueOf(span);
      break;
    case "transfer-encoding":
      framing.encodings++;
      framing.transferEncoding = valueOf(span).toLowerCase();
      break;
    case "expect":
      framing.expect = valueOf(span).toLowerCase();
      break;
    case "connection":
      framing.connection += `,${valueOf(span).toLowerCase()}`;
      break;
    case "upgrade":
      framing.upgrade = true;
      break;
    case "via":
      framing.via += `,${valueOf(span)}`;
      break;
  }
}

/** The value without optional white space around it (SP and HTAB alone, not all of Unicode's). */
function valueOf({ bytes, valueStart, valueEnd }: HeaderSpan): string {
  let [from, to] = [valueStart, valueEnd];
  while (from < to && (bytes[from] === SP || bytes[from] === HTAB)) from++;
  while (to > from && (bytes[to - 1] === SP || bytes[to - 1] === HTAB)) to--;
  return ascii(bytes, from, to);
}

const MAX_U64 = 2n ** 64n - 1n;

/** What the headers mean together; only a head that is complete in form comes here. */
function judge(
  framing: Framing,
  line: Pick<RequestHead, "method" | "target" | "minor" | "length">,
): HeadResult {
  const { hosts, host, lengths, contentLength, encodings, transferEncoding } = framing;
  // RFC 9112 section 3.2: missing in 1.1, or more than one, is 400.
  if (hosts > 1 || (hosts === 0 && line.minor === 1)) return refusal(400, "bad_host");
  let body = false;
  if (encodings > 0) {
    // RFC 9112 section 6.1: with a length, or in 1.0, it is an attempt at smuggling.
    const clear = encodings === 1 && transferEncoding === "chunked" && lengths === 0;
    if (!clear || line.minor === 0) return refusal(400, "bad_framing");
    body = true;
  } else if (lengths > 0) {
    if (lengths > 1 || !/^\d{1,20}$/.test(contentLength)) return refusal(400, "bad_framing");
    const announced = BigInt(contentLength);
    if (announced > MAX_U64) return refusal(400, "bad_framing");
    if (announced > BigInt(Number.MAX_SAFE_INTEGER)) return refusal(413, "body_too_large");
    body = announced > 0n;
  }
  // RFC 9110 section 10.1.1: 1.0 clients do not mean it; other expectations are unknown words.
  if (line.minor === 1 && framing.expect === "100-continue") return refusal(417, "expectation");
  const close = framing.connection !== "" && /(?:^|[\s,])close(?:$|[\s,])/.test(framing.connection);
  return {
    kind: "head",
    method: line.method,
    target: line.target,
    minor: line.minor,
    host,
    body,
    keepAlive: line.minor === 1 && !close && !framing.upgrade,
    via: framing.via,
    length: line.length,
  };
}

function refusal(status: HeadRefusal["status"], fault: HeadFault): HeadRefusal {
  return { kind: "refusal", status, fault };
}

/** Bytes to text one to one (ISO 8859-1, which TextDecoder does not offer). */
function ascii(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode.apply(null, bytes.subarray(from, to) as unknown as number[]);
}
