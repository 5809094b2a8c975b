/**
 * The answers of acme-lb, and their bytes.
 *
 * Bodies and headers are constant but for the Location of a redirect and the content of a token
 * file, so nothing of a request is ever echoed (the reflected XSS of many challenge responders).
 */

/** An answer before it knows whether the connection is kept. */
export interface Answer {
  status: number;
  /** Header lines, each with its CRLF; made by {@link headerLine}. */
  headers: string;
  /** Sent for every method but HEAD. */
  body: string;
  /** Close the connection afterwards, even when the client asked to keep it. */
  close: boolean;
  /** Why the request was refused; the word of the log and the metrics. */
  refused?: string;
}

const REASONS: Record<number, string> = {
  200: "OK",
  301: "Moved Permanently",
  302: "Found",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  413: "Content Too Large",
  414: "URI Too Long",
  421: "Misdirected Request",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/**
 * One header line.
 * @throws {TypeError} when the value holds anything but printable ASCII: it would be a defect of
 * the caller, and must not become a second header
 */
export function headerLine(name: string, value: string): string {
  if (!/^[\x20-\x7e]*$/.test(value)) throw new TypeError(`header ${name} is not printable ASCII`);
  return `${name}: ${value}\r\n`;
}

/**
 * Text must not be taken for a page, run as one, or cached: a token's file is gone a moment later.
 */
const TEXT_HEADERS = headerLine("Content-Type", "text/plain; charset=utf-8") +
  headerLine("X-Content-Type-Options", "nosniff") +
  headerLine("Content-Security-Policy", "default-src 'none'; sandbox") +
  headerLine("Cache-Control", "no-store");

/** 200 with a text that was checked to be printable ASCII. */
export function textAnswer(body: string, close = false): Answer {
  return { status: 200, headers: TEXT_HEADERS, body, close };
}

/** An error: constant text, and the connection closes. */
export function errorAnswer(status: number, extraHeaders = ""): Answer {
  return {
    status,
    headers: TEXT_HEADERS + extraHeaders,
    body: `${status} ${REASONS[status]}\n`,
    close: true,
  };
}

/** The same where it was the request that is wrong; `reason` is a fixed word such as `bad_host`. */
export function refusalAnswer(status: number, reason: string, extraHeaders = ""): Answer {
  return { ...errorAnswer(status, extraHeaders), refused: reason };
}

/** 404 in answer to a well-formed request; the connection may be kept. */
export const NOT_FOUND: Readonly<Answer> = notFound();

/** The same with header lines of its own. */
export function notFound(extraHeaders = ""): Answer {
  return { ...errorAnswer(404, extraHeaders), close: false };
}

/** RFC 9110 section 15.5.6 wants the methods named. */
export function methodNotAllowed(allow: string): Answer {
  return refusalAnswer(405, "method", headerLine("Allow", allow));
}

const encoder = new TextEncoder();
const NO_CONTENT = new Uint8Array(0);
let dateLine = "";
let dateSecond = -1;

/** RFC 9110 section 6.6.1; made once a second. */
function date(now: number): string {
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = headerLine("Date", new Date(second * 1000).toUTCString());
  }
  return dateLine;
}

/**
 * The whole response, in `spare` if it fits there; `bodiless` for HEAD, whose length is that of the
 * GET. Fresh memory for each answer would be a third of the cost of a redirect on a kept connection.
 */
export function encodeAnswer(
  answer: Readonly<Answer>,
  options: { close: boolean; bodiless: boolean },
  spare?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  const { status, headers, body } = answer;
  const content = body === "" ? NO_CONTENT : encoder.encode(body);
  const head = `HTTP/1.1 ${status} ${REASONS[status]}\r\n${date(Date.now())}${headers}` +
    `Content-Length: ${content.length}\r\n${options.close ? "Connection: close\r\n" : ""}\r\n`;
  // A character of a head is a byte: headerLine() takes nothing but ASCII.
  const length = head.length + (options.bodiless ? 0 : content.length);
  const whole = spare && spare.length >= length
    ? spare.subarray(0, length)
    : new Uint8Array(length);
  encoder.encodeInto(head, whole);
  if (!options.bodiless) whole.set(content, head.length);
  return whole;
}
