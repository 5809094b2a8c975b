/**
 * Asking a server for one target and keeping the whole answer: status, fields, bytes and times.
 *
 * For self-test, which judges what the CA or a peer would see; `ask_peer.ts`, which serves, keeps
 * the text alone. Leaves out redirects, which are told and not followed, and compression: the CA
 * offers gzip, but whoever compresses a line of 87 bytes is told from the header.
 */

import type { SocketAddress } from "../address.ts";
import { HOP } from "./ask_peer.ts";
import { dial, type NetworkFault, networkFault } from "./dial.ts";
import { parseResponseHead, type ResponseHead } from "./response_head.ts";

/** Why there is no answer; the words of {@link PeerOutcome}. */
export type AskFault = NetworkFault | "empty" | "bad_framing" | "too_large";

/** A complete answer. */
export interface Answered {
  status: number;
  /** By name in lower case; values of a repeated field are joined with a comma. */
  fields: Record<string, string>;
  /** One character a byte; read for status 200 alone. */
  body: string;
  /** Milliseconds since the epoch, before the question was sent and after its answer had come. */
  sent: number;
  received: number;
}

/** No answer, or none that can be read. */
export interface Failed {
  fault: AskFault;
  /** There was a connection; without one the CA tries its second address, after it no other. */
  connected: boolean;
}

/** What came of asking, after so many milliseconds. */
export type Reply = (Failed | ({ fault?: undefined } & Answered)) & { ms: number };

export interface AskWholeOptions {
  /** The request target, origin form. */
  target: string;
  /** The Host header. */
  host: string;
  /** Milliseconds for the connection, the question and the answer together. */
  timeout: number;
  /** As a balancer asks (HTTP/1.0, marked so that it is not asked further), not as the CA does. */
  asPeer?: boolean;
  /** Ends the asking; the fault is then `timeout`. */
  signal: AbortSignal;
}

const MAX_HEAD = 8192;
const MAX_BODY = 4096;

/**
 * Like the CA's (`Mozilla/5.0 (compatible; Let's Encrypt validation server; …)`) as far as honesty
 * allows: filters in front of a balancer look at the first words.
 */
const USER_AGENT = "Mozilla/5.0 (compatible; acme-lb self-test)";

/** Asks once. Never rejects. */
export async function askWhole(address: SocketAddress, options: AskWholeOptions): Promise<Reply> {
  const began = performance.now();
  const result = await ask(address, options);
  return { ...result, ms: Math.round(performance.now() - began) };
}

async function ask(
  address: SocketAddress,
  options: AskWholeOptions,
): Promise<Failed | Answered> {
  const controller = new AbortController();
  const { signal } = controller;
  const abort = () => controller.abort();
  const timer = setTimeout(abort, options.timeout);
  options.signal.addEventListener("abort", abort, { once: true });
  if (options.signal.aborted) abort();
  let connected = false;
  try {
    using conn = await dial(address, { timeout: options.timeout, signal });
    connected = true;
    signal.addEventListener("abort", () => conn.close(), { once: true });
    signal.throwIfAborted();
    const sent = Date.now();
    await conn.write(new TextEncoder().encode(requestText(options)));
    const answer = await readAnswer(conn);
    return "fault" in answer ? { ...answer, connected } : { ...answer, sent, received: Date.now() };
  } catch (error) {
    return { fault: signal.aborted ? "timeout" : networkFault(error), connected };
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener("abort", abort);
  }
}

function requestText({ target, host, asPeer }: AskWholeOptions): string {
  const [version, more] = asPeer
    ? ["1.0", `Via: 1.0 ${HOP}\r\n`]
    : ["1.1", `User-Agent: ${USER_AGENT}\r\n`];
  return `GET ${target} HTTP/${version}\r\nHost: ${host}\r\n${more}` +
    "Accept: */*\r\nConnection: close\r\n\r\n";
}

type Parsed = Pick<Answered, "status" | "fields" | "body"> | { fault: AskFault };

async function readAnswer(conn: Deno.TcpConn): Promise<Parsed> {
  // Chunks may be of one byte each, with their sizes and line ends around them.
  const buffer = new Uint8Array(MAX_HEAD + 8 * MAX_BODY);
  let filled = 0;
  while (true) {
    const count = await conn.read(buffer.subarray(filled));
    filled += count ?? 0;
    const ended = count === null;
    const parsed = parseAnswer(buffer.subarray(0, filled), ended);
    if (parsed) return parsed;
    if (filled === buffer.length) return { fault: "too_large" };
  }
}

/**
 * The answer in the bytes, or undefined when more are needed; with `ended` there are no more, and
 * the result is never undefined.
 */
export function parseAnswer(bytes: Uint8Array, ended: boolean): Parsed | undefined {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  const head = parseResponseHead(text);
  if (head === "incomplete") {
    if (ended) return { fault: text === "" ? "empty" : "bad_framing" };
    return bytes.length > MAX_HEAD ? { fault: "too_large" } : undefined;
  }
  if (head === "malformed") return { fault: "bad_framing" };
  const status = Number(head.status);
  const fields = joined(head);
  if (status !== 200) return { status, fields, body: "" };
  if (fields["content-encoding"] !== undefined) return { fault: "bad_framing" };
  const body = bodyOf(head, { text: text.slice(head.length), ended });
  if (body === undefined) return ended ? { fault: "bad_framing" } : undefined;
  if (body === "malformed") return { fault: "bad_framing" };
  return body.text.length > MAX_BODY ? { fault: "too_large" } : { status, fields, body: body.text };
}

function joined({ fields }: ResponseHead): Record<string, string> {
  const names = new Map<string, string>();
  for (const [name, value] of fields) {
    const before = names.get(name);
    names.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(names);
}

/** RFC 9112 section 6.3; undefined when the body has not come to its end. */
function bodyOf(
  head: ResponseHead,
  { text, ended }: { text: string; ended: boolean },
): { text: string } | "malformed" | undefined {
  const encoding = head.named("transfer-encoding");
  if (encoding.length > 0) {
    return encoding.join().toLowerCase() === "chunked" ? dechunk(text) : "malformed";
  }
  const [length, ...more] = head.named("content-length");
  if (length === undefined) return ended || text.length > MAX_BODY ? { text } : undefined;
  if (more.length > 0 || !/^\d{1,9}$/.test(length)) return "malformed";
  if (Number(length) > MAX_BODY) return { text: text.padEnd(MAX_BODY + 1) };
  return text.length < Number(length) ? undefined : { text: text.slice(0, Number(length)) };
}

/** RFC 9112 section 7.1; trailers are not waited for. */
function dechunk(text: string): { text: string } | "malformed" | undefined {
  let body = "";
  for (let at = 0;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return text.length - at > 1024 ? "malformed" : undefined;
    const size = /^([0-9a-f]{1,6})(?:[\t ]*;.*)?$/i.exec(text.slice(at, lineEnd))?.[1];
    if (size === undefined) return "malformed";
    const [from, length] = [lineEnd + 2, parseInt(size, 16)];
    if (length === 0) return { text: body };
    body += text.slice(from, from + length);
    if (body.length > MAX_BODY) return { text: body };
    if (text.length < from + length + 2) return undefined;
    if (text.slice(from + length, from + length + 2) !== "\r\n") return "malformed";
    at = from + length + 2;
  }
}
