/** acme-lb itself, from the executable that operators copy, started on one host of the network. */

import { executablePath } from "../executable.ts";
import { type Daemon, logged, startDaemon } from "./daemon.ts";
import { type Host, type Network } from "./network.ts";

/** Starts `acme-lb serve` and waits until it listens on both its ports. */
export async function startBalancer(
  network: Network,
  options: { host: Host; config: string; env?: Record<string, string> },
): Promise<Daemon> {
  const { host, config, env } = options;
  const log = `${network.directory}/${host.name}.log`;
  const daemon = await startDaemon(
    network.on(host, [await executablePath(), "serve", "--config", config]),
    { log, env },
  );
  await ready(daemon);
  return daemon;
}

/** Waits for the line that each listener writes when it accepts. */
export async function ready(daemon: Daemon): Promise<void> {
  for (const role of ["public", "challenge"]) {
    await logged(daemon, new RegExp(`event=listening role=${role} `));
  }
}
