/**
 * Asking one peer for a token: a small HTTP/1.0 client over `Deno.connect`.
 *
 * Not fetch: it obeys proxy variables of the environment, follows redirects, unpacks gzip and has
 * no bound on size. HTTP/1.0 keeps answers free of chunks, and is what the reverse proxies of the
 * field speak to their upstreams, so nginx, lego and others can be peers too. A peer may be
 * compromised: it must not gain more than that its text is offered to the CA.
 */

import type { SocketAddress } from "../address.ts";
import { CHALLENGE_PREFIX } from "./challenge_path.ts";
import { dial, networkFault } from "./dial.ts";
import { parseResponseHead } from "./response_head.ts";
import { isTokenText } from "./token_file.ts";

/** What came of asking; the same words stand in the log, the metrics and the README. */
export type PeerOutcome =
  | "found"
  | "absent"
  | "timeout"
  | "refused"
  | "unreachable"
  | "reset"
  | "bad_status"
  | "redirected"
  | "too_large"
  | "bad_framing"
  | "bad_body"
  | "empty"
  | "unresolved"
  | "not_awaited";

export interface PeerAnswer {
  outcome: PeerOutcome;
  /** The text, when the outcome is `found`. */
  body?: string;
}

export interface AskOptions {
  token: string;
  /** The Host of the caller, validated; a peer that is a solver of its own looks at it. */
  host: string | undefined;
  /** Milliseconds for the connection to be made. */
  connectTimeout: number;
  /** Ends the asking; the outcome is then `timeout`. */
  signal: AbortSignal;
}

/** How a request of another acme-lb is recognised, so that no loop can form. */
export const HOP = "acme-lb";

const MAX_BODY = 4096;
const MAX_RESPONSE_HEAD = 8192;

/** Asks the peer once. Never rejects. */
export async function askPeer(peer: SocketAddress, options: AskOptions): Promise<PeerAnswer> {
  const { signal } = options;
  let conn: Deno.TcpConn | undefined;
  const close = () => {
    try {
      conn?.close();
    } catch {
      // Closed by the other path.
    }
  };
  try {
    conn = await dial(peer, { timeout: options.connectTimeout, signal });
    if (signal.aborted) return { outcome: "timeout" };
    signal.addEventListener("abort", close, { once: true });
    await conn.write(new TextEncoder().encode(requestText(options)));
    return await readAnswer(conn);
  } catch (error) {
    return { outcome: signal.aborted ? "timeout" : networkFault(error) };
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

function requestText({ token, host }: AskOptions): string {
  const hostLine = host === undefined ? "" : `Host: ${host}\r\n`;
  return `GET ${CHALLENGE_PREFIX}${token} HTTP/1.0\r\n${hostLine}Via: 1.0 ${HOP}\r\n` +
    "Accept: */*\r\nConnection: close\r\n\r\n";
}

async function readAnswer(conn: Deno.TcpConn): Promise<PeerAnswer> {
  const buffer = new Uint8Array(MAX_RESPONSE_HEAD + MAX_BODY + 1);
  let filled = 0;
  while (true) {
    const count = await conn.read(buffer.subarray(filled));
    if (count !== null) filled += count;
    const answer = judgePeerResponse(buffer.subarray(0, filled), count === null);
    if (answer) return answer;
  }
}

/**
 * What a peer's bytes amount to, or undefined when more are needed; with `ended` there are no
 * more, and the answer is never undefined. Header fields of the peer are looked at, never copied.
 */
export function judgePeerResponse(bytes: Uint8Array, ended: boolean): PeerAnswer | undefined {
  const text = new TextDecoder("latin1").decode(bytes);
  if (ended && text === "") return { outcome: "empty" };
  const head = parseResponseHead(text);
  if (head === "incomplete") {
    if (ended) return { outcome: "bad_framing" };
    return bytes.length > MAX_RESPONSE_HEAD ? { outcome: "too_large" } : undefined;
  }
  if (head === "malformed") return { outcome: "bad_framing" };
  const { status, named } = head;
  if (status === "404") return { outcome: "absent" };
  if (status.startsWith("3")) return { outcome: "redirected" };
  if (status !== "200") return { outcome: "bad_status" };

  // Neither is asked for in HTTP/1.0; a decoder would be one more thing to attack.
  if (named("transfer-encoding").length > 0) return { outcome: "bad_framing" };
  if (named("content-encoding").some((coding) => coding.toLowerCase() !== "identity")) {
    return { outcome: "bad_framing" };
  }
  const [length, ...more] = named("content-length");
  if (more.length > 0 || (length !== undefined && !/^\d{1,9}$/.test(length))) {
    return { outcome: "bad_framing" };
  }
  const body = text.slice(head.length);
  const announced = length === undefined ? undefined : Number(length);
  if ((announced ?? body.length) > MAX_BODY) return { outcome: "too_large" };
  if (announced !== undefined ? body.length < announced : !ended) {
    return ended ? { outcome: "bad_framing" } : undefined;
  }
  return judgeBody(body.slice(0, announced));
}

function judgeBody(body: string): PeerAnswer {
  if (body === "") return { outcome: "empty" };
  return isTokenText(body) ? { outcome: "found", body } : { outcome: "bad_body" };
}
