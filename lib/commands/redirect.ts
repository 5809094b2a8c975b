/** `acme-lb redirect`: only the redirect from HTTP to HTTPS. */

import type { SocketAddress } from "../address.ts";
import type { Subcommand } from "../cli.ts";
import { addFlags, addListenFlag, type ConfigFlags } from "../config/flags.ts";
import { redirectPorts } from "./ports.ts";
import { runServer } from "./serve.ts";

const EXAMPLES = `
Examples:
  acme-lb redirect --listen '[::]:80'
  acme-lb redirect --listen 127.0.0.1:8080 --https-port 8443`;

export const redirect: Subcommand<ConfigFlags & { listen?: SocketAddress[] }> = {
  configure(command) {
    addListenFlag(command, "where to listen, e.g. [::]:80");
    addFlags(command, ["https-port"]).addHelpText("after", EXAMPLES);
  },

  run: (options) =>
    runServer(options, {
      flags: { ...options, publicListen: options.listen },
      ports: redirectPorts,
    }),
};
