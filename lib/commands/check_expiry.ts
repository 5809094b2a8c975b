/** `acme-lb check-expiry`: certificates in files, at live endpoints and in HAProxy's memory. */

import type { SocketAddress } from "../address.ts";
import { atomicWrite } from "../atomic_write.ts";
import { parseSubjectName } from "../cert/coverage.ts";
import type { ExpiryReport, State } from "../expiry/record.ts";
import {
  DEFAULT_THRESHOLDS,
  formatThreshold,
  makeThresholds,
  parseThreshold,
  type Threshold,
  type Thresholds,
} from "../expiry/thresholds.ts";
import {
  checked,
  type GlobalOptions,
  Option,
  repeatable,
  type Subcommand,
  writeToStdout,
} from "../cli.ts";
import { loadConfig } from "../config/load.ts";
import { messageOf, UsageError } from "../errors.ts";
import { whileShowing } from "../progress.ts";
import { overallState } from "../expiry/due_order.ts";
import { formatJson } from "../expiry/format_json.ts";
import { formatNagios } from "../expiry/format_nagios.ts";
import { formatPrometheus } from "../expiry/format_prometheus.ts";
import { formatText } from "../expiry/format_text.ts";
import { EARLIEST_NOW } from "../version.ts";
import { parseEndpoint } from "../expiry/check_endpoints.ts";
import { checkPlaces, type Places } from "../expiry/places.ts";
import { refuseInputAsTarget } from "./pem_target.ts";

export interface CheckExpiryFlags {
  connect?: SocketAddress[];
  servername?: string;
  name?: string[];
  haproxySocket?: string[];
  warning?: Threshold;
  critical?: Threshold;
  format: "text" | "nagios" | "json" | "prometheus";
  output?: string;
  verbose: number;
}

const EXAMPLES = `
Examples:
  acme-lb check-expiry /etc/haproxy/certs
      every file below the directory; patterns such as '/etc/acme/*/fullchain.pem' work too
  acme-lb check-expiry /etc/haproxy/certs --connect '[2001:db8::1]:443' --servername service.example
      the same, and whether the address serves the newest of these files
  acme-lb check-expiry --haproxy-socket /run/haproxy/admin.sock --format nagios
      all that HAProxy holds in memory, against the files it was loaded from
  acme-lb check-expiry --format prometheus --output /var/lib/node_exporter/acme-lb.prom
      what the configuration names under certificates and haproxy.sockets, for node_exporter

Looked at: dates, whether a key in the file fits, the order and the dates of the chain, names, and
placeholders of self-signed. Whether anybody trusts the CA is not. In directories hidden files,
editors' leftovers, HAProxy's .ocsp, .issuer and .sctl files and lone keys are left out, with a note.
A file of CA certificates alone is judged by the first to expire, as one of 90 days is.

An endpoint must cover the name that it is asked for, --servername or its own. Its certificate is
compared with the newest file for that name (without one, for any name that it serves) that has
the same kind of key: give files only along with endpoints that serve them. Addresses are compared
with each other: one is left behind when most serve a newer certificate, or when its own is overdue
for renewal and another's is not.

Exit codes: 0 all OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, the worst of all, where UNKNOWN is better
than WARNING and never OK; 3 also for a wrong command line or configuration.`;

const EXIT_CODES: Record<State, number> = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 };

/** For all endpoints together; less than the ten seconds that Nagios' NRPE grants a check. */
export const PROBE_TIMEOUT_MS = 8000;

