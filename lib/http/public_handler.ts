/**
 * The public port: challenges below the well-known prefix, everything else redirected or, for
 * `proxy`, not found. A malformed Host is refused for both.
 */

import { parseHost } from "../host.ts";
import { type Answer, NOT_FOUND, refusalAnswer } from "./answer.ts";
import { CHALLENGE_PREFIX, isChallengeTarget } from "./challenge_path.ts";
import type { Handler } from "./connection.ts";
import type { RequestHead } from "./request_head.ts";

interface PublicOptions {
  challenge: (head: RequestHead, from: string) => Promise<Answer>;
  /** Without it, what is no challenge is 404. */
  redirect?: (head: RequestHead, from: string, local: string) => Answer;
}

const BAD_HOST = refusalAnswer(400, "bad_host");
const NOT_ORIGIN_FORM: Answer = { ...NOT_FOUND, refused: "bad_target" };
/** The CA asks in origin form; the other form must not lead a challenge to another server. */
const ABSOLUTE_CHALLENGE = new RegExp(
  `^http://[^/?#]*${CHALLENGE_PREFIX.replaceAll(".", "\\.")}`,
  "i",
);

export function createPublicHandler({ challenge, redirect }: PublicOptions): Handler {
  return (head, from, local) => {
    if (isChallengeTarget(head.target)) {
      // A request of HTTP/1.0 may have no Host, such as that of a reverse proxy.
      const bad = head.host !== undefined && parseHost(head.host) === undefined;
      return bad ? BAD_HOST : challenge(head, from);
    }
    if (!head.target.startsWith("/") && ABSOLUTE_CHALLENGE.test(head.target)) {
      return NOT_ORIGIN_FORM;
    }
    return redirect ? redirect(head, from, local) : NOT_FOUND;
  };
}
