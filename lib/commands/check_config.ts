/** `acme-lb check-config`: what the configuration means, or what is wrong with it and where. */

import { type Subcommand, writeToStdout } from "../cli.ts";
import { describeConfig } from "../config/describe.ts";
import { loadConfig } from "../config/load.ts";
import { configWarnings, ownPeers } from "../config/warnings.ts";
import { EXIT } from "../errors.ts";
import { solversThatAnswerAll } from "../http/solvers.ts";
import { printable } from "../log.ts";
import { formatPeer } from "../peer.ts";
import { formatYaml } from "../yaml.ts";

const EXAMPLES = `
Examples:
  acme-lb check-config --config /etc/acme-lb/config.yaml
      prints every key with its value in force; mistakes come as file:line:column: key: reason

Exit codes: 0 the configuration can be used (warnings stand in the output), 78 it cannot.`;

export const checkConfig: Subcommand = {
  configure(command) {
    command.addHelpText("after", EXAMPLES);
  },

  async run(options) {
    const { config, path } = await loadConfig(options.config);
    const addresses = Deno.networkInterfaces().map(({ address }) => address);
    const own = ownPeers(config, addresses).map(formatPeer);
    const warnings = await configWarnings(config);
    const catchAll = await solversThatAnswerAll(config.challenge.solvers);
    const notes = [
      path ?? "no configuration file: the defaults",
      ...warnings.map((warning) => `warning: ${warning}`),
      ...catchAll.map((solver) => `warning: challenge.solvers: ${solver.address} ${solver.doubt}`),
      ...own.map((peer) => `this balancer: ${peer}`),
    ];
    // A path may hold a line end; a comment must not.
    const comments = notes.map((note) => `# ${printable(note)}\n`).join("");
    writeToStdout(comments + formatYaml(describeConfig(config)));
    return EXIT.done;
  },
};
