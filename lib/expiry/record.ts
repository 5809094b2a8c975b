/**
 * The results of a check of expiry: one record for each file, endpoint or certificate in memory.
 *
 * The words are the same in every format, in the README and in the alerts that build on them.
 */

/** From best to worst. A check as a whole is as bad as its worst record; UNKNOWN is never OK. */
export const STATES = ["OK", "UNKNOWN", "WARNING", "CRITICAL"] as const;
export type State = typeof STATES[number];

/** Why a record is not OK, for programs; the text is for people. */
export type Reason =
  | "expires_soon"
  | "expired"
  | "not_yet_valid"
  | "key_mismatch"
  | "chain_broken"
  | "chain_expires_first"
  | "name_missing"
  | "placeholder"
  | "test_issuer"
  | "weak_key"
  | "weak_signature"
  | "not_served"
  | "memory_only"
  | "left_behind"
  | "answers_differ"
  | "unreadable"
  | "no_certificate"
  | "no_certificate_for_name"
  | "unreachable"
  | "timeout"
  | "no_tls"
  | "unsupported"
  | "clock";

export interface ExpiryFinding {
  state: State;
  reason: Reason;
  /** One sentence without a full stop: what is wrong and what to do. May hold hostile text, raw. */
  text: string;
}

/** The facts of a certificate that follows a leaf, or of the others in a file of CA certificates. */
export interface ChainFacts {
  title: string;
  /** Upper-case hex of whole bytes. */
  serial: string;
  notBefore: Date;
  notAfter: Date;
}

/** The facts of a leaf that reports show. */
export interface LeafFacts {
  /** What to call it: its first name, else its subject. */
  title: string;
  /** Upper-case hex of whole bytes. */
  serial: string;
  /** SHA-256 of the DER, upper-case hex; HAProxy does not tell it. */
  fingerprint?: string;
  issuer: string;
  /** The CA behind it, as authorityOf in lib/cert tells it. */
  authority: string;
  names: string[];
  key: string;
  notBefore: Date;
  notAfter: Date;
  placeholder: boolean;
}

export interface ExpiryRecord {
  /** Where it was looked at: a file, a live endpoint, the memory of a running HAProxy. */
  source: "file" | "endpoint" | "haproxy";
  /**
   * The path as it was found; `[2001:db8::1]:443`, with ` (NAME)` behind it when a name was asked
   * for and ` (NAME, RSA)` for a second certificate of another kind of key; `NAME at SOCKET`.
   */
  place: string;
  /** The endpoint as the operator typed it: stays the same when its addresses change. */
  target?: string;
  /** The name that the endpoint was asked for. */
  servername?: string;
  /** The worst of the findings; OK without any. */
  state: State;
  /** Worst first. */
  findings: ExpiryFinding[];
  leaf?: LeafFacts;
  /** What else the place holds, in its order. */
  chain?: ChainFacts[];
  /** Where the leaf's states change, as instants; absent without a leaf. */
  warningFrom?: Date;
  criticalFrom?: Date;
}

/** All that one run found. */
export interface ExpiryReport {
  now: Date;
  records: ExpiryRecord[];
  /** What was passed over, and why it is no record (hidden files, lone keys). */
  notes: string[];
}
