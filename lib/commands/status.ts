/** `acme-lb status`: the whole fleet at a glance, asked from any balancer. */

import { Option, type Subcommand, writeToStdout } from "../cli.ts";
import { addFlags, type ConfigFlags, withFlags } from "../config/flags.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { whileShowing } from "../progress.ts";
import { askFleet } from "../status/ask_fleet.ts";
import { findFleetFaults, stateOf } from "../status/fleet_findings.ts";
import { formatStatusAsJson, jsonStatus } from "../status/status_json.ts";
import { formatStatus } from "../status/status_text.ts";
import { delay } from "../time.ts";

export interface StatusFlags extends ConfigFlags {
  format: "text" | "json";
  watch?: boolean;
}

const EXAMPLES = `
Examples:
  acme-lb status
      on any balancer: one line that says whether all is well, what to do where it is not, then who
      holds which address, who reaches whom, certificates, hooks and the last challenges
  acme-lb status --watch
      the same again and again, until Ctrl-C
  acme-lb status --format json | jq -r '.findings[] | select(.level == "fail") | .text'
      one object: ok, balancers, findings; with --watch one line for each look

Every balancer of the peers is asked on its challenge port, all within two seconds; each answers to
balancers alone, and one that does not answer is a row. The page at / of the metrics port shows the
same. Exit codes: 0 all is well, 1 there are warnings, 2 something is wrong, 3 it could not be asked.`;

/** Between the end of one query and the next. */
const WATCH_MS = 2_000;

export const status: Subcommand<StatusFlags> = {
  configure(command) {
    addFlags(command, ["peer", "challenge-listen"]);
    command
      .addOption(
        new Option("--format <format>", "how to print it").choices(["text", "json"]).default(
          "text",
        ),
      )
      .option("--watch", "look again every two seconds")
      .addHelpText("after", EXAMPLES);
  },

  async run(options) {
    const loaded = await loadConfig(options.config);
    const config = withFlags(loaded.config, options);
    const file = loaded.path ?? "the defaults";
    while (true) {
      const { code, read } = await look(config, { file, ...options });
      // `acme-lb status --watch | head` has closed the pipe.
      if (!options.watch || !read) return code;
      await delay(WATCH_MS);
    }
  },
};

/** Asks once and prints; returns the exit code, and whether the output still has a reader. */
async function look(
  config: Config,
  { file, format, watch = false }: StatusFlags & { file: string },
): Promise<{ code: number; read: boolean }> {
  const machine = Deno.networkInterfaces().map(({ address }) => address);
  const asking = askFleet({ config, file, machine });
  const view = await (watch ? asking : whileShowing("asking the balancers", asking));
  const findings = findFleetFaults(view);
  const text = format === "json"
    ? formatStatusAsJson(jsonStatus(view, findings), { oneLine: watch })
    : (watch ? beginning() : "") + formatStatus(view, findings);
  return { code: stateOf(findings), read: writeToStdout(text) };
}

/** The output of one query after another; on a terminal it replaces the one before. */
function beginning(): string {
  return Deno.stdout.isTerminal() ? "\x1b[H\x1b[2J" : "\n";
}
