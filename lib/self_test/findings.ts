/** What self-test finds; shared by the checks and both formats. */

import type { AnswerOutcome } from "../http/peer_answer.ts";

/** What came of asking for the planted token; the words of the log, and one of the CA's own. */
export type TokenOutcome = AnswerOutcome | "leading_bytes";

/** Without the outcomes that only a challenge port reports, and only to balancers. */
export type CaOutcome = Exclude<TokenOutcome, "unreadable">;

/** The rule that is broken, or the subject of a note. */
export type Rule =
  | Exclude<TokenOutcome, "found">
  | "catch_all"
  | "slow"
  | "no_redirect"
  | "location"
  | "hsts"
  | "clock"
  | "configuration"
  | "not_a_peer"
  | "foreign_address"
  | "unresolved"
  | "one_family"
  | "no_public_address"
  | "unpublished"
  | "not_from_here"
  | "no_family"
  | "webroot"
  | "address_twice"
  | "address_unheld"
  | "wildcard"
  | "weekly_limit";

/** `fail` decides the exit code; `warn` wants attention; `note` only tells. */
type Level = "fail" | "warn" | "note";

export interface SelfTestFinding {
  level: Level;
  rule: Rule;
  /** What is wrong and what to do; may hold text of the server that was asked. */
  text: string;
  /** What it is about, where that is no path: a name, or a key of the configuration. */
  about?: string;
}

/** A finding that fails the test. */
export function fault(rule: Rule, text: string): SelfTestFinding {
  return { level: "fail", rule, text };
}

/** One path with what was found on it; no findings: all is well. */
export interface PathReport {
  port: "challenge" | "public";
  /** As in the configuration: `[IPv6]:port`. */
  address: string;
  /** The Host that was asked for. */
  host: string;
  of: string[];
  outcome: TokenOutcome;
  /** Milliseconds until the answer for the token. */
  ms: number;
  findings: SelfTestFinding[];
}

/** Whether the CA would get an answer now. */
export interface SelfTestVerdict {
  /** Through all addresses that it may ask, some, none; or they cannot be judged from here. */
  answer: "yes" | "partly" | "no" | "unknown";
  text: string;
  /** Addresses through which it gets the answer, and through which it does not. */
  through: string[];
  not_through: string[];
  /** The finding to mend first, of which others may be a consequence. */
  cause: { where: string; rule: Rule; text: string } | null;
}

/** Everything. This is also the object that `--format json` prints. */
export interface SelfTestReport {
  /** Nothing failed. */
  ok: boolean;
  /** The token that was planted, and is gone again. */
  token: string;
  paths: PathReport[];
  /** What concerns no single path. */
  findings: SelfTestFinding[];
  verdict: SelfTestVerdict;
}
