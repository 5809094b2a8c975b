/**
 * A report for programs, as JSON of the shape {@link JsonReport}.
 *
 * Within one `version`, members are added and never changed or taken away. What may be absent is
 * null, so every member is always there. Instants are ISO 8601 in UTC,
 * to the second, as jq's `fromdate` wants them.
 */

import type { ExpiryRecord, ExpiryReport, Reason, State } from "./record.ts";
import { printableLines } from "../log.ts";
import { isoSeconds } from "../time.ts";
import { countStates, dueFirst, overallState } from "./due_order.ts";

export interface JsonReport {
  version: 1;
  checked_at: string;
  /** That of the worst record; the exit code is 0, 1, 2, 3 for OK, WARNING, CRITICAL, UNKNOWN. */
  state: State;
  /** How many records there are of each state. */
  counts: Record<State, number>;
  /** Worst first, then what expires first. */
  records: JsonRecord[];
  /** What was passed over, and why. */
  notes: string[];
}

export interface JsonRecord {
  source: ExpiryRecord["source"];
  place: string;
  /** The endpoint as it was typed, and the name that it was asked for. */
  target: string | null;
  servername: string | null;
  state: State;
  /** Worst first; none when the state is OK. */
  findings: { state: State; reason: Reason; text: string }[];
  /** The certificate, or null when none could be read. */
  certificate: null | {
    title: string;
    serial: string;
    /** Null when HAProxy alone told of the certificate. */
    fingerprint_sha256: string | null;
    issuer: string;
    names: string[];
    key: string;
    not_before: string;
    not_after: string;
    /** Whole seconds until `not_after`; negative when it has expired. */
    remaining_seconds: number;
    placeholder: boolean;
  };
  /** What follows the certificate, in its order; in a file of CA certificates, the others. */
  chain: {
    title: string;
    serial: string;
    not_before: string;
    not_after: string;
    remaining_seconds: number;
  }[];
  /** Since when, or from when on, the certificate's age makes it WARNING and CRITICAL. */
  warning_from: string | null;
  critical_from: string | null;
}

/** One indented JSON value with its newline. No raw control character stands in it. */
export function formatJson(report: ExpiryReport): string {
  const value: JsonReport = {
    version: 1,
    checked_at: isoSeconds(report.now),
    state: overallState(report),
    counts: countStates(report),
    records: dueFirst(report).map((record) => jsonRecord(record, report.now)),
    notes: report.notes,
  };
  return printableLines(JSON.stringify(value, null, 2)) + "\n";
}

function jsonRecord(record: ExpiryRecord, now: Date): JsonRecord {
  const { source, place, target, servername, state, findings, leaf, chain = [] } = record;
  const { warningFrom, criticalFrom } = record;
  const remaining = (end: Date) => Math.floor((end.getTime() - now.getTime()) / 1000);
  return {
    source,
    place,
    target: target ?? null,
    servername: servername ?? null,
    state,
    findings: findings.map(({ state, reason, text }) => ({ state, reason, text })),
    certificate: leaf
      ? {
        title: leaf.title,
        serial: leaf.serial,
        fingerprint_sha256: leaf.fingerprint ?? null,
        issuer: leaf.issuer,
        names: leaf.names,
        key: leaf.key,
        not_before: isoSeconds(leaf.notBefore),
        not_after: isoSeconds(leaf.notAfter),
        remaining_seconds: remaining(leaf.notAfter),
        placeholder: leaf.placeholder,
      }
      : null,
    chain: chain.map(({ title, serial, notBefore, notAfter }) => ({
      title,
      serial,
      not_before: isoSeconds(notBefore),
      not_after: isoSeconds(notAfter),
      remaining_seconds: remaining(notAfter),
    })),
    warning_from: warningFrom ? isoSeconds(warningFrom) : null,
    critical_from: criticalFrom ? isoSeconds(criticalFrom) : null,
  };
}
