/**
 * Counters and gauges of the running servers, and their Prometheus text.
 *
 * Label values are fixed words and configured addresses, never chosen by a client, so their number
 * is bounded.
 */

import { formatFamilies } from "../prometheus_text.ts";

/** What a listener counts. */
interface RoleCounts {
  answered(status: number): void;
  /** One of the answers was a refusal, for that reason. */
  refused(reason: string): void;
  /** A connection in this activity was closed for another. */
  evicted(activity: string): void;
  turnedAway(reason: string): void;
  acceptFailed(): void;
}

/** A value for labels, whose text may be anything. */
export interface Sample {
  labels: Record<string, string>;
  value: number;
}

export interface Metrics {
  /** Counters for one listener's role; `connections` reads how many are open. */
  role(role: string, connections: () => number): RoleCounts;
  /** The listener is gone; its counters stay, its gauge does not. */
  forgetRole(counts: RoleCounts): void;
  /** Adds one to a counter; the labels are `name="value"` pairs, or empty. */
  count(counter: Counter, labels?: string): void;
  /** Sets a gauge, or says where its value, or those for several labels, come from. */
  gauge(name: Gauge, value: number | (() => number | Sample[])): void;
  /** All values of a family together; 0 for one that has none yet. */
  sum(family: Counter | Gauge): number;
  /** Text exposition format 0.0.4. */
  render(): string;
}

const HELP = {
  requests_total: "Answers sent, by role and status.",
  refusals_total: "Requests refused, by role and reason.",
  evicted_total: "Connections ended to make room for others, by role and what they did.",
  turned_away_total: "Connections closed at once because a cap was reached.",
  accept_errors_total: "Failures to accept a connection, such as running out of descriptors.",
  lookups_total: "Challenge lookups among the peers, by result.",
  peer_answers_total: "Answers of peers to lookups, by peer and outcome.",
  log_lines_suppressed_total:
    "Log lines left out: over their event's budget (rate), or because stderr is not read (not_read).",
  connections: "Open connections.",
  event_loop_lag_seconds: "The longest delay of the event loop within the last seconds.",
  healthy: "Whether /healthz answers 200.",
  lookups_in_flight: "Challenge lookups that are waiting for peers.",
  webroot_readable: "Whether a webroot answers, and lets this user look for token files.",
  config_last_reload_successful: "Whether the last reading of the configuration succeeded.",
  config_last_reload_success_timestamp_seconds:
    "When the configuration was last read with success.",
  start_time_seconds: "When the process started.",
  resident_memory_bytes: "Resident memory.",
  build_info: "Always 1; the version is a label.",
} as const;

type Family = keyof typeof HELP;
type Counter = Extract<Family, `${string}_total`>;
type Gauge = Exclude<Family, Counter>;

export function createMetrics(version: string): Metrics {
  const counters = new Map<Counter, Map<string, number>>();
  const gauges = new Map<Gauge, number | (() => number | Sample[])>();
  const roles = new Map<RoleCounts, { role: string; connections: () => number }>();
  gauges.set("start_time_seconds", Math.floor(Date.now() / 1000));
  gauges.set("resident_memory_bytes", () => Deno.memoryUsage().rss);

  function count(counter: Counter, labels = ""): void {
    const family = counters.get(counter) ?? new Map<string, number>();
    counters.set(counter, family);
    family.set(labels, (family.get(labels) ?? 0) + 1);
  }

  function samples(): [Family, string, number][] {
    const all: [Family, string, number][] = [["build_info", `version="${version}"`, 1]];
    for (const [family, values] of counters) {
      for (const [labels, value] of values) all.push([family, labels, value]);
    }
    const open = new Map<string, number>();
    for (const { role, connections } of roles.values()) {
      open.set(role, (open.get(role) ?? 0) + connections());
    }
    for (const [role, value] of open) all.push(["connections", `role="${role}"`, value]);
    for (const [name, source] of gauges) {
      const value = typeof source === "function" ? source() : source;
      if (typeof value === "number") all.push([name, "", value]);
      else for (const one of value) all.push([name, labelsOf(one), one.value]);
    }
    return all;
  }

  return {
    role(role, connections) {
      const labels = new Map<number, string>();
      const counts: RoleCounts = {
        answered(status) {
          let label = labels.get(status);
          if (label === undefined) {
            label = `role="${role}",status="${status}"`;
            labels.set(status, label);
          }
          count("requests_total", label);
        },
        refused: (reason) => count("refusals_total", `role="${role}",reason="${reason}"`),
        evicted: (activity) => count("evicted_total", `role="${role}",activity="${activity}"`),
        turnedAway: (reason) => count("turned_away_total", `role="${role}",reason="${reason}"`),
        acceptFailed: () => count("accept_errors_total", `role="${role}"`),
      };
      roles.set(counts, { role, connections });
      return counts;
    },
    forgetRole: (counts) => void roles.delete(counts),
    count,
    gauge: (name, value) => void gauges.set(name, value),
    sum: (wanted) =>
      samples().reduce((sum, [family, , value]) => family === wanted ? sum + value : sum, 0),
    render() {
      const byFamily = Map.groupBy(samples(), ([family]) => family);
      return formatFamilies((Object.keys(HELP) as Family[]).map((family) => ({
        name: `acme_lb_${family}`,
        help: HELP[family],
        type: family.endsWith("_total") ? "counter" : "gauge",
        samples: (byFamily.get(family) ?? []).map(([, labels, value]) => ({ labels, value })),
      })));
    },
  };
}

/** Text format 0.0.4: a backslash, a quote and a line end are escaped in the value of a label. */
function labelsOf({ labels }: Sample): string {
  const escaped = (text: string) =>
    text.replace(/[\\"\n]/g, (char) => char === "\n" ? "\\n" : `\\${char}`);
  return Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`).join();
}
