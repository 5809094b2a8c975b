/** What the metrics port tells of addresses, hooks and renewals of this balancer. */

import { formatFamilies, formatLabels, type MetricFamily } from "../prometheus_text.ts";
import type { StatusSource } from "./own_status.ts";

type Facts = Awaited<ReturnType<StatusSource["facts"]>>;

/** Their names and help, for the examples and pages that name them. */
export const STATUS_METRICS = {
  acme_lb_virtual_address_held: "Whether this balancer holds the virtual address.",
  acme_lb_hook_success: "Whether the last run of the ACME client's hook for the file succeeded.",
  acme_lb_hook_last_run_timestamp_seconds: "When the hook last ran for the file.",
  acme_lb_last_renewal_timestamp_seconds: "When a certificate was last seen to be renewed.",
} as const;

/** The families in the text format; "" when there is nothing to tell. */
export function formatStatusMetrics({ held, hooks, renewedAt }: Facts): string {
  const hookSamples = (value: (hook: Facts["hooks"][number]) => number) =>
    hooks.map((hook) => ({
      labels: formatLabels({ client: hook.client, place: hook.out }),
      value: value(hook),
    }));
  const families = {
    acme_lb_virtual_address_held: [...held].map(([address, here]) => ({
      labels: formatLabels({ address }),
      value: here ? 1 : 0,
    })),
    acme_lb_hook_success: hookSamples(({ ok }) => ok ? 1 : 0),
    acme_lb_hook_last_run_timestamp_seconds: hookSamples(({ at }) => Date.parse(at) / 1000),
    acme_lb_last_renewal_timestamp_seconds: renewedAt === null
      ? []
      : [{ labels: "", value: Date.parse(renewedAt) / 1000 }],
  } satisfies Record<keyof typeof STATUS_METRICS, MetricFamily["samples"]>;
  const told = Object.entries(families).filter(([, samples]) => samples.length > 0);
  return told.length === 0 ? "" : formatFamilies(
    told.map(([name, samples]) => ({
      ...{ name, type: "gauge" as const, samples },
      help: STATUS_METRICS[name as keyof typeof STATUS_METRICS],
    })),
  );
}
