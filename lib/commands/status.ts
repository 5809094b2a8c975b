/** `acme-lb status`: the whole fleet at a glance, asked from any balancer. */

import { Option, type Subcommand, writeToStdout } from "../cli.ts";
import { addFlags, type ConfigFlags, withFlags } from "../config/flags.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { machineAddresses } from "../own_addresses.ts";
import { whileShowing } from "../progress.ts";
import { askFleet, askTimeoutMs } from "../status/ask_fleet.ts";
import type { FleetView } from "../status/fleet.ts";
import { findFleetFaults, stateOf } from "../status/fleet_findings.ts";
import { formatStatusAsJson, jsonStatus } from "../status/status_json.ts";
import type { StatusFinding } from "../status/status_finding.ts";
import { formatStatus } from "../status/status_text.ts";
import { watchScreen } from "../status/watch_screen.ts";
import { delay } from "../time.ts";

interface StatusFlags extends ConfigFlags {
  format: "text" | "json";
  watch?: boolean;
}

const EXAMPLES = `
Examples:
  acme-lb status
      on any balancer: one line that says whether all is well, what to do if it is not, then which
      balancer holds which address and reaches which peers, certificates, hooks and last challenges
  acme-lb status --watch
      repeats it until Ctrl-C
  acme-lb status --format json | jq -r '.findings[] | select(.level == "fail") | .text'
      one object: ok, balancers, findings; with --watch one line every two seconds

It asks the challenge ports of all peers at once and needs at most two seconds. Each answers only
to balancers, and one that does not answer is shown as a row too. The page at / of the metrics
port shows the same. Exit codes: 0 all is well, 1 there are warnings, 2 something is wrong, 3
nothing could be asked.`;

/** Between the end of one query and the next. */
const WATCH_MS = 2_000;

export const status: Subcommand<StatusFlags> = {
  configure(command) {
    addFlags(command, ["peer", "challenge-listen"]);
    command
      .addOption(
        new Option("--format <format>", "format of the output")
          .choices(["text", "json"]).default("text"),
      )
      .option("--watch", "repeat every two seconds")
      .addHelpText("after", EXAMPLES);
  },

  async run(options) {
    const loaded = await loadConfig(options.config);
    const config = withFlags(loaded.config, options);
    const file = loaded.path ?? "the defaults";
    let timeoutMs: number | undefined = askTimeoutMs(performance.now());
    while (true) {
      const { code, read } = await look(config, { file, timeoutMs, ...options });
      // `acme-lb status --watch | head` has closed the pipe.
      if (!options.watch || !read) return code;
      await delay(WATCH_MS);
      timeoutMs = undefined;
    }
  },
};

interface LookOptions extends StatusFlags {
  file: string;
  /** That of the first look, which the start has delayed already. */
  timeoutMs: number | undefined;
}

/** Asks once and prints; returns the exit code, and whether the output still has a reader. */
async function look(
  config: Config,
  { file, timeoutMs, format, watch = false }: LookOptions,
): Promise<{ code: number; read: boolean }> {
  const asking = askFleet({ config, file, machine: machineAddresses(), timeoutMs });
  const view = await (watch ? asking : whileShowing("asking the balancers", asking));
  const findings = findFleetFaults(view);
  const text = format === "json"
    ? formatStatusAsJson(jsonStatus(view, findings), { oneLine: watch })
    : shown(view, findings, { watch, first: timeoutMs !== undefined });
  return { code: stateOf(findings), read: writeToStdout(text) };
}

/** As text: for the terminal's width if it is one, and of each look in the place of the one before. */
function shown(
  view: FleetView,
  findings: StatusFinding[],
  { watch, first }: { watch: boolean; first: boolean },
): string {
  const size = Deno.stdout.isTerminal() ? Deno.consoleSize() : undefined;
  // A serial console tells no size.
  const width = size && (size.columns || 80);
  const text = formatStatus(view, findings, { width, dated: watch });
  if (!watch) return text;
  return size
    ? watchScreen(text, { columns: width!, rows: size.rows || 24, first })
    : `${first ? "" : "\n"}${text}`;
}
