/** Adds the report for `status` to the challenge port, and the status page to the metrics port. */

import { formatSocketAddress } from "../address.ts";
import type { Config } from "../config/schema.ts";
import { messageOf } from "../errors.ts";
import type { Handler } from "../http/connection.ts";
import { createPeerAddresses } from "../http/peer_addresses.ts";
import type { PeerNames } from "../http/peer_names.ts";
import type { PortSpec } from "../http/service.ts";
import type { Log } from "../log.ts";
import { machineAddresses } from "../own_addresses.ts";
import { createPageHandler } from "../status/page_handler.ts";
import type { StatusSource } from "../status/own_status.ts";
import { createReportHandler } from "../status/report_handler.ts";
import type { ServedPort } from "../status/balancer_report.ts";
import { knownBalancers } from "./ports.ts";

interface StatusPortsOptions {
  config: Config;
  /** The configuration file, or a description when there is none. */
  file: string;
  source: StatusSource;
  names: PeerNames;
  log: Log;
}

/** The ports with the status added; the others unchanged. */
export function withStatus(specs: PortSpec[], options: StatusPortsOptions): PortSpec[] {
  return specs.map((spec) => {
    if (spec.role === "challenge") return { ...spec, handler: telling(spec.handler, options) };
    return spec.role === "metrics" ? { ...spec, handler: showing(spec.handler, options) } : spec;
  });
}

export function servedPorts(specs: readonly PortSpec[]): ServedPort[] {
  return specs.map(({ role, address }) => ({ role, address: formatSocketAddress(address) }));
}

/**
 * Reports the status of this balancer to other balancers. The names among the peers are resolved to
 * recognise them; only the request for the status waits for that. A single balancer is asked over
 * loopback.
 */
function telling(handler: Handler, { config, source, names }: StatusPortsOptions): Handler {
  const loopback = ["127.0.0.1", "::1"].map((hostname) => ({ hostname, port: 0 }));
  const told = config.peers.length > 0
    ? knownBalancers(config, names)
    : createPeerAddresses({ peers: loopback, own: [], names });
  return createReportHandler({ report: source.report, told, otherwise: handler });
}

/** Shows the page where nothing else is served. */
function showing(handler: Handler, { config, file, log }: StatusPortsOptions): Handler {
  const page = createPageHandler({
    ask: async () => {
      const { askFleet } = await import("../status/ask_fleet.ts");
      return await askFleet({ config, file, machine: machineAddresses() });
    },
    onError: (error) => log.error("defect", { reason: `status: ${messageOf(error)}` }),
  });
  return async (head, from, ...rest) => {
    const asked = head.method === "GET" || head.method === "HEAD";
    return asked && await page(head.target) || await handler(head, from, ...rest);
  };
}
