/** What self-test finds, as the judges and both formats share it. */

import type { AnswerOutcome } from "../http/peer_answer.ts";

/** What came of asking for the planted token; the words of the log, and one of the CA's own. */
export type TokenOutcome = AnswerOutcome | "leading_bytes";

/** Without what a challenge port alone says, and to balancers alone. */
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
  | "wildcard"
  | "weekly_limit";

/** `fail` decides the exit code; `warn` wants attention; `note` only tells. */
export type Level = "fail" | "warn" | "note";

export interface Finding {
  level: Level;
  rule: Rule;
  /** What is wrong and what to do; may hold text of the server that was asked. */
  text: string;
  /** What it is about, where that is no path: a name, or a key of the configuration. */
  about?: string;
}

/** A finding that fails the test. */
export function fault(rule: Rule, text: string): Finding {
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
  findings: Finding[];
}

/** Everything. This is also the object that `--json` prints. */
export interface Report {
  /** Nothing failed. */
  ok: boolean;
  /** The token that was planted, and is gone again. */
  token: string;
  paths: PathReport[];
  /** What concerns no single path. */
  findings: Finding[];
}
