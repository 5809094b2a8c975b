/** `acme-lb challenge-server`: only the challenge port. */

import type { SocketAddress } from "../address.ts";
import type { Subcommand } from "../cli.ts";
import { addFlags, addListenFlag, type ConfigFlags } from "../config/flags.ts";
import { challengePorts } from "./ports.ts";
import { runServer } from "./serve.ts";

const EXAMPLES = `
Examples:
  acme-lb challenge-server
      port 31080 answers with the token files of /run/acme/acme-challenge, and nothing else
  acme-lb challenge-server --listen '[2001:db8::f001]:31080' --webroot /var/lib/acme/webroot`;

export const challengeServer: Subcommand<ConfigFlags & { listen?: SocketAddress[] }> = {
  configure(command) {
    addListenFlag(command, "where to listen, e.g. [::]:31080");
    addFlags(command, ["webroot", "peer"]).addHelpText("after", EXAMPLES);
  },

  run: (options) =>
    runServer(options, {
      flags: { ...options, challengeListen: options.listen },
      ports: challengePorts,
    }),
};
