/**
 * The public port: challenges below the well-known prefix, everything else redirected or, for
 * `proxy`, not found. A malformed Host is refused for both alike.
 */

import { type Answer, errorAnswer, NOT_FOUND } from "./answer.ts";
import { isChallengeTarget } from "./challenge_path.ts";
import type { Handler } from "./connection.ts";
import { parseHost } from "../host.ts";
import type { RequestHead } from "./request_head.ts";

export interface PublicOptions {
  challenge: (head: RequestHead, from: string) => Promise<Answer>;
  /** Without it, what is no challenge is 404. */
  redirect?: (head: RequestHead) => Answer;
}

const BAD_REQUEST = errorAnswer(400);

export function createPublicHandler({ challenge, redirect }: PublicOptions): Handler {
  return (head, from) => {
    if (isChallengeTarget(head.target)) {
      // HTTP/1.0 may lack a Host: so does the request of a reverse proxy in front of this one.
      const bad = head.host !== undefined && parseHost(head.host) === undefined;
      return bad ? BAD_REQUEST : challenge(head, from);
    }
    return redirect ? redirect(head) : NOT_FOUND;
  };
}
