/**
 * Whether the CA would take an answer for a challenge (Boulder, va/http.go): exactly 200, at most
 * 127 bytes, the key authorization from the first byte on, with nothing but white space after it.
 */

import { CA_BODY_BYTES } from "../ca_rules.ts";
import type { Reply } from "../http/ask.ts";
import { peerAnswerOf } from "../http/peer_answer.ts";
import type { CaOutcome, TokenOutcome } from "./findings.ts";

/** The outcome of asking for a token whose text is known. */
export function caOutcome(reply: Reply, text: string): CaOutcome {
  if ("fault" in reply) return reply.fault;
  const { status, body } = reply;
  if (status === 404) return "absent";
  if (status >= 300 && status < 400) return "redirected";
  if (status !== 200) return "bad_status";
  if (body.length > CA_BODY_BYTES) return "too_large";
  if (body === "") return "empty";
  const trimmed = body.replace(/[\t-\r ]+$/, "");
  if (trimmed === text) return "found";
  return trimmed.endsWith(text) ? "leading_bytes" : "bad_body";
}

/** The outcome on a challenge port: what the lookup of `serve` decides, by the same function. */
export function balancerOutcome(
  reply: Reply,
  { token, text }: { token: string; text: string },
): TokenOutcome {
  const { outcome, body } = peerAnswerOf(reply, token);
  if (outcome !== "found") return outcome;
  return body!.replace(/\r?\n$/, "") === text ? "found" : "bad_body";
}
