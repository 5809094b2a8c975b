/**
 * Prometheus' text format 0.0.4: families of samples, each with its help and type.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */

import { printable } from "./log.ts";

export interface MetricFamily {
  name: string;
  help: string;
  type: "counter" | "gauge";
  /** `labels` as {@link formatLabels} writes them, or empty; no two samples have the same. */
  samples: { labels: string; value: number }[];
}

/** All families that have samples; ends with a newline, as the format demands. */
export function formatFamilies(families: Iterable<MetricFamily>): string {
  const lines: string[] = [];
  for (const { name, help, type, samples } of families) {
    if (samples.length === 0) continue;
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const { labels, value } of samples) {
      lines.push(`${name}${labels && `{${labels}}`} ${value}`);
    }
  }
  return lines.join("\n") + "\n";
}

/**
 * The labels as `name="value"` pairs. Values are escaped twice: for a terminal that shows the
 * label, then as the format requires.
 */
export function formatLabels(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const text = printable(value).replaceAll("\\", "\\\\").replaceAll('"', '\\"');
    return `${name}="${text}"`;
  });
  return pairs.join(",");
}
