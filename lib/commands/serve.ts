/** `acme-lb serve`: everything one balancer needs, in one process. */

import type { GlobalOptions, Subcommand } from "../cli.ts";
import { addFlags, type ConfigFlags, withFlags } from "../config/flags.ts";
import { wholeDigest } from "../config/digest.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { configWarnings } from "../config/warnings.ts";
import { EXIT } from "../errors.ts";
import { createMetrics } from "../http/metrics.ts";
import {
  challengePorts,
  createPortTools,
  metricsPorts,
  type PortTools,
  publicPorts,
} from "./ports.ts";
import { type PortSpec, Service } from "../http/service.ts";
import { createLog } from "../log.ts";
import { openSupervisor } from "../service_manager.ts";
import type { ServedPort } from "../status/balancer_report.ts";
import { createOwnStatus, type StatusSource } from "../status/own_status.ts";
import { servedPorts, withStatus } from "./status_ports.ts";
import { VERSION } from "../version.ts";
import {
  type CertificateLook,
  createCertificateLook,
  createCertificateMetrics,
} from "../expiry/certificate_metrics.ts";

const EXAMPLES = `
Examples:
  acme-lb serve
      port 80 answers challenges from /run/acme/acme-challenge and redirects all else
  acme-lb serve --config /etc/acme-lb/config.yaml
      the same file on every balancer; each recognises its own address among the peers
  acme-lb serve --peer '[2001:db8::f001]:31080' --peer '[2001:db8::f002]:31080'

The metrics port reports the files under certificates as check-expiry does, but does not check
their keys. Files that this user cannot read are left out; acme-lb-check-expiry.timer reports
those.

Signals: SIGHUP reads the configuration again (and keeps the old one if the new one is wrong);
SIGTERM stops accepting, finishes what is in flight within 3 s, and ends with 0.`;

export const serve: Subcommand<ConfigFlags> = {
  configure(command) {
    addFlags(command, [
      "public-listen",
      "challenge-listen",
      "metrics-listen",
      "webroot",
      "peer",
      "https-port",
    ]);
    command.addHelpText("after", EXAMPLES);
  },

  run(options) {
    const look = createCertificateLook();
    return runServer(options, {
      flags: options,
      ports: (config, tools) => [
        ...publicPorts(config, { ...tools, role: "public" }),
        ...challengePorts(config, tools),
        ...metricsPorts(config, { ...tools, more: furtherMetrics(config, { ...tools, look }) }),
      ],
    });
  },
};

/** As root, one mistake could expose files on port 80 that only root may read. */
const AS_ROOT = "runs as root; run it as a user of its own, with " +
  "AmbientCapabilities=CAP_NET_BIND_SERVICE for port 80, as the unit in examples/systemd does";
/** What the ports of a server need to report its status. */
type ServerTools = PortTools & { source: StatusSource };

interface ServerOptions {
  /** Flags that win over the configuration, also when it is read again. */
  flags: ConfigFlags;
  /** What the command serves. */
  ports: (config: Config, tools: ServerTools) => PortSpec[];
}

/** Serves the ports that the configuration means until a signal ends it; the exit code. */
export async function runServer(
  options: GlobalOptions,
  { flags, ports }: ServerOptions,
): Promise<number> {
  const metrics = createMetrics(VERSION);
  const log = createLog({
    format: options.logFormat,
    level: options.logLevel,
    onSuppressed: (reason) => metrics.count("log_lines_suppressed_total", `reason="${reason}"`),
  });
  const supervisor = await openSupervisor(log);
  const service = new Service({ log, metrics, onLoad: supervisor.loaded });
  const status = createOwnStatus({ metrics, log, health: () => service.health() });
  const tools = createPortTools({
    ...{ log, metrics, events: status.events },
    health: () => service.health(),
  });
  let file = options.config;
  let over = false;
  const load = async () => {
    const loaded = await loadConfig(file);
    // A file that was in use and is missing now is a mistake; the defaults are not what is wanted.
    file = loaded.path;
    supervisor.loading(await wholeDigest(loaded.config));
    const config = withFlags(loaded.config, flags);
    const served: ServedPort[] = [];
    const source = status.under(config, served);
    const specs = ports(config, { ...tools, source });
    served.push(...servedPorts(specs));
    // The warnings look at directories, and the server must not wait for these. After the end no
    // warning follows, so that the last line of the log says why the server ended.
    void configWarnings(config).then((reasons) => {
      if (over) return;
      if (Deno.uid() === 0) reasons.push(AS_ROOT);
      for (const reason of reasons) log.warn("warning", { reason });
    });
    return withStatus(specs, {
      ...{ config, source, log, names: tools.names },
      file: file ?? "the defaults",
    });
  };
  try {
    await service.run(load);
  } catch (error) {
    await supervisor.failed(error);
    throw error;
  } finally {
    over = true;
  }
  return EXIT.done;
}

/** Metrics of certificates, addresses and hooks; the code is loaded at the first scrape. */
function furtherMetrics(
  config: Config,
  { log, source, look }: ServerTools & { look: CertificateLook },
): () => Promise<string> {
  const certificates = createCertificateMetrics({ paths: config.certificates, log, look });
  return async () => {
    const { formatStatusMetrics } = await import("../status/status_metrics.ts");
    return await certificates() + formatStatusMetrics(await source.facts());
  };
}
