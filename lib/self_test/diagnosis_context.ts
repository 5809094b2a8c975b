/**
 * Facts beside a path's own answers that decide the advice: a port without an answer on a machine
 * that answers on others means a firewall, on a machine that never answers a crash.
 */

import { startOf } from "../clip.ts";
import type { Reply } from "../http/ask.ts";
import type { Replies } from "./ask_paths.ts";
import { balancerOutcome, caOutcome } from "./token_outcome.ts";
import type { Path } from "./paths.ts";

export interface DiagnosisContext {
  /** The planted token. */
  token: string;
  /** The text of the planted token. */
  text: string;
  /** Where it was planted. */
  webroot: string;
  /** Where redirects lead: `redirect.https_port`. */
  httpsPort: number;
  /** This balancer's own challenge port gives the token; undefined when it was not asked. */
  held: boolean | undefined;
  /** The same machine takes connections: of a public address, on its challenge port. */
  alive: boolean;
  /** The same machine, or what else has the same name, answers only in the other family. */
  otherFamily: boolean;
  /** Every peer has an address, and its challenge port answers as one should. */
  peersWell: boolean;
}

/** A path with what came of it. */
export interface Asked {
  path: Path;
  replies: Replies;
}

/** The context of one of the paths. */
export function diagnosisContext(
  { path }: Asked,
  { all, unresolved, ...given }:
    & Pick<DiagnosisContext, "token" | "text" | "webroot" | "httpsPort">
    & {
      all: Asked[];
      unresolved: readonly string[];
    },
): DiagnosisContext {
  const outcomeOf = ({ path, replies }: Asked) =>
    path.port === "challenge"
      ? balancerOutcome(replies.token, given)
      : caOutcome(replies.token, given.text);
  const own = all.filter((one) => one.path.own);
  const others = all.filter(({ path: other, replies: { token } }) =>
    other !== path && (!("fault" in token) || token.connected)
  );
  const isPublic = (one: Asked) => one.path.port === "public";
  const akin = others.filter((one) =>
    isPublic(one) && one.path.of.some((word) => path.of.includes(word))
  );
  return {
    ...given,
    held: own.length > 0 ? own.some((one) => outcomeOf(one) === "found") : undefined,
    alive: others.some((one) =>
      one.path.machine === path.machine && !(isPublic(one) && path.port === "public")
    ),
    otherFamily: path.port === "public" &&
      akin.length > 0 && akin.every((one) => isIPv6(one.path) !== isIPv6(path)),
    peersWell: unresolved.length === 0 &&
      all.every((one) => isPublic(one) || ["found", "absent"].includes(outcomeOf(one))),
  };
}

export function isIPv6({ address }: Path): boolean {
  return address.hostname.includes(":");
}

/** The beginning of an answer's text, in quotes. */
export function excerpt(reply: Reply): string {
  return "fault" in reply ? "nothing" : quoted(reply.body);
}

/** Text of a server in quotes, and cut; not escaped. */
export function quoted(text: string): string {
  return `"${text.length > 60 ? `${startOf(text, 60)}…` : text}"`;
}

/** Such as `HTTP 301 to "http://…"`. */
export function statusOf(reply: Reply): string {
  if ("fault" in reply) return reply.fault;
  const location = reply.fields["location"];
  return `HTTP ${reply.status}` + (location === undefined ? "" : ` to ${quoted(location)}`);
}
