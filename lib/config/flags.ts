/** Flags of the command line that stand for keys of the configuration, and win over the file. */

import { parsePort, parseSocketAddress, type SocketAddress } from "../address.ts";
import { checked, type Command, repeatable } from "../cli.ts";
import { parsePeer, type Peer } from "../peer.ts";
import type { Config } from "./schema.ts";
import { parseAbsolutePath } from "./values.ts";

/** The values of the flags that {@link addFlag} adds; undefined where not given. */
export interface ConfigFlags {
  publicListen?: SocketAddress[];
  challengeListen?: SocketAddress[];
  metricsListen?: SocketAddress[];
  webroot?: string[];
  peer?: Peer[];
  httpsPort?: number;
}

const FLAGS = {
  "public-listen": ["<address>", "where the public port listens, e.g. [::]:80; repeatable"],
  "challenge-listen": [
    "<address>",
    "where the challenge port listens, e.g. [::]:31080; repeatable",
  ],
  "metrics-listen": ["<address>", "where metrics and /healthz listen; repeatable"],
  "webroot": ["<dir>", "directory of token files, flat or nested; repeatable"],
  "peer": ["<address>", "challenge port of a balancer, e.g. [2001:db8::f001]:31080; repeatable"],
  "https-port": ["<port>", "port that redirects lead to"],
} as const;

/** Adds flags of the table above; `listen` is short for the listener of a single-role command. */
export function addFlags(command: Command, names: (keyof typeof FLAGS)[]): Command {
  for (const name of names) {
    const [value, help] = FLAGS[name];
    const flag = `--${name} ${value}`;
    if (name === "https-port") command.option(flag, help, checked(parseHttpsPort));
    else if (name === "webroot") command.option(flag, help, repeatable(parseAbsolutePath));
    else if (name === "peer") command.option(flag, help, repeatable(parsePeer));
    else command.option(flag, help, repeatable(parseSocketAddress));
  }
  return command;
}

/** Adds `--listen`, which a single-role command has in place of its key's longer name. */
export function addListenFlag(command: Command, help: string): Command {
  return command.option(
    "--listen <address>",
    `${help}; repeatable`,
    repeatable(parseSocketAddress),
  );
}

/** The configuration with the flags that were given in place of its values. */
export function withFlags(config: Config, flags: ConfigFlags): Config {
  return {
    ...config,
    webroot: flags.webroot ?? config.webroot,
    peers: flags.peer ?? config.peers,
    public: { ...config.public, listen: flags.publicListen ?? config.public.listen },
    challenge: { ...config.challenge, listen: flags.challengeListen ?? config.challenge.listen },
    metrics: { ...config.metrics, listen: flags.metricsListen ?? config.metrics.listen },
    redirect: { ...config.redirect, https_port: flags.httpsPort ?? config.redirect.https_port },
  };
}

/** @throws {SyntaxError} */
function parseHttpsPort(text: string): number {
  const port = parsePort(text);
  if (port === 0) throw new SyntaxError("a redirect cannot lead to port 0");
  return port;
}
