/** The report for Prometheus, read back by a parser of its own and by promtool. */

import assert from "node:assert/strict";
import * as fc from "fast-check";
import { printable } from "../../lib/log.ts";
import { formatPrometheus, METRICS } from "../../lib/expiry/format_prometheus.ts";
import { hasPromtool, promtool } from "../promtool.ts";
import { parseExposition, type Series } from "./exposition.ts";
import { ANY_REPORT, leafOf, MIXED, NOW, recordOf, reportOf } from "./reports.ts";
import { UNSAFE } from "../unsafe_text.ts";

function valuesOf(series: Series[], metric: string): Record<string, number> {
  const found = series.filter((one) => one.metric === metric);
  return Object.fromEntries(
    found.map(({ labels, value }) => [
      labels.reason
        ? `${labels.place} ${labels.state} ${labels.reason}`
        : labels.place ?? labels.state ?? "",
      value,
    ]),
  );
}

const CERTS = "/etc/haproxy/certs";
const at = (date: string) => Date.parse(date) / 1000;

Deno.test("formatPrometheus() gives instants, states and reasons of every place", () => {
  const series = parseExposition(formatPrometheus(MIXED));
  const values = (name: string) => valuesOf(series, `acme_lb_certificate_${name}`);
  assert.deepEqual(values("state"), {
    [`${CERTS}/gone.pem`]: 2,
    "[2001:db8::1]:443": 2,
    [`${CERTS}/soon.pem`]: 1,
    [`${CERTS}/secret.pem`]: 3,
    [`${CERTS}/good.pem`]: 0,
  });
  assert.deepEqual(values("not_after_timestamp_seconds"), {
    [`${CERTS}/gone.pem`]: at("2026-11-22T03:00:00Z"),
    [`${CERTS}/soon.pem`]: at("2026-12-14T06:00:00Z"),
    [`${CERTS}/good.pem`]: at("2027-01-23T18:00:00Z"),
  });
  assert.deepEqual(
    values("not_before_timestamp_seconds")[`${CERTS}/soon.pem`],
    at("2026-09-15T06:00:00Z"),
  );
  assert.deepEqual(
    values("warning_from_timestamp_seconds")[`${CERTS}/soon.pem`],
    at("2026-11-21T18:00:00Z"),
  );
  assert.deepEqual(
    values("critical_from_timestamp_seconds")[`${CERTS}/soon.pem`],
    at("2026-12-03T00:00:00Z"),
  );
  assert.deepEqual(values("finding"), {
    [`${CERTS}/gone.pem CRITICAL expired`]: 1,
    "[2001:db8::1]:443 CRITICAL timeout": 1,
    [`${CERTS}/soon.pem WARNING expires_soon`]: 1,
    [`${CERTS}/secret.pem UNKNOWN unreadable`]: 1,
  });
  assert.deepEqual(values("check_records"), { OK: 1, UNKNOWN: 1, WARNING: 1, CRITICAL: 2 });
  assert.deepEqual(values("check_success"), { "": 0 });
  assert.deepEqual(values("check_last_run_timestamp_seconds"), { "": NOW.getTime() / 1000 });
  const info = series.find(({ metric }) => metric === "acme_lb_certificate_info");
  assert.deepEqual(info?.labels, {
    source: "file",
    place: `${CERTS}/gone.pem`,
    title: "gone.example",
    serial: "04A1B2C3",
    issuer: "CN=R12, O=Let's Encrypt",
  });
});

Deno.test("formatPrometheus() keeps every series of a certificate that expires", () => {
  const series = (left: number) =>
    parseExposition(
      formatPrometheus(reportOf([recordOf("/a.pem", { leaf: leafOf("a.example", left) })])),
    ).map(({ metric, labels }) => JSON.stringify([metric, labels]));
  assert.deepEqual(series(-5), series(60));
});

Deno.test("formatPrometheus() begins no new series but of _info when a certificate is renewed", () => {
  const series = (serial: string) => {
    const leaf = { ...leafOf("a.example", 60), serial, title: serial };
    return parseExposition(formatPrometheus(reportOf([recordOf("/a.pem", { leaf })])))
      .filter(({ metric }) => metric !== "acme_lb_certificate_info")
      .map(({ metric, labels }) => JSON.stringify([metric, labels]));
  };
  assert.deepEqual(series("01"), series("02"));
});

Deno.test("formatPrometheus() calls it a success when everything could be judged", () => {
  const bad = recordOf("/a", { findings: [{ state: "CRITICAL", reason: "expired", text: "" }] });
  const unknown = recordOf("/b", {
    findings: [{ state: "UNKNOWN", reason: "unreadable", text: "" }],
  });
  const table: [Parameters<typeof reportOf>[0], string][] = [
    [[bad], "1"],
    [[bad, unknown], "0"],
    [[], "0"],
  ];
  for (const [records, expected] of table) {
    assert.match(
      formatPrometheus(reportOf(records)),
      new RegExp(`^acme_lb_certificate_check_success ${expected}$`, "m"),
    );
  }
});

Deno.test("formatPrometheus() shows a place that was found twice once, with its worse state", () => {
  const findings = [{ state: "CRITICAL", reason: "expired", text: "" }] as const;
  const records = [recordOf("/a", {}), recordOf("/a", { findings: [...findings] })];
  const series = parseExposition(formatPrometheus(reportOf(records)));
  assert.deepEqual(valuesOf(series, "acme_lb_certificate_state"), { "/a": 2 });
});

Deno.test("formatPrometheus() is accepted by the format's grammar whatever is found", () => {
  fc.assert(
    fc.property(ANY_REPORT, (report) => {
      const text = formatPrometheus(report);
      assert.doesNotMatch(text, UNSAFE);
      const series = parseExposition(text);
      assert.ok(series.every(({ metric }) => Object.hasOwn(METRICS, metric)));
      const states = series.filter(({ metric }) => metric === "acme_lb_certificate_state");
      const places = new Set(
        report.records.map(({ source, place }) => `${source} ${printable(place)}`),
      );
      assert.deepEqual(
        new Set(states.map(({ labels }) => `${labels.source} ${labels.place}`)),
        places,
      );
    }),
    { numRuns: 300 },
  );
});

Deno.test({
  name: "formatPrometheus() is accepted by promtool whatever is found",
  ignore: !hasPromtool,
  fn: async () => {
    const reports = [MIXED, reportOf([]), ...fc.sample(ANY_REPORT, 10)];
    for (const report of reports) {
      const text = formatPrometheus(report);
      const { code, said } = await promtool(["check", "metrics"], text);
      assert.deepEqual([code, said], [0, ""], text);
    }
  },
});

Deno.test("the grammar itself refuses what the format does not allow", () => {
  const head = "# HELP a x\n# TYPE a gauge\n";
  parseExposition(`${head}a{b="c"} 1\na 2\n`);
  const table = [
    `${head}a 1`,
    "a 1\n",
    `${head}a 1 1700000000000\n`,
    `${head}a 1\na 1\n`,
    `${head}a{b="c"} 1\na{b="c"} 2\n`,
    `${head}a{b="c\\x"} 1\n`,
    `${head}a{b="c" 1\n`,
    `${head}a one\n`,
    `${head}a 1\n# HELP b x\n# TYPE b gauge\nb 1\na{x="y"} 1\n`,
    `# HELP a x\n# TYPE a thing\na 1\n`,
  ];
  for (const text of table) assert.throws(() => parseExposition(text), SyntaxError, text);
});
