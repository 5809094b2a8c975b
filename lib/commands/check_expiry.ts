/** `acme-lb check-expiry`: certificates in files, at live endpoints and in HAProxy's memory. */

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
import { parseRuntimeAddress } from "../runtime_address.ts";
import { parseDuration } from "../time.ts";
import { EARLIEST_NOW } from "../version.ts";
import { type Endpoint, parseEndpoint } from "../expiry/check_endpoints.ts";
import { checkPlaces, type Places } from "../expiry/places.ts";
import { refuseInputAsTarget } from "./pem_target.ts";

interface CheckExpiryFlags {
  connect?: Endpoint[];
  servername?: string[];
  ipv4?: true;
  ipv6?: true;
  name?: string[];
  exclude?: string[];
  uncheckedChain: "unknown" | "ok";
  timeout: number;
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
      every file below the directory; patterns such as '/etc/acme/**/fullchain.pem' work too
  acme-lb check-expiry /etc/haproxy/certs --connect '[2001:db8::1]:443' --servername service.example
      the same, and whether the address serves the newest of these files
  acme-lb check-expiry --haproxy-socket /run/haproxy/admin.sock --format nagios
      every certificate in HAProxy's memory, compared with the file it was loaded from
  acme-lb check-expiry /etc/ssl --warning 25%,30d --critical 12.5%,10d --exclude '*.bak'
      one setting for certificates of six days and of a year: the smaller of share and span counts
  acme-lb check-expiry --format prometheus --output /var/lib/node_exporter/acme-lb.prom
      the files under certificates and haproxy.sockets in the configuration, for node_exporter

It checks dates, whether a key in the file belongs to the certificate, the order and the dates of
the chain, names, signatures with SHA-1, test CAs, and placeholders of self-signed. It does not
check whether anybody trusts the CA. The first certificate of a file is the one that counts; if it
cannot be read, no other one takes its place. In directories, hidden files, HAProxy's .ocsp,
.issuer and .sctl files and files with only a key are left out, with a note. So are backup files
of editors, unless they have a key and a certificate, because HAProxy loads those. In a file with
only CA certificates, the first one to expire counts, with the thresholds of a certificate of 90
days. A file or directory that does not answer within a quarter of --timeout is UNKNOWN.

An endpoint is asked with both kinds of key, in eight handshakes each: a server may have an RSA
and an ECDSA certificate, and an old process may still answer after a reload. Its certificate must
cover the name that it is asked for, which is each --servername, or the name of the endpoint. The
certificate is compared with the newest file for that name with the same kind of key; a file with
exactly this name is preferred to a wildcard. Without a name to ask for, every name of the served
certificate counts. So give only files that the endpoints serve. The addresses are also compared
with each other: one is left behind when its certificate is overdue for renewal and another has a
newer one that is not.

Exit codes: 0 all OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. The worst state counts; UNKNOWN counts as
less severe than WARNING, but never as OK; 3 also for a wrong command line or configuration.`;

const EXIT_CODES: Record<State, number> = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 };

/** Less than the ten seconds after which Nagios' NRPE ends a check. */
export const DEFAULT_TIMEOUT_MS = 8000;

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
      .option(
        "--servername <name>",
        "name to ask every endpoint for; repeatable",
        repeatable(parseSubjectName),
      )
      .addOption(new Option("-4, --ipv4", "ask only IPv4 addresses").conflicts("ipv6"))
      .option("-6, --ipv6", "ask only IPv6 addresses")
      .option(
        "--name <name>",
        "name or IP address that every certificate must cover; repeatable",
        repeatable(parseSubjectName),
      )
      .option(
        "--haproxy-socket <path>",
        "runtime API of an HAProxy; its memory is compared with its files; repeatable",
        repeatable(parseRuntimeAddress),
      )
      .option(
        "--exclude <pattern>",
        "file names or paths to leave out, such as '*.bak'; repeatable",
        repeatable(String),
      )
      .option(
        "--warning <left>",
        `WARNING when less than this share of the lifetime, or time, is left: 25%, 30d, or the ` +
          `smaller of both: 25%,30d (default: ${formatThreshold(warning)})`,
        checked(parseThreshold),
      )
      .option(
        "--critical <left>",
        `CRITICAL when less than this is left (default: ${formatThreshold(critical)})`,
        checked(parseThreshold),
      )
      .addOption(
        new Option(
          "--unchecked-chain <state>",
          "state of a chain whose signatures cannot be checked here",
        )
          .choices(["unknown", "ok"]).default("unknown"),
      )
      .addOption(
        new Option(
          "--timeout <duration>",
          "time limit for all endpoints together; for a file a quarter of it",
        )
          .argParser(checked(parseTimeout)).default(DEFAULT_TIMEOUT_MS, "8s"),
      )
      .addOption(
        new Option("--format <format>", "format of the report")
          .choices(["text", "nagios", "json", "prometheus"]).default("text"),
      )
      .option(
        "--output <file>",
        "write the report to this file in one step, and nothing to standard output",
      )
      .option(
        "-v, --verbose",
        "with nagios: list everything that is not OK; -vv every record, -vvv with its facts",
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
        servernames: options.servername ?? [],
        family: options.ipv4 ? 4 : options.ipv6 ? 6 : undefined,
        unchecked: options.uncheckedChain === "unknown",
        timeoutMs: options.timeout,
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
  const { connect: endpoints = [], haproxySocket, exclude } = options;
  if (paths.length + endpoints.length > 0) {
    return { paths, endpoints, sockets: haproxySocket ?? [], exclude };
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
  return { paths: config.certificates, endpoints, sockets, exclude };
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

/** @throws {SyntaxError} */
function parseTimeout(text: string): number {
  const ms = parseDuration(text);
  if (ms >= 100 && ms <= 3600_000) return ms;
  throw new SyntaxError("expected a time from 100ms to 1h");
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
