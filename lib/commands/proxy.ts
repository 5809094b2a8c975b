/** `acme-lb proxy`: only the public challenge port. */

import type { SocketAddress } from "../address.ts";
import type { Subcommand } from "../cli.ts";
import { addFlags, addListenFlag, type ConfigFlags } from "../config/flags.ts";
import { publicPorts } from "./ports.ts";
import { runServer } from "./serve.ts";

const EXAMPLES = `
Examples:
  acme-lb proxy --listen 127.0.0.1:8080 --peer '[2001:db8::f001]:31080'
      behind another server on port 80 that passes on /.well-known/acme-challenge/`;

export const proxy: Subcommand<ConfigFlags & { listen?: SocketAddress[] }> = {
  configure(command) {
    addListenFlag(command, "where to listen, e.g. [::]:80");
    addFlags(command, ["webroot", "peer"]).addHelpText("after", EXAMPLES);
  },

  run: (options) =>
    runServer(options, {
      flags: { ...options, publicListen: options.listen },
      ports: (config, tools) => publicPorts(config, { ...tools, role: "proxy" }),
    }),
};