export const checkExpiry: Subcommand<CheckExpiryFlags> = {
  configure(command) {
    const { warning, critical } = DEFAULT_THRESHOLDS;
    command
      .argument("[path...]", "files, directories (all below them) and patterns in quotes")
      .option(
        "--connect <host:port>",
        "live endpoint; all addresses of a name are asked; repeatable",
        repeatable(parseEndpoint),
      )
      .option("--servername <name>", "the name to ask endpoints for", checked(parseSubjectName))
      .option(
        "--name <name>",
        "name or IP address that every certificate must cover; repeatable",
        repeatable(parseSubjectName),
      )
      .option(
        "--haproxy-socket <path>",
        "runtime API of a HAProxy whose memory is compared with its files; repeatable",
        repeatable(String),
      )
      .option(
        "--warning <left>",
        `WARNING below this share of the lifetime or span, such as 25%, 30d, 48h ` +
          `(default: ${formatThreshold(warning)})`,
        checked(parseThreshold),
      )
      .option(
        "--critical <left>",
        `CRITICAL below this one (default: ${formatThreshold(critical)})`,
        checked(parseThreshold),
      )
      .addOption(
        new Option("--format <format>", "how to report")
          .choices(["text", "nagios", "json", "prometheus"]).default("text"),
      )
      .option("--output <file>", "write the report there, whole, and nothing on standard output")
      .option(
        "-v, --verbose",
        "with nagios: all that is not OK; -vv a line for each record, -vvv with its facts",
        (_, before: number) => before + 1,
        0,
      )
      .addHelpText("after", EXAMPLES);
  },

  async run(options, paths) {
    const thresholds = thresholdsOf(options);
    const places = await placesOf(options, paths);
    const report = await whileShowing(
      "checking certificates",
      checkPlaces(places, {
        now: new Date(),
        earliestNow: EARLIEST_NOW,
        thresholds,
        names: options.name ?? [],
        servername: options.servername,
        deadline: AbortSignal.timeout(PROBE_TIMEOUT_MS),
      }),
    );
    const text = formatReport(report, options);
    if (options.output === undefined) writeToStdout(text);
    else await writeReport(options.output, { text, report });
    return EXIT_CODES[overallState(report)];
  },
};

/** What to look at: what the command line names, else what the configuration does. */
async function placesOf(
  options: CheckExpiryFlags & GlobalOptions,
  paths: string[],
): Promise<Places> {
  const { connect: endpoints = [], haproxySocket } = options;
  if (paths.length + endpoints.length > 0) {
    return { paths, endpoints, sockets: haproxySocket ?? [] };
  }
  const { config, path } = await loadConfig(options.config);
  const sockets = haproxySocket ?? config.haproxy.sockets;
  if (config.certificates.length + sockets.length === 0) {
    const file = path ?? "a configuration file";
    throw new UsageError(
      "nothing to check: give a path or --connect HOST:PORT, or list certificates or " +
        `haproxy.sockets in ${file}; see acme-lb check-expiry --help`,
    );
  }
  return { paths: config.certificates, endpoints, sockets };
}

/** @throws {JobError} when it cannot be written, or would take the place of a certificate */
async function writeReport(
  path: string,
  { text, report }: { text: string; report: ExpiryReport },
): Promise<void> {
  const files = report.records.filter(({ source }) => source === "file");
  await refuseInputAsTarget(path, files.map(({ place }) => place));
  // The textfile collector runs as another user.
  await atomicWrite(path, text, { mode: 0o644, replaceLink: true });
}

/** @throws {UsageError} */
function thresholdsOf({ warning, critical }: CheckExpiryFlags): Thresholds {
  try {
    return makeThresholds({
      warning: warning ?? DEFAULT_THRESHOLDS.warning,
      critical: critical ?? DEFAULT_THRESHOLDS.critical,
    });
  } catch (error) {
    throw new UsageError(`--warning and --critical: ${messageOf(error)}`);
  }
}

function formatReport(report: ExpiryReport, { format, verbose, output }: CheckExpiryFlags): string {
  switch (format) {
    case "text":
      return formatText(report, {
        colour: output === undefined && Deno.stdout.isTerminal() && !Deno.noColor,
      });
    case "nagios":
      return formatNagios(report, { verbosity: Math.min(verbose, 3) as 0 | 1 | 2 | 3 });
    case "json":
      return formatJson(report);
    case "prometheus":
      return formatPrometheus(report);
  }
}
