/** `acme-lb self-test`: a token planted here, fetched as the CA would through every balancer. */

import { parseIPv4, parseIPv6, parseSocketAddress, type SocketAddress } from "../address.ts";
import { checked, Option, type Subcommand, writeToStdout } from "../cli.ts";
import { configDigest } from "../config/digest.ts";
import { addFlags, type ConfigFlags, withFlags } from "../config/flags.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { EXIT, JobError } from "../errors.ts";
import { resolvePeers } from "../http/peer_addresses.ts";
import { machineAddresses } from "../own_addresses.ts";
import { whileShowing } from "../progress.ts";
import { askOwnPort, askPaths, type Replies } from "../self_test/ask_paths.ts";
import { formatReport, formatReportAsJson } from "../self_test/format.ts";
import { selfTestReport, type TriedPlace } from "../self_test/self_test_report.ts";
import { type Path, planPaths } from "../self_test/paths.ts";
import { dnsBy, resolveNames } from "../self_test/resolve_names.ts";
import { documentPlan, otherPlaces, type Plan, randomPlan } from "../self_test/test_plan.ts";
import { parseDuration } from "../time.ts";
import { findingsHere } from "./findings_here.ts";
import { askFleet } from "../status/ask_fleet.ts";
import { findAddressFaults } from "../status/address_findings.ts";
import type { Silence } from "../status/fleet.ts";
import { fault, type SelfTestFinding } from "../self_test/findings.ts";
import { whilePlanted } from "./while_planted.ts";

interface SelfTestFlags extends ConfigFlags {
  document?: boolean;
  lifetime: number;
  resolver?: SocketAddress;
  format: "text" | "json";
  json?: boolean;
}

const EXAMPLES = `
Examples:
  acme-lb self-test
      run it on each balancer in turn; it tests the addresses in /etc/acme-lb/config.yaml
  acme-lb self-test --document
      with the file and the text of the article's "Test requests"
  acme-lb self-test --resolver 9.9.9.9
      with the addresses of the public DNS, if the resolver here returns others
  acme-lb self-test --format json --lifetime 160h
      one object: ok, token, paths (port, address, host, of, outcome, ms, findings), findings, and
      verdict (answer: yes, partly, no or unknown; text, through, not_through, cause with where);
      each finding has level (fail, warn, note), rule, text, and about where it concerns no path

It asks the challenge port of each peer, and port 80 of the addresses in cluster and of those that
the DNS returns for cluster.names. On this balancer it tests each webroot, with a flat and a
nested token. The last line is the verdict: whether the CA gets its answer now, through which
addresses, and what to repair first. Run it as root or as the user of the ACME client, because it
writes to the webroot; it removes its tokens at the end. Exit codes: 0 nothing failed, 1 something
did.`;

export const selfTest: Subcommand<SelfTestFlags> = {
  configure(command) {
    addFlags(command, ["webroot", "peer", "challenge-listen", "https-port"]);
    command
      .option("--document", "write the test file of the article instead of a random token")
      .addOption(
        new Option(
          "--lifetime <duration>",
          "how long a certificate is valid, for the CA's weekly limit",
        ).argParser(checked(parseLifetime)).default(parseLifetime("90d"), "90d"),
      )
      .option(
        "--resolver <address>",
        "ask this DNS server for the addresses of cluster.names, e.g. 9.9.9.9 or [2620:fe::fe]:53",
        checked(parseResolver),
      )
      .addOption(
        new Option("--format <format>", "format of the report")
          .choices(["text", "json"]).default("text"),
      )
      .option("--json", "the same as --format json, for scripts written for version 0.1")
      .addHelpText("after", EXAMPLES);
  },

  async run(options) {
    const loaded = await loadConfig(options.config);
    const config = withFlags(loaded.config, options);
    const here = await findingsHere(config);
    const [webroot] = here.webroots;
    if (webroot === undefined) {
      throw new JobError(`${config.webroot[0]} is on a file system that does not answer`);
    }
    const machine = machineAddresses();
    const plan = options.document ? documentPlan(config, machine) : randomPlan();
    if (options.document) await refuseExisting(`${webroot}/${plan.token}`);

    const [records, peers] = await whileShowing(
      "resolving names",
      Promise.all([
        resolveNames(config.cluster.names, dnsBy(options.resolver)),
        resolvePeers(config.peers),
      ]),
    );
    const paths = planPaths({ config, records, peers: peers.peers, machine });
    const file = loaded.path ?? "the defaults";
    const [asked, held] = await Promise.all([
      askWhilePlanted(here.webroots, { plan, paths, lineEnd: options.document }),
      heldWrongly(config, { file, machine }),
    ]);
    const report = selfTestReport({
      ...{ config, records, paths, webroot, machine, questions: plan, text: plan.text },
      ...asked,
      file,
      held,
      digest: await configDigest(config),
      here: here.findings,
      unresolved: peers.unresolved,
      lifetimeMs: options.lifetime,
    });
    const asJson = options.json || options.format === "json";
    writeToStdout(asJson ? formatReportAsJson(report) : formatReport(report));
    return report.ok ? EXIT.done : EXIT.failed;
  },
};

