/**
 * The outcome of asking a peer, or a solver of this machine, for a token.
 *
 * The lookup of `serve` and self-test decide with the same function, so that self-test approves
 * exactly what is served.
 */

import type { SocketAddress } from "../address.ts";
import { type AskFault, askServer, type Reply } from "./ask.ts";
import { CHALLENGE_PREFIX } from "./challenge_path.ts";
import { isTokenText } from "./token_file.ts";

/** What came of asking for a token. */
export type AnswerOutcome =
  | AskFault
  | "found"
  | "absent"
  | "unreadable"
  | "bad_status"
  | "redirected"
  | "bad_body";

export interface PeerAnswer {
  outcome: AnswerOutcome;
  /** The text, when the outcome is `found`. */
  body?: string;
}

export interface AskPeerOptions {
  token: string;
  /** The Host of the caller, validated; some solvers check it. */
  host: string | undefined;
  /** @default that of a balancer which asks another one */
  via?: string;
  connectTimeoutMs: number;
  /** For all of it. */
  timeoutMs: number;
  /** Ends the asking; the outcome is then `timeout`. */
  signal: AbortSignal;
}

/**
 * Sent with a 404 of the challenge port, only to balancers: the token may be there, but acme-lb
 * could not read it (a file or a webroot without permission, a file system that does not answer).
 */
export const UNREADABLE_HEADER = "Acme-Lb-Unreadable";

/** A token of the CA has 128 bits of entropy at least (RFC 8555 section 8.3): 22 characters. */
const CA_TOKEN_LENGTH = 22;

/** Asks the peer once. Never rejects. */
export async function askPeer(
  peer: SocketAddress,
  { token, ...options }: AskPeerOptions,
): Promise<PeerAnswer> {
  const target = CHALLENGE_PREFIX + token;
  return peerAnswerOf(await askServer(peer, { ...options, target, as: "balancer" }), token);
}

/** The outcome of asking for the token. Header fields are read, never copied. */
export function peerAnswerOf(reply: Reply, token: string): PeerAnswer {
  if ("fault" in reply) return { outcome: reply.fault };
  const { status, fields, body } = reply;
  if (status === 404) {
    return {
      outcome: Object.hasOwn(fields, UNREADABLE_HEADER.toLowerCase()) ? "unreadable" : "absent",
    };
  }
  if (status >= 300 && status < 400) return { outcome: "redirected" };
  if (status !== 200) return { outcome: "bad_status" };
  if (body === "") return { outcome: "empty" };
  return isAcceptable(body, token) ? { outcome: "found", body } : { outcome: "bad_body" };
}

/**
 * Whether the text is a key authorization for the token (RFC 8555 section 8.1): the token, a dot,
 * and a SHA-256 in base64url, which has 43 characters; a line end may follow.
 */
export function isKeyAuthorization(text: string, token: string): boolean {
  return text.startsWith(`${token}.`) &&
    /^[A-Za-z0-9_-]{43}(?:\r?\n)?$/.test(text.slice(token.length + 1));
}

/** A short token belongs to a test by hand, for which any printable line is accepted. */
function isAcceptable(text: string, token: string): boolean {
  return isKeyAuthorization(text, token) ||
    (token.length < CA_TOKEN_LENGTH && isTokenText(text));
}
