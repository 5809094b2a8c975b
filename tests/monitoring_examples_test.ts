/**
 * The examples for monitoring systems, against what acme-lb really exports and accepts: flags,
 * names of metrics, and alerts that fire when they should, by Prometheus' own tools.
 */

import assert from "node:assert/strict";
import type { ExpiryReport } from "../lib/expiry/record.ts";
import { changesOf, DEFAULT_THRESHOLDS } from "../lib/expiry/thresholds.ts";
import { ageFindings } from "../lib/expiry/age_findings.ts";
import { makeRecord } from "../lib/expiry/certificate_record.ts";
import { formatPrometheus, METRICS } from "../lib/expiry/format_prometheus.ts";
import { STATUS_METRICS } from "../lib/status/status_metrics.ts";
import { hasPromtool, promtool } from "./promtool.ts";
import { leafOf } from "./expiry/reports.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const EXAMPLES = `${ROOT}examples/monitoring/`;
const read = (name: string) => Deno.readTextFile(EXAMPLES + name);

const metricsIn = (text: string) => new Set(text.match(/\bacme_lb_[a-z_]+/g));

interface Dashboard {
  panels: { id: number; targets: { expr: string }[] }[];
  templating: { list: { name: string; definition?: string }[] };
}

async function dashboard(): Promise<Dashboard> {
  return JSON.parse(await read("grafana-dashboard.json"));
}

Deno.test("the examples give check-expiry no flag that it does not know", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "main.ts", "check-expiry", "--help"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const known = new Set(new TextDecoder().decode(stdout).match(/--[a-z-]+/g));
  for (const name of ["nagios.cfg", "nrpe.cfg", "icinga2.conf", "README.md"]) {
    const used = [...(await read(name)).matchAll(/(?<=[\s"])--[a-z][a-z-]+(?=[\s"])/g)].map(String);
    assert.ok(used.length > 0, name);
    assert.deepEqual(used.filter((flag) => !known.has(flag)), [], name);
  }
});

Deno.test("the right to run the check as root does not hold the right to write files", async () => {
  const [, granted] = /NOPASSWD: (.+)$/m.exec(await read("nrpe.cfg"))!;
  assert.ok(!granted!.includes("*"), "--output would be granted too");
  assert.ok((await read("nrpe.cfg")).includes(`]=/usr/bin/sudo -n ${granted}\n`));
});

Deno.test("the examples name metrics that acme-lb exports, and the table names them all", async () => {
  const known = new Set(Object.keys({ ...METRICS, ...STATUS_METRICS }));
  const boards = (await dashboard()).panels.flatMap(({ targets }) =>
    targets.map(({ expr }) => expr)
  );
  const texts = [await read("README.md"), await read("prometheus-rules.yaml"), ...boards];
  for (const text of texts) {
    const used = metricsIn(text);
    assert.ok(used.size > 0, text);
    assert.deepEqual(used.difference(known), new Set(), text);
  }
  assert.deepEqual(metricsIn(texts[0]!), known);
  const shown = metricsIn(boards.join("\n"));
  assert.deepEqual(new Set(Object.keys(STATUS_METRICS)).difference(shown), new Set());
});

