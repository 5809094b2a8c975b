/**
 * A report for Prometheus: the text format 0.0.4, for node_exporter's textfile collector and for
 * the metrics port.
 *
 * Values are instants in Unix seconds, not "days left", and no sample carries a timestamp (the
 * collector would skip the file). No series disappears when a certificate expires, and the state
 * remains when it cannot be read, so that no alert stops; serial numbers are only in `_info`, so
 * that a renewal does not begin new series of the others. `target` is the endpoint as it was typed:
 * alerts group by it, since the addresses of a name come and go.
 */

import { startOf } from "../clip.ts";
import { formatFamilies, formatLabels } from "../prometheus_text.ts";
import {
  type ChainFacts,
  type ExpiryRecord,
  type ExpiryReport,
  type LeafFacts,
  STATES,
} from "./record.ts";
import { countStates, dueFirst } from "./due_order.ts";

/** Every metric with its help; all are gauges. */
export const METRICS = {
  acme_lb_certificate_state: "What the check says: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
  acme_lb_certificate_not_after_timestamp_seconds: "When the certificate expires.",
  acme_lb_certificate_not_before_timestamp_seconds: "When the certificate becomes valid.",
  acme_lb_certificate_chain_not_after_timestamp_seconds:
    "When a certificate behind the first one expires.",
  acme_lb_certificate_chain_not_before_timestamp_seconds:
    "When a certificate behind the first one becomes valid.",
  acme_lb_certificate_warning_from_timestamp_seconds:
    "When the certificate's age makes it a WARNING.",
  acme_lb_certificate_critical_from_timestamp_seconds:
    "When the certificate's age makes it CRITICAL.",
  acme_lb_certificate_finding:
    "Always 1, while the check finds what the reason says, with the state it leads to.",
  acme_lb_certificate_info: "Always 1; the labels tell which certificate it is.",
  acme_lb_certificate_check_records: "How many places were checked, by state.",
  acme_lb_certificate_check_success: "Whether every place could be judged: none is UNKNOWN.",
  acme_lb_certificate_check_last_run_timestamp_seconds: "When the check last ran.",
} as const;

type Metric = keyof typeof METRICS;
/** The labels as `name="value"` pairs, or empty: those of a place are written once for all. */
type Sample = [metric: Metric, labels: string, value: number];

const CODES = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;
const MAX_VALUE = 200;

/** Ends with a newline, as the format demands. */
export function formatPrometheus(report: ExpiryReport): string {
  const byMetric = Map.groupBy(samples(report), ([metric]) => metric);
  return formatFamilies((Object.keys(METRICS) as Metric[]).map((metric) => ({
    name: metric,
    help: METRICS[metric],
    type: "gauge",
    samples: (byMetric.get(metric) ?? []).map(([, labels, value]) => ({ labels, value })),
  })));
}

function samples(report: ExpiryReport): Sample[] {
  const counts = countStates(report);
  const success = report.records.length > 0 && counts.UNKNOWN === 0;
  return [
    ...worstOfEachPlace(report).flatMap(recordSamples),
    ...STATES.map((state): Sample => [
      "acme_lb_certificate_check_records",
      formatLabels({ state }),
      counts[state],
    ]),
    ["acme_lb_certificate_check_success", "", success ? 1 : 0],
    ["acme_lb_certificate_check_last_run_timestamp_seconds", "", seconds(report.now)],
  ];
}

/** One series that occurs twice makes Prometheus refuse all of them. */
function worstOfEachPlace(report: ExpiryReport): ExpiryRecord[] {
  const seen = new Set<string>();
  return dueFirst(report).filter(({ source, place, target = "" }) => {
    const key = `${source} ${place} ${target}`;
    return !seen.has(key) && seen.add(key);
  });
}

function recordSamples(record: ExpiryRecord): Sample[] {
  const { source, place, target, servername, state, findings, leaf, chain = [] } = record;
  const { warningFrom, criticalFrom } = record;
  const labels = formatLabels({
    ...{ source, place },
    ...target === undefined ? {} : { target, servername: servername ?? "" },
  });
  const at = (metric: Metric, date?: Date): Sample[] =>
    date ? [[metric, labels, seconds(date)]] : [];
  const found = new Map(
    findings.map(({ reason, state }) => [`${reason} ${state}`, { reason, state }]),
  );
  return [
    ["acme_lb_certificate_state", labels, CODES[state]],
    ...at("acme_lb_certificate_not_after_timestamp_seconds", leaf?.notAfter),
    ...at("acme_lb_certificate_not_before_timestamp_seconds", leaf?.notBefore),
    ...chainSamples(labels, chain),
    ...at("acme_lb_certificate_warning_from_timestamp_seconds", warningFrom),
    ...at("acme_lb_certificate_critical_from_timestamp_seconds", criticalFrom),
    ...[...found.values()].map((finding): Sample => [
      "acme_lb_certificate_finding",
      `${labels},${formatLabels(finding)}`,
      1,
    ]),
    ...(leaf ? [infoSample(labels, leaf)] : []),
  ];
}

/**
 * No serial number here either: the series of a place in the chain continues when its certificate
 * changes.
 */
function chainSamples(labels: string, chain: ChainFacts[]): Sample[] {
  return chain.flatMap(({ title, notBefore, notAfter }, i): Sample[] => {
    const facts = formatLabels({ position: `${i + 1}`, title: cut(title) });
    return [
      [
        "acme_lb_certificate_chain_not_after_timestamp_seconds",
        `${labels},${facts}`,
        seconds(notAfter),
      ],
      [
        "acme_lb_certificate_chain_not_before_timestamp_seconds",
        `${labels},${facts}`,
        seconds(notBefore),
      ],
    ];
  });
}

function infoSample(labels: string, { title, serial, issuer }: LeafFacts): Sample {
  const facts = formatLabels({ title: cut(title), serial: cut(serial), issuer: cut(issuer) });
  return ["acme_lb_certificate_info", `${labels},${facts}`, 1];
}

function seconds(date: Date): number {
  return date.getTime() / 1000;
}

function cut(text: string): string {
  return startOf(text, MAX_VALUE);
}
