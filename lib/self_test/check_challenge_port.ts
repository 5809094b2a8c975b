/**
 * What is wrong with the challenge port of a peer. The one of this balancer holds the planted token
 * and must give it; every other must say 404, because a challenge port asks nobody else.
 */

import type { Reply } from "../http/ask.ts";
import { fault, type SelfTestFinding, type TokenOutcome } from "./findings.ts";
import { balancerOutcome } from "./token_outcome.ts";
import type { Path } from "./paths.ts";
import { type DiagnosisContext, excerpt, statusOf } from "./diagnosis_context.ts";

/** The outcome of asking for the token, and the findings. Clock and configuration are not looked at. */
export function checkChallengePort(
  { path, token, unknown }: { path: Path; token: Reply; unknown?: Reply },
  around: DiagnosisContext,
): { outcome: TokenOutcome; findings: SelfTestFinding[] } {
  const outcome = balancerOutcome(token, around);
  const findings: SelfTestFinding[] = [];
  // One that gives the token of another has the same webroot on a shared file system.
  if (outcome === "found" || outcome === "absent" && !path.own) {
    if (unknown && isGiven(unknown)) findings.push(fault("catch_all", CATCH_ALL));
  } else if (!path.own && isGiven(token)) findings.push(fault("catch_all", CATCH_ALL));
  else if (outcome === "absent") {
    findings.push(fault(
      outcome,
      `acme-lb here does not serve the token in ${around.webroot}: it runs with another webroot, ` +
        "or its user may not read this one (its log says token_file_ignored)",
    ));
  } else findings.push(fault(outcome, advice(outcome, { path, token, around })));
  return { outcome, findings };
}

function isGiven(reply: Reply): boolean {
  return !("fault" in reply) && reply.status === 200;
}

const CATCH_ALL =
  "it answers 200 to a token that it cannot have, and may win over the balancer that " +
  "has the right one; is that the challenge port of an acme-lb?";

const UNREADABLE = "unreadable for its user, or on a file system that does not answer; see " +
  "token_file_ignored and webroot in its log";

function advice(
  outcome: Exclude<TokenOutcome, "found" | "absent">,
  { path, token, around }: { path: Path; token: Reply; around: DiagnosisContext },
): string {
  const { port } = path.address;
  switch (outcome) {
    case "refused":
      return around.alive
        ? `nothing listens on port ${port}, though the machine answers on another; compare its ` +
          "challenge.listen with the port in peers"
        : `the machine is up, but acme-lb is not running on it, or not on port ${port}; start it`;
    case "timeout":
      if ("fault" in token && token.connected) {
        return "it takes connections and does not answer; look at its log, restart it";
      }
      return around.alive
        ? `a firewall drops packets to port ${port}, while the machine answers on another; open it ` +
          "between the balancers"
        : "no answer on any port; is the machine up, or does a firewall drop all packets?";
    case "unreachable":
      return "no route to it; is the machine up, and the address right?";
    case "reset":
    case "empty":
      return "it closes the connection without an answer; look at its log";
    case "unreadable":
      return path.own
        ? `acme-lb here cannot read the token in ${around.webroot}: ` + UNREADABLE
        : `it cannot read its own webroot: ${UNREADABLE}`;
    case "redirected":
      return `${statusOf(token)}; is that the public port of a web server? peers wants ` +
        "challenge ports";
    case "bad_status":
      return !("fault" in token) && token.status === 403
        ? "HTTP 403: with challenge.allow: peers it answers only balancers, and does not know " +
          "this one; compare its peers and cluster"
        : `${statusOf(token)}: that is not a challenge port of acme-lb, or it fails; look at ` +
          "its log";
    case "too_large":
    case "bad_body":
    case "leading_bytes":
      return `it answers ${excerpt(token)} instead of the planted text; which program listens ` +
        "there?";
    case "bad_framing":
      return "its answer is cut short or is not plain HTTP; which program listens there?";
  }
}