Deno.test("the dashboard has a name for each panel and no variable that it does not define", async () => {
  const { panels, templating } = await dashboard();
  assert.deepEqual(new Set(panels.map(({ id }) => id)).size, panels.length);
  const defined = new Set(templating.list.map(({ name }) => name));
  const used = JSON.stringify(panels).matchAll(/\$\{?([a-z_]+)/g);
  assert.deepEqual(new Set([...used].map(([, name]) => name!)).difference(defined), new Set());
});

async function temporaryFile(value: unknown): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempFile({ suffix: ".yaml" });
  await Deno.writeTextFile(path, JSON.stringify(value));
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

Deno.test({
  name: "Prometheus accepts the rules, and every expression of the dashboard",
  ignore: !hasPromtool,
  fn: async () => {
    const rules = await promtool(["check", "rules", `${EXAMPLES}prometheus-rules.yaml`]);
    assert.deepEqual(rules.code, 0, rules.said);
    const { panels } = await dashboard();
    const recorded = panels.flatMap(({ id, targets }) =>
      targets.map(({ expr }, i) => ({
        record: `panel_${id}_${i}`,
        expr: expr.replaceAll("$instance", ".*"),
      }))
    );
    await using file = await temporaryFile({ groups: [{ name: "dashboard", rules: recorded }] });
    const board = await promtool(["check", "rules", file.path]);
    assert.deepEqual(board.code, 0, board.said);
  },
});

/** Prometheus' tests begin at the epoch, so these certificates live in 1970. */
function reportAt(hours: number, lives: Record<string, [from: number, to: number]>): ExpiryReport {
  const at = (hour: number) => new Date(hour * 3600_000);
  const now = at(hours);
  const records = Object.entries(lives).map(([place, [from, to]]) => {
    const leaf = { ...leafOf(place, 0), notBefore: at(from), notAfter: at(to) };
    const changes = changesOf(leaf, DEFAULT_THRESHOLDS);
    const clock = { now, earliestNow: at(0) };
    const findings = ageFindings(leaf, { clock, thresholds: DEFAULT_THRESHOLDS, changes });
    return makeRecord({ source: "file", place }, findings, { leaf, ...changes });
  });
  return { now, records, notes: [] };
}

/** What the textfile of lb0 says from the first minute on, and what is never written again. */
function seriesOf(report: ExpiryReport): { series: string; values: string }[] {
  const samples = formatPrometheus(report).split("\n").filter((line) => /^[a-z]/.test(line));
  return samples.map((line) => {
    const [, metric, , labels = "", value] = /^([a-z_]+)(\{(.*)\})? (\S+)$/.exec(line)!;
    const all = [...labels ? [labels] : [], 'instance="lb0"', 'job="node"'].join(",");
    return { series: `${metric}{${all}}`, values: `${value}+0x600` };
  });
}

Deno.test({
  name: "the alerts fire for what check-expiry exports, and for nothing else",
  ignore: !hasPromtool,
  fn: async () => {
    const lives: Record<string, [number, number]> = {
      "/good.pem": [-1000, 1000],
      "/warning.pem": [-4, 1],
      "/critical.pem": [-20, 2],
      "/expired.pem": [-20, -1],
    };
    const report = reportAt(0.001, lives);
    assert.deepEqual(report.records.map(({ state }) => state), [
      "OK",
      "WARNING",
      "CRITICAL",
      "CRITICAL",
    ]);
    const target = "balancer.example:443";
    const where = { source: "endpoint" as const, place: "[2001:db8::1]:443", target };
    report.records.push(makeRecord(where, [
      { state: "UNKNOWN", reason: "unsupported", text: "no TLS version in common" },
    ]));
    const rules = await read("prometheus-rules.yaml");
    const names = [...rules.matchAll(/^ +- alert: (\w+)$/gm)].map(([, name]) => name!);
    /** Alerts at an hour, each with the places it names. */
    const expected: [hour: number, alerts: Record<string, string[]>][] = [
      [0.5, {
        AcmeLbCertificateCritical: ["/critical.pem", "/expired.pem"],
        AcmeLbCertificateExpired: ["/expired.pem"],
      }],
      [2.5, {
        AcmeLbCertificateCritical: ["/critical.pem", "/expired.pem"],
        AcmeLbCertificateWarning: ["/warning.pem"],
        AcmeLbCertificateUnknown: [target],
        AcmeLbCertificateExpired: ["/critical.pem", "/expired.pem", "/warning.pem"],
      }],
      [4, {
        AcmeLbCertificateCritical: ["/critical.pem", "/expired.pem"],
        AcmeLbCertificateWarning: ["/warning.pem"],
        AcmeLbCertificateUnknown: [target],
        AcmeLbCertificateExpired: ["/critical.pem", "/expired.pem", "/warning.pem"],
        AcmeLbCertificateCheckStale: [""],
      }],
    ];
    await alertsFire(seriesOf(report), { names, expected });
    await alertsFire([], {
      names,
      expected: [[0.5, {}], [2, { AcmeLbCertificateCheckMissing: [""] }]],
    });
  },
});

Deno.test({
  name: "an alert on an endpoint waits for its hour although the address changes every ten minutes",
  ignore: !hasPromtool,
  fn: async () => {
    const target = "balancer.example:443";
    const series = Array.from({ length: 18 }, (_, i) => {
      const where = { source: "endpoint" as const, place: `192.0.2.${i}:443`, target };
      const finding = { state: "WARNING", reason: "expires_soon", text: "soon" } as const;
      const report = { now: new Date(0), records: [makeRecord(where, [finding])], notes: [] };
      const found = seriesOf(report).filter(({ series }) => series.includes("_finding{"));
      return found.map(({ series }) => ({ series, values: `_x${10 * i} 1x9 stale` }));
    }).flat();
    assert.deepEqual(new Set(series.map(({ series }) => series)).size, 18);
    await alertsFire(series, {
      names: ["AcmeLbCertificateWarning"],
      expected: [[0.9, {}], [1.5, { AcmeLbCertificateWarning: [target] }]],
    });
  },
});

/** Asks promtool for the alerts at each hour, and compares the places or targets that they name. */
async function alertsFire(
  series: { series: string; values: string }[],
  { names, expected }: { names: string[]; expected: [number, Record<string, string[]>][] },
): Promise<void> {
  for (const [hour, alerts] of expected) {
    const rule_tests = names.map((name) => ({
      expr: `count by (alertname, where) (label_join(` +
        `ALERTS{alertname="${name}",alertstate="firing"}, "where", "", "place", "target"))`,
      eval_time: `${hour * 60}m`,
      exp_samples: (alerts[name] ?? []).map((place) => ({
        labels: place === ""
          ? `{alertname="${name}"}`
          : `{alertname="${name}",where=${JSON.stringify(place)}}`,
        value: 1,
      })),
    }));
    await using file = await temporaryFile({
      rule_files: [`${EXAMPLES}prometheus-rules.yaml`],
      evaluation_interval: "1m",
      tests: [{ interval: "1m", input_series: series, promql_expr_test: rule_tests }],
    });
    const { code, said } = await promtool(["test", "rules", file.path]);
    assert.deepEqual(code, 0, `after ${hour} h: ${said}`);
  }
}
