/** The report for programs, against a schema of its own. */

import assert from "node:assert/strict";
import * as fc from "fast-check";
import * as v from "valibot";
import { formatJson } from "../../lib/expiry/format_json.ts";
import { formatPrometheus } from "../../lib/expiry/format_prometheus.ts";
import { isoSeconds } from "../../lib/time.ts";
import { parseExposition } from "./exposition.ts";
import { ANY_REPORT, leafOf, MIXED, recordOf, reportOf } from "./reports.ts";
import { UNSAFE } from "../unsafe_text.ts";

const state = v.picklist(["OK", "UNKNOWN", "WARNING", "CRITICAL"]);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const instant = v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/));
const hex = v.pipe(v.string(), v.regex(/^[0-9A-F]*$/));

/** Every member, and no other. */
const SCHEMA = v.strictObject({
  version: v.literal(1),
  checked_at: instant,
  state,
  counts: v.strictObject({ OK: count, UNKNOWN: count, WARNING: count, CRITICAL: count }),
  records: v.array(v.strictObject({
    source: v.picklist(["file", "endpoint", "haproxy"]),
    place: v.string(),
    target: v.nullable(v.string()),
    servername: v.nullable(v.string()),
    state,
    findings: v.array(v.strictObject({
      state,
      reason: v.pipe(v.string(), v.regex(/^[a-z_]+$/)),
      text: v.string(),
    })),
    certificate: v.nullable(v.strictObject({
      title: v.string(),
      serial: hex,
      fingerprint_sha256: v.nullable(v.pipe(hex, v.length(64))),
      issuer: v.string(),
      names: v.array(v.string()),
      key: v.string(),
      not_before: instant,
      not_after: instant,
      remaining_seconds: v.pipe(v.number(), v.integer()),
      placeholder: v.boolean(),
    })),
    chain: v.array(v.strictObject({
      title: v.string(),
      serial: hex,
      not_before: instant,
      not_after: instant,
      remaining_seconds: v.pipe(v.number(), v.integer()),
    })),
    warning_from: v.nullable(instant),
    critical_from: v.nullable(instant),
  })),
  notes: v.array(v.string()),
});

Deno.test("formatJson() tells all of a report, what is due first on top", () => {
  const { records, ...rest } = v.parse(SCHEMA, JSON.parse(formatJson(MIXED)));
  assert.deepEqual(rest, {
    version: 1,
    checked_at: "2026-11-24T06:00:00Z",
    state: "CRITICAL",
    counts: { OK: 1, UNKNOWN: 1, WARNING: 1, CRITICAL: 2 },
    notes: ["/etc/haproxy/certs/.old.pem: hidden"],
  });
  assert.deepEqual(records[0], {
    source: "file",
    place: "/etc/haproxy/certs/gone.pem",
    target: null,
    servername: null,
    state: "CRITICAL",
    findings: [{ state: "CRITICAL", reason: "expired", text: "expired 2d 3h ago" }],
    certificate: {
      title: "gone.example",
      serial: "04A1B2C3",
      fingerprint_sha256: "AB".repeat(32),
      issuer: "CN=R12, O=Let's Encrypt",
      names: ["gone.example"],
      key: "P-256",
      not_before: "2026-08-24T03:00:00Z",
      not_after: "2026-11-22T03:00:00Z",
      remaining_seconds: -183_600,
      placeholder: false,
    },
    chain: [],
    warning_from: "2026-10-30T15:00:00Z",
    critical_from: "2026-11-10T21:00:00Z",
  });
  assert.deepEqual(records[1]!.certificate, null);
  assert.deepEqual(records[1]!.warning_from, null);
});

Deno.test("formatJson() and formatPrometheus() date every certificate of a chain, however long it is", () => {
  for (let length = 0; length <= 6; length++) {
    const chain = Array.from({ length }, (_, i) => leafOf(`CN=CA ${i}`, 100 * (i + 1), 3650));
    const report = reportOf([{ ...recordOf("/a.pem", { leaf: leafOf("a.example", 60) }), chain }]);
    const [record] = v.parse(SCHEMA, JSON.parse(formatJson(report))).records;
    assert.deepEqual(
      record!.chain.map(({ title, not_after }) => `${title} ${not_after}`),
      chain.map(({ title, notAfter }) => `${title} ${isoSeconds(notAfter)}`),
    );
    const ends = parseExposition(formatPrometheus(report)).filter(({ metric }) =>
      metric === "acme_lb_certificate_chain_not_after_timestamp_seconds"
    );
    assert.deepEqual(
      ends.map(({ value }) => value),
      chain.map(({ notAfter }) => notAfter.getTime() / 1000),
    );
  }
});

Deno.test("formatJson() hands every text on exactly, and no control character raw", () => {
  const place = '/a\n\x1b[31m"\\\u202e\u2028|\x9b';
  const leaf = leafOf("é.example\ud800", 10);
  const text = formatJson(reportOf([recordOf(place, { leaf })]));
  assert.doesNotMatch(text, UNSAFE);
  const [record] = JSON.parse(text).records;
  assert.deepEqual([record.place, record.certificate.title], [place, leaf.title]);
});

Deno.test("formatJson() keeps to its schema whatever is found", () => {
  fc.assert(fc.property(ANY_REPORT, (report) => {
    const text = formatJson(report);
    assert.doesNotMatch(text, UNSAFE);
    const parsed = v.parse(SCHEMA, JSON.parse(text));
    assert.deepEqual(
      parsed.records.map(({ place }) => place).toSorted(),
      report.records.map(({ place }) => place).toSorted(),
    );
  }));
});
