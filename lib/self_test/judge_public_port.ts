/**
 * What is wrong with one public address: the planted token must come back as the CA wants it, a
 * token that nobody has must be 404, and everything else redirected, without HSTS.
 */

import type { Reply } from "../http/ask_whole.ts";
import type { Replies } from "./ask_paths.ts";
import type { Finding, TokenOutcome } from "./findings.ts";
import { CA_LIMIT, judgeToken } from "./judge_token.ts";
import { type Path, VIRTUAL } from "./paths.ts";
import { excerpt, isIPv6, quoted, statusOf, type Surroundings } from "./surroundings.ts";

/**
 * Milliseconds. The CA's perspectives share one budget near 10 s, and ask one after the other.
 */
const SLOW = 5_000;

const REDIRECTS = [301, 302, 307, 308];

/** The outcome of asking for the token, and the findings. */
export function judgePublicPort(
  { path, replies, page }: { path: Path; replies: Replies; page: string },
  around: Surroundings,
): { outcome: TokenOutcome; findings: Finding[] } {
  const { token, unknown, redirect } = replies;
  const outcome = judgeToken(token, around.text);
  const findings: Finding[] = [];
  const fail = (rule: Finding["rule"], text: string) =>
    findings.push({ level: "fail", rule, text });
  if (outcome !== "found") {
    if (path.foreign) fail("foreign_address", foreignAdvice(outcome, path));
    else fail(outcome, advice(outcome, { path, token, around }));
  } else if (token.ms > SLOW) {
    const text = `it took ${(token.ms / 1000).toFixed(1)} s; the CA gives up near 10 s in all, ` +
      "for several requests; see ms= and peers= in its log";
    findings.push({ level: "warn", rule: "slow", text });
  }
  if (unknown && (outcome === "found" || outcome === "absent")) {
    const finding = judgeUnknown(unknown, around);
    if (finding) findings.push(finding);
  }
  const ours = outcome === "found" || !path.foreign;
  if (redirect && ours) findings.push(...judgeRedirect(redirect, { path, page, around }));
  return { outcome, findings };
}

function foreignAdvice(outcome: TokenOutcome, { address, of }: Path): string {
  const silent = outcome === "timeout" || outcome === "unreachable";
  return `${outcome}, and ${address.hostname} is none of the cluster's addresses; correct the ` +
    `record of ${of.join(", ")}, or cluster.virtual_addresses` +
    (silent
      ? "; or the router does not lead back to here what comes from here (ask from outside)"
      : "");
}

function judgeUnknown(reply: Reply, around: Surroundings): Finding | undefined {
  const fail = (rule: Finding["rule"], text: string): Finding => ({ level: "fail", rule, text });
  if (reply.fault !== undefined) {
    return fail(reply.fault, "no answer for a token that nobody has; it must be 404");
  }
  if (reply.status === 404) return undefined;
  if (reply.status === 200) {
    return fail(
      "catch_all",
      `200 for a token that nobody has: ${excerpt(reply)}; one of its peers answers everything`,
    );
  }
  // With a peer down this is the right answer, and the peer has a line of its own.
  const failedPeer = [502, 504].includes(reply.status);
  if (failedPeer && !around.peersAnswer) return undefined;
  return fail(
    "bad_status",
    failedPeer
      ? `HTTP ${reply.status} for a token that nobody has: it cannot ask one of its peers, though ` +
        "all answer this balancer; see peers= in its log"
      : `${statusOf(reply)} for a token that nobody has; it must be 404`,
  );
}

function judgeRedirect(
  reply: Reply,
  { path, page, around }: { path: Path; page: string; around: Surroundings },
): Finding[] {
  const fail = (rule: Finding["rule"], text: string): Finding => ({ level: "fail", rule, text });
  if (reply.fault !== undefined) {
    return [fail("no_redirect", `${reply.fault} instead of a redirect to https`)];
  }
  const findings: Finding[] = [];
  const port = around.httpsPort === 443 ? "" : `:${around.httpsPort}`;
  const expected = `https://${path.host}${port}${page}`;
  const location = reply.fields["location"];
  if (reply.status === 421) {
    const text = `HTTP 421: ${path.host} is not in redirect.hosts there`;
    findings.push(fail("no_redirect", text));
  } else if (!REDIRECTS.includes(reply.status) || location === undefined) {
    findings.push(fail("no_redirect", `${statusOf(reply)} instead of a redirect to https`));
  } else if (location !== expected) {
    findings.push(fail("location", `it redirects to ${quoted(location)} instead of ${expected}`));
  }
  if (reply.fields["strict-transport-security"] !== undefined) {
    findings.push(fail(
      "hsts",
      "Strict-Transport-Security over plain HTTP, which RFC 6797 forbids; send it from HAProxy",
    ));
  }
  return findings;
}

function advice(
  outcome: Exclude<TokenOutcome, "found">,
  { path, token, around }: { path: Path; token: Reply; around: Surroundings },
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
      if (token.fault && token.connected) return "it takes the connection and does not answer";
      if (around.alive) {
        return "a firewall swallows port 80, while the challenge port answers; open it to the world";
      }
      if (around.otherFamily) {
        return `a firewall swallows port 80 of ${family}, while ${other} answers; open it for both`;
      }
      return virtual
        ? "no balancer has the address (see keepalived), or a firewall swallows port 80"
        : "is the machine up, or does a firewall swallow port 80?";
    case "unreachable":
      return virtual ? "no balancer has the address; see keepalived" : "is the machine up?";
    case "reset":
    case "empty":
      return "it closes the connection without an answer; see turned_away in its log";
    case "absent":
      return around.held === false
        ? "HTTP 404, as this balancer itself does not give the token; see its challenge port"
        : "HTTP 404: the balancer there has not got the token from this one; is this one among its " +
          "peers?";
    case "redirected":
      return `${statusOf(token)}: a challenge must be answered, not redirected; something else ` +
        "than acme-lb answers below the challenge path";
    case "bad_status":
      return token.fault === undefined && [502, 503, 504].includes(token.status)
        ? `HTTP ${token.status}: it did not get the token from this balancer; see peers= in its ` +
          "log; can it reach the challenge port here?"
        : `${statusOf(token)} where exactly 200 is wanted; what listens on port 80 there?`;
    case "too_large":
      return `the CA reads ${CA_LIMIT} bytes and refuses more` +
        (token.fault === undefined ? `, here are ${token.body.length}` : "");
    case "leading_bytes":
      return `the CA trims nothing before the text, here is ${excerpt(token)}`;
    case "bad_body":
      return `200 with another text: ${excerpt(token)}; what answers there, or which of its peers?`;
    case "bad_framing":
      return "the answer is cut short, compressed, or no HTTP";
  }
}
