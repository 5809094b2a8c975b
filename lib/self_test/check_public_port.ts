/**
 * What is wrong with one public address: the planted token must come back as the CA wants it, a
 * token that nobody has must be 404, and everything else redirected, without HSTS.
 */

import { CA_BODY_BYTES } from "../ca_rules.ts";
import type { Reply } from "../http/ask.ts";
import type { Replies } from "./ask_paths.ts";
import { type CaOutcome, fault, type SelfTestFinding } from "./findings.ts";
import { redirectFindings } from "./redirect_findings.ts";
import { caOutcome } from "./token_outcome.ts";
import { type Path, VIRTUAL } from "./paths.ts";
import { type DiagnosisContext, excerpt, isIPv6, quoted, statusOf } from "./diagnosis_context.ts";

/**
 * Milliseconds. The CA's perspectives share one budget near 10 s, and ask one after the other.
 */
const SLOW_MS = 5_000;

/** The outcome of asking for the token, and the findings. */
export function checkPublicPort(
  { path, replies, page }: { path: Path; replies: Replies; page: string },
  around: DiagnosisContext,
): { outcome: CaOutcome; findings: SelfTestFinding[] } {
  const { token, unknown, redirect } = replies;
  const outcome = caOutcome(token, around.text);
  const findings: SelfTestFinding[] = [];
  if (outcome !== "found") {
    findings.push(
      path.foreign
        ? fault("foreign_address", foreignAdvice(outcome, path))
        : fault(outcome, advice(outcome, { path, token, around })),
    );
  } else if (token.ms > SLOW_MS) {
    const text = `it took ${(token.ms / 1000).toFixed(1)} s; the CA gives up near 10 s in all, ` +
      "for several requests; see ms= and peers= in its log";
    findings.push({ level: "warn", rule: "slow", text });
  }
  if (unknown && (outcome === "found" || outcome === "absent")) {
    const finding = unknownTokenFinding(unknown, around);
    if (finding) findings.push(finding);
  }
  const ours = outcome === "found" || !path.foreign;
  if (redirect && ours) {
    const { httpsPort } = around;
    findings.push(...redirectFindings(redirect, { host: path.host, page, httpsPort }));
  }
  return { outcome, findings };
}

function foreignAdvice(outcome: CaOutcome, { address, of }: Path): string {
  const silent = outcome === "timeout" || outcome === "unreachable";
  return `${outcome}, and ${address.hostname} is none of the cluster's addresses; correct the ` +
    `record of ${of.join(", ")}, or cluster.virtual_addresses` +
    (silent
      ? "; or the router does not pass requests from inside back to here (ask from outside)"
      : "");
}

function unknownTokenFinding(reply: Reply, around: DiagnosisContext): SelfTestFinding | undefined {
  if ("fault" in reply) {
    return fault(reply.fault, "no answer for a token that nobody has; it must be 404");
  }
  if (reply.status === 404) return undefined;
  if (reply.status === 200) {
    return fault(
      "catch_all",
      `200 for a token that nobody has: ${excerpt(reply)}; this server, or one of its peers, ` +
        "answers everything",
    );
  }
  // With a peer down this is the right answer, and the peer has a line of its own.
  const failedPeer = [502, 504].includes(reply.status);
  if (failedPeer && !around.peersWell) return undefined;
  return fault(
    "bad_status",
    failedPeer
      ? `HTTP ${reply.status} for a token that nobody has: it cannot ask one of its peers, though ` +
        "all answer this balancer; see peers= in its log"
      : `${statusOf(reply)} for a token that nobody has; it must be 404`,
  );
}

function advice(
  outcome: Exclude<CaOutcome, "found">,
  { path, token, around }: { path: Path; token: Reply; around: DiagnosisContext },
): string {
  const [family, other] = isIPv6(path) ? ["IPv6", "IPv4"] : ["IPv4", "IPv6"];
  const virtual = path.of.includes(VIRTUAL);
  switch (outcome) {
    case "refused":
      return around.otherFamily
        ? `nothing listens on port 80 of ${family}, while ${other} answers; public.listen: ` +
          '["[::]:80"] takes both'
        : "nothing listens on port 80 there; start acme-lb";
    case "timeout":
      if ("fault" in token && token.connected) {
        return "it takes the connection and does not answer; see its log";
      }
      if (around.alive) {
        return "a firewall drops packets to port 80, while the challenge port answers; open it to the internet";
      }
      if (around.otherFamily) {
        return `a firewall drops packets to port 80 of ${family}, while ${other} answers; open it for both`;
      }
      return virtual
        ? "no balancer has the address (see keepalived), or a firewall drops packets to port 80"
        : "is the machine up, or does a firewall drop packets to port 80?";
    case "unreachable":
      return virtual ? "no balancer has the address; see keepalived" : "is the machine up?";
    case "reset":
    case "empty":
      return "it closes the connection without an answer; see turned_away in its log";
    case "absent":
      return around.held === false
        ? "HTTP 404, as this balancer itself does not give the token; see its challenge port"
        : "HTTP 404: the balancer there did not get the token from this one; is this one among its " +
          "peers?";
    case "redirected":
      return `${statusOf(token)}: a challenge must be answered, not redirected; something else ` +
        "than acme-lb answers below the challenge path";
    case "bad_status":
      return !("fault" in token) && [502, 503, 504].includes(token.status)
        ? `HTTP ${token.status}: it did not get the token from this balancer; see peers= in its ` +
          "log; can it reach the challenge port here?"
        : `${statusOf(token)} where exactly 200 is wanted; what listens on port 80 there?`;
    case "too_large":
      return `the CA reads ${CA_BODY_BYTES} bytes and refuses more` +
        ("fault" in token ? "" : `, here are ${token.body.length}`);
    case "leading_bytes":
      return `the answer begins with ${leading(token, around)}, which the CA does not accept ` +
        "before the text";
    case "bad_body":
      return `200 with another text: ${excerpt(token)}; which program, or which of its peers, ` +
        "answers?";
    case "bad_framing":
      return "the answer is cut short, compressed, or not HTTP";
  }
}

/** What the answer has before the planted text. */
function leading(token: Reply, { text }: DiagnosisContext): string {
  const before = "fault" in token ? "" : token.body.slice(0, token.body.indexOf(text));
  if (before === "\xef\xbb\xbf") return "a byte order mark";
  return before.trim() === "" ? "white space" : quoted(before);
}
