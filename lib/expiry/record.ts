/**
 * What a check of expiry found: one record for each thing that was looked at.
 *
 * The words are the same in every format, in the README and in the alerts that build on them.
 */

/** From best to worst. A check as a whole is as bad as its worst record; UNKNOWN is never OK. */
export const STATES = ["OK", "UNKNOWN", "WARNING", "CRITICAL"] as const;
export type State = typeof STATES[number];

/** Why a record is not OK, for programs; the text beside it is for people. */
export type Reason =
  | "expires_soon"
  | "expired"
  | "not_yet_valid"
  | "key_mismatch"
  | "chain_broken"
  | "chain_expires_first"
  | "name_missing"
  | "placeholder"
  | "not_served"
  | "left_behind"
  | "unreadable"
  | "no_certificate"
  | "unreachable"
  | "timeout"
  | "no_tls"
  | "unsupported"
  | "clock";

export interface Finding {
  state: State;
  reason: Reason;
  /** One sentence without a full stop: what is wrong and what to do. May hold hostile text, raw. */
  text: string;
}

/** The facts of a leaf that reports show. */
export interface LeafFacts {
  /** What to call it: its first name, else its subject. */
  title: string;
  /** Upper-case hex of whole bytes. */
  serial: string;
  /** SHA-256 of the DER, upper-case hex. */
  fingerprint: string;
  issuer: string;
  names: string[];
  key: string;
  notBefore: Date;
  notAfter: Date;
  placeholder: boolean;
}

export interface ExpiryRecord {
  /** Where it was looked at: a file, a live endpoint, the memory of a running HAProxy. */
  source: "file" | "endpoint" | "haproxy";
  /** The path; `[2001:db8::1]:443`, with ` (NAME)` behind it when a name was asked for; `NAME at SOCKET`. */
  place: string;
  /** The worst of the findings; OK without any. */
  state: State;
  /** Worst first. */
  findings: Finding[];
  leaf?: LeafFacts;
  /** Where the leaf's states change, as instants; absent without a leaf. */
  warningFrom?: Date;
  criticalFrom?: Date;
}

/** All that one run found. */
export interface ExpiryReport {
  now: Date;
  records: ExpiryRecord[];
  /** What was passed over, and why it is no record (hidden files, editors' leftovers). */
  notes: string[];
}