/**
 * Virtual addresses that two balancers hold at once, or none, as `status` finds them. None is only
 * certain when no peer answers without reporting its addresses; other servers may be peers too.
 */
async function heldWrongly(
  config: Config,
  where: { file: string; machine: string[] },
): Promise<SelfTestFinding[]> {
  if (config.cluster.virtual_addresses.length === 0) return [];
  const view = await askFleet({ config, ...where });
  const known = view.rows.every(({ silence }) => silence === undefined || DEAD.includes(silence));
  return findAddressFaults(view).flatMap(({ rule, text, about }) =>
    rule === "address_twice" || (rule === "address_unheld" && known)
      ? [{ ...fault(rule, text), about }]
      : []
  );
}

/** Nothing serves there, whatever it was. */
const DEAD: Silence[] = ["timeout", "refused", "reset", "unreachable"];

/** Plants a token for every path, and one for every place in which a client may write. */
async function askWhilePlanted(
  webroots: readonly string[],
  { plan, paths, lineEnd }: { plan: Plan; paths: readonly Path[]; lineEnd: boolean | undefined },
): Promise<{ replies: Replies[]; places: TriedPlace[] }> {
  const [webroot = ""] = webroots;
  const { token, text } = plan;
  const own = paths.find((path) => path.own);
  const places = own ? otherPlaces(webroots) : [];
  const others = places.map((place) => ({ ...place, content: place.text }));
  return await whilePlanted({
    main: { webroot, directory: webroot, token, content: lineEnd ? `${text}\n` : text },
    others,
    work: async (signal, reasons) => {
      const tokens = places.map(({ token }) => token);
      const [replies, here] = await whileShowing(
        `asking ${paths.length} paths`,
        Promise.all([
          askPaths(paths, { questions: plan, signal }),
          own ? askOwnPort(own, { tokens, signal }) : [],
        ]),
      );
      const tried = places.map((place, i) => ({
        ...{ ...place, reply: here[i], reason: reasons.get(others[i]!) },
      }));
      return { replies, places: tried };
    },
  });
}

/** The article's file may have been written by hand; it would be overwritten, then removed. */
async function refuseExisting(path: string): Promise<void> {
  try {
    await Deno.lstat(path);
  } catch {
    return;
  }
  throw new JobError(`${path} is there already; remove it, or run without --document`);
}

/** Port 53 unless one is given. @throws {SyntaxError} */
function parseResolver(text: string): SocketAddress {
  const hostname = parseIPv4(text) ?? parseIPv6(text);
  return hostname === undefined ? parseSocketAddress(text) : { hostname, port: 53 };
}

/** @throws {SyntaxError} */
function parseLifetime(text: string): number {
  const lifetime = parseDuration(text);
  if (lifetime < 3_600_000) throw new SyntaxError("expected a duration of 1h or more");
  return lifetime;
}
