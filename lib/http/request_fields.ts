/**
 * The header fields that change what happens to a request, and what they mean together: framing
 * (RFC 9112 section 6), Host, whether the connection may be kept. All others are checked for form
 * by the reader of the head and forgotten.
 */

/** Why the fields of a head that is good in form are refused; the word of the log and the metrics. */
export type FieldFault = "bad_host" | "bad_framing" | "body_too_large";

interface FieldRefusal {
  status: 400 | 413;
  fault: FieldFault;
}

/** What the fields of a good head say. */
export interface FieldMeaning {
  /** The Host value without blanks around it; undefined when absent, which 1.0 allows. */
  host: string | undefined;
  /** Bytes of the body that follows: 0 without one, Infinity when its end is not announced. */
  body: number;
  /** HTTP/1.1 without `Connection: close` and without `Upgrade`. */
  keepAlive: boolean;
  /** The Via values, joined; how a request of another acme-lb is recognised. */
  via: string;
  /** A proxy in front reports that the client used https. */
  cameByHttps: boolean;
}

const MAX_U64 = 2n ** 64n - 1n;

/** Where a header field stands in the bytes; `nameEnd` is its colon. */
interface FieldSpan {
  nameStart: number;
  nameEnd: number;
  valueEnd: number;
}

/** Collects the fields of one head. */
export class RequestFields {
  #hosts = 0;
  #host: string | undefined;
  #lengths = 0;
  #contentLength = "";
  #encodings = 0;
  #transferEncoding = "";
  #connection = "";
  #upgrade = false;
  #via = "";
  #cameByHttps = false;

  add(bytes: Uint8Array, span: FieldSpan): void {
    const { nameStart, nameEnd } = span;
    if (!INTERESTING.has(nameEnd - nameStart)) return;
    const value = () => valueOf(bytes, span);
    switch (latin1(bytes, nameStart, nameEnd).toLowerCase()) {
      case "host":
        this.#hosts++;
        this.#host = value();
        break;
      case "content-length":
        this.#lengths++;
        this.#contentLength = value();
        break;
      case "transfer-encoding":
        this.#encodings++;
        this.#transferEncoding = value().toLowerCase();
        break;
      case "connection":
        this.#connection += `,${value().toLowerCase()}`;
        break;
      case "upgrade":
        this.#upgrade = true;
        break;
      case "via":
        this.#via += `,${value()}`;
        break;
      case "x-forwarded-proto":
      case "x-forwarded-scheme":
      case "x-forwarded-protocol":
        // The first of a list is what the client itself used.
        this.#cameByHttps ||= /^https\b/i.test(value());
        break;
      case "x-forwarded-ssl":
      case "front-end-https":
        this.#cameByHttps ||= /^on$/i.test(value());
        break;
      case "forwarded":
        this.#cameByHttps ||= /^[^,]*\bproto="?https\b/i.test(value());
        break;
    }
  }

  /** @param minor the minor version of HTTP/1 */
  meaning(minor: number): FieldMeaning | FieldRefusal {
    // RFC 9112 section 3.2: missing in 1.1, or more than one, is 400.
    if (this.#hosts > 1 || (this.#hosts === 0 && minor === 1)) return refused(400, "bad_host");
    const body = this.#bodyLength(minor);
    if (typeof body !== "number") return body;
    const close = this.#connection !== "" && /(?:^|[\s,])close(?:$|[\s,])/.test(this.#connection);
    return {
      host: this.#host,
      body,
      keepAlive: minor === 1 && !close && !this.#upgrade,
      via: this.#via,
      cameByHttps: this.#cameByHttps,
    };
  }

  #bodyLength(minor: number): number | FieldRefusal {
    if (this.#encodings > 0) {
      // RFC 9112 section 6.1: with a length, or in 1.0, it is an attempt at smuggling.
      const clear = this.#encodings === 1 && this.#transferEncoding === "chunked" &&
        this.#lengths === 0;
      return clear && minor === 1 ? Infinity : refused(400, "bad_framing");
    }
    if (this.#lengths === 0) return 0;
    if (this.#lengths > 1 || !/^\d{1,20}$/.test(this.#contentLength)) {
      return refused(400, "bad_framing");
    }
    const announced = BigInt(this.#contentLength);
    if (announced > MAX_U64) return refused(400, "bad_framing");
    if (announced > BigInt(Number.MAX_SAFE_INTEGER)) return refused(413, "body_too_large");
    return Number(announced);
  }
}

/** Lengths of the names above: most fields of a browser are skipped because of their length. */
const INTERESTING = new Set([3, 4, 7, 9, 10, 14, 15, 17, 18, 20]);

function refused(status: FieldRefusal["status"], fault: FieldFault): FieldRefusal {
  return { status, fault };
}

const SP = 32;
const HTAB = 9;

/** The value without optional white space around it (only SP and HTAB, not all of Unicode's). */
function valueOf(bytes: Uint8Array, { nameEnd, valueEnd }: FieldSpan): string {
  let [from, to] = [nameEnd + 1, valueEnd];
  while (from < to && (bytes[from] === SP || bytes[from] === HTAB)) from++;
  while (to > from && (bytes[to - 1] === SP || bytes[to - 1] === HTAB)) to--;
  return latin1(bytes, from, to);
}

/** Bytes to text one to one (ISO 8859-1, which TextDecoder does not offer). */
export function latin1(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode.apply(null, bytes.subarray(from, to) as unknown as number[]);
}
