/** Reports for the tests of every format: a plain one, and any that could ever be. */

import * as fc from "fast-check";
import {
  type ExpiryFinding,
  type ExpiryRecord,
  type ExpiryReport,
  type LeafFacts,
  type Reason,
} from "../../lib/expiry/record.ts";
import { changesOf, DEFAULT_THRESHOLDS } from "../../lib/expiry/thresholds.ts";
import { makeRecord } from "../../lib/expiry/certificate_record.ts";
import { UNSAFE_CHARACTERS } from "../unsafe_text.ts";

export const NOW = new Date("2026-11-24T06:00:00Z");
const DAY = 86_400_000;

/** A certificate with `left` days to go of `lifetime`. */
export function leafOf(title: string, left: number, lifetime = 90): LeafFacts {
  const notAfter = new Date(NOW.getTime() + left * DAY);
  return {
    title,
    serial: "04A1B2C3",
    fingerprint: "AB".repeat(32),
    issuer: "CN=R12, O=Let's Encrypt",
    authority: "O=Let's Encrypt",
    names: [title],
    key: "P-256",
    notBefore: new Date(notAfter.getTime() - lifetime * DAY),
    notAfter,
    placeholder: false,
  };
}

export function recordOf(
  place: string,
  { leaf, findings = [], source = "file" }: {
    leaf?: LeafFacts;
    findings?: ExpiryFinding[];
    source?: ExpiryRecord["source"];
  },
): ExpiryRecord {
  const changes = leaf && changesOf(leaf, DEFAULT_THRESHOLDS);
  return makeRecord({ source, place }, findings, { leaf, ...changes });
}

export function reportOf(records: ExpiryRecord[], notes: string[] = []): ExpiryReport {
  return { now: NOW, records, notes };
}

/** One of each state, in no order. */
export const MIXED = reportOf([
  recordOf("/etc/haproxy/certs/good.pem", { leaf: leafOf("good.example", 60.5) }),
  recordOf("/etc/haproxy/certs/soon.pem", {
    leaf: leafOf("soon.example", 20, 90),
    findings: [{ state: "WARNING", reason: "expires_soon", text: "expires in 20d" }],
  }),
  recordOf("[2001:db8::1]:443", {
    source: "endpoint",
    findings: [{ state: "CRITICAL", reason: "timeout", text: "no TLS handshake in time" }],
  }),
  recordOf("/etc/haproxy/certs/secret.pem", {
    findings: [{ state: "UNKNOWN", reason: "unreadable", text: "permission denied (EACCES)" }],
  }),
  recordOf("/etc/haproxy/certs/gone.pem", {
    leaf: leafOf("gone.example", -2.125),
    findings: [{ state: "CRITICAL", reason: "expired", text: "expired 2d 3h ago" }],
  }),
], ["/etc/haproxy/certs/.old.pem: hidden"]);

/** Text that would like to be a newline, a figure, a label, a colour, another direction. */
const HOSTILE = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.constantFrom(...UNSAFE_CHARACTERS),
  fc.string({
    unit: fc.constantFrom(
      "|",
      "\n",
      "\r",
      "\x1b[31m",
      "'",
      '"',
      "\\",
      "=",
      ";",
      "{",
      "}",
      " ",
      "a",
    ),
    maxLength: 40,
  }),
  fc.constantFrom("\u202egpj.exe", "\u2028", "\ud800", "\x9b31m", "x".repeat(5000), "", " "),
);

const INSTANT = fc.date({
  min: new Date("1950-01-01T00:00:00Z"),
  max: new Date("9999-12-31T23:59:59Z"),
  noInvalidDate: true,
});

const LEAF: fc.Arbitrary<LeafFacts> = fc.record({
  title: HOSTILE,
  serial: fc.constantFrom("04A1B2C3", "00", "F".repeat(400)),
  fingerprint: fc.constant("AB".repeat(32)),
  issuer: HOSTILE,
  authority: HOSTILE,
  names: fc.array(HOSTILE, { maxLength: 3 }),
  key: HOSTILE,
  notBefore: INSTANT,
  notAfter: INSTANT,
  placeholder: fc.boolean(),
});

const REASONS: Reason[] = ["expires_soon", "expired", "not_served", "unreadable", "timeout"];

const FINDING: fc.Arbitrary<ExpiryFinding> = fc.record({
  state: fc.constantFrom("UNKNOWN", "WARNING", "CRITICAL"),
  reason: fc.constantFrom(...REASONS),
  text: HOSTILE,
});

const RECORD: fc.Arbitrary<ExpiryRecord> = fc.record({
  source: fc.constantFrom("file" as const, "endpoint" as const, "haproxy" as const),
  place: HOSTILE,
  leaf: fc.option(LEAF, { nil: undefined }),
  findings: fc.array(FINDING, { maxLength: 3 }),
}).map(({ place, ...rest }) => recordOf(place, rest));

/** Any report, places that occur twice included. */
export const ANY_REPORT: fc.Arbitrary<ExpiryReport> = fc.record({
  now: INSTANT,
  records: fc.array(RECORD, { maxLength: 12 }),
  notes: fc.array(HOSTILE, { maxLength: 3 }),
});
