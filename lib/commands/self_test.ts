/** `acme-lb self-test`: a token planted here, fetched as the CA would through every balancer. */

import { checked, Option, type Subcommand, writeToStdout } from "../cli.ts";
import { configDigest } from "../config/digest.ts";
import { addFlags, type ConfigFlags, withFlags } from "../config/flags.ts";
import { loadConfig } from "../config/load.ts";
import { parseDuration } from "../time.ts";
import { EXIT, JobError } from "../errors.ts";
import { resolvePeers } from "../http/peer_addresses.ts";
import { whileShowing } from "../progress.ts";
import { askPaths } from "../self_test/ask_paths.ts";
import { formatReport, formatReportAsJson } from "../self_test/format.ts";
import { judge } from "../self_test/judge.ts";
import { planPaths } from "../self_test/paths.ts";
import { documentPlan, randomPlan } from "../self_test/test_plan.ts";
import { resolveNames } from "../self_test/resolve_names.ts";
import { whilePlanted } from "./while_planted.ts";

export interface SelfTestFlags extends ConfigFlags {
  document?: boolean;
  lifetime: number;
  json?: boolean;
}

const EXAMPLES = `
Examples:
  acme-lb self-test
      on each balancer in turn; what stands in /etc/acme-lb/config.yaml is what is asked
  acme-lb self-test --document
      with the file and the text of the article's "Test requests"
  acme-lb self-test --json --lifetime 160h
      one object: ok, token, paths (port, address, host, of, outcome, ms, findings), findings; each
      finding has level (fail, warn, note), rule, text, and about where it concerns no path

Asked are the challenge port of each of the peers, and port 80 of the addresses in cluster and of
those that the DNS gives for cluster.names. Run it as root or as the user of the ACME client, who may
write to the webroot; the token is removed again. Exit codes: 0 nothing failed, 1 something did.`;

export const selfTest: Subcommand<SelfTestFlags> = {
  configure(command) {
    addFlags(command, ["webroot", "peer", "challenge-listen", "https-port"]);
    command
      .option("--document", "plant the article's own test file instead of a random token")
      .addOption(
        new Option(
          "--lifetime <duration>",
          "how long a certificate is valid, for the CA's weekly limit",
        ).argParser(checked(parseLifetime)).default(parseLifetime("90d"), "90d"),
      )
      .option("--json", "print the report as one JSON object")
      .addHelpText("after", EXAMPLES);
  },

  async run(options) {
    const loaded = await loadConfig(options.config);
    const config = withFlags(loaded.config, options);
    const [webroot = ""] = config.webroot;
    const machine = Deno.networkInterfaces().map(({ address }) => address);
    const plan = options.document ? documentPlan(config, machine) : randomPlan();
    if (options.document) await refuseExisting(`${webroot}/${plan.token}`);

    const [records, peers] = await whileShowing(
      "resolving names",
      Promise.all([
        resolveNames(config.cluster.names),
        resolvePeers(config.peers),
      ]),
    );
    const paths = planPaths({ config, records, peers: peers.peers, machine });
    const replies = await whilePlanted(webroot, {
      token: plan.token,
      content: options.document ? `${plan.text}\n` : plan.text,
      work: (signal) =>
        whileShowing(`asking ${paths.length} paths`, askPaths(paths, { questions: plan, signal })),
    });
    const report = judge({
      ...{ config, records, paths, replies, webroot, questions: plan, text: plan.text },
      file: loaded.path ?? "the defaults",
      digest: await configDigest(config),
      unresolved: peers.unresolved,
      lifetime: options.lifetime,
    });
    writeToStdout(options.json ? formatReportAsJson(report) : formatReport(report));
    return report.ok ? EXIT.done : EXIT.failed;
  },
};

/** The article's file may stand there by hand; it would be overwritten, then removed. */
async function refuseExisting(path: string): Promise<void> {
  try {
    await Deno.lstat(path);
  } catch {
    return;
  }
  throw new JobError(`${path} is there already; remove it, or run without --document`);
}

/** @throws {SyntaxError} */
function parseLifetime(text: string): number {
  const lifetime = parseDuration(text);
  if (lifetime < 3_600_000) throw new SyntaxError("expected a duration of 1h or more");
  return lifetime;
}
