/** `acme-lb check-config`: what the configuration means, or what is wrong with it and where. */

import { type Subcommand, writeToStdout } from "../cli.ts";
import { describeConfig } from "../config/describe.ts";
import { wholeDigest } from "../config/digest.ts";
import { loadConfig } from "../config/load.ts";
import { configWarnings, ownPeers } from "../config/warnings.ts";
import type { Config } from "../config/schema.ts";
import { EXIT } from "../errors.ts";
import { doubtfulSolvers } from "../http/solvers.ts";
import { printable } from "../log.ts";
import { machineAddresses } from "../own_addresses.ts";
import { formatPeer } from "../peer.ts";
import { serviceName } from "../render/families.ts";
import { hiddenPaths } from "../render/server_unit.ts";
import { waitUntilInUse } from "../running_state.ts";
import { formatYaml } from "../yaml.ts";

const EXAMPLES = `
Examples:
  acme-lb check-config --config /etc/acme-lb/config.yaml
      prints every key with its value in use; a mistake is shown as file:line:column: key: reason
  acme-lb check-config --running
      whether the service uses the current content of the file, for instance after a reload

Exit codes: 0 the configuration can be used (the output has the warnings), 78 it cannot; with
--running 1 when the service uses another one, or does not run.`;

interface CheckConfigFlags {
  running?: boolean;
}

export const checkConfig: Subcommand<CheckConfigFlags> = {
  configure(command) {
    command
      .option("--running", "wait until the service uses this configuration; print no keys")
      .addHelpText("after", EXAMPLES);
  },

  async run(options) {
    const { config, path } = await loadConfig(options.config);
    if (options.running) {
      await waitUntilInUse(await wholeDigest(config));
      writeToStdout(`the service uses ${printable(path ?? "the defaults")}\n`);
      return EXIT.done;
    }
    const own = ownPeers(config, machineAddresses()).map(formatPeer);
    const warnings = [...await configWarnings(config), ...hiddenCertificates(config)];
    const { solvers } = config.challenge;
    const doubtful = await doubtfulSolvers(solvers, { host: serviceName(config) });
    const notes = [
      path ?? "no configuration file: the defaults",
      ...warnings.map((warning) => `warning: ${warning}`),
      ...doubtful.map(({ address, doubt }) => `warning: challenge.solvers: ${address} ${doubt}`),
      ...own.map((peer) => `this balancer: ${peer}`),
    ];
    // A path may contain a line end, a comment must not.
    const comments = notes.map((note) => `# ${printable(note)}\n`).join("");
    writeToStdout(comments + formatYaml(describeConfig(config)));
    return EXIT.done;
  },
};

/** The server's unit hides directories with keys, and so the certificates in them. */
function hiddenCertificates(config: Config): string[] {
  const hidden = config.metrics.listen.length > 0 ? hiddenPaths(config.certificates, config) : [];
  if (hidden.length === 0) return [];
  return [
    `certificates: ${hidden.join(", ")}: hidden from acme-lb.service, whose metrics leave out ` +
    "what it cannot read; acme-lb-check-expiry.timer watches all of them",
  ];
}
