/**
 * HTTPS requests through virtual addresses, one after the other through each, from outside, for as
 * long as a test lasts: each on a new connection, to see which are lost and when, or all on
 * one, to see that it lives on.
 */

import { type Daemon, startDaemon } from "./daemon.ts";
import type { Host, Network } from "./network.ts";

/** One request, with milliseconds since the epoch. */
export interface Request {
  address: string;
  start: number;
  end: number;
  /** HTTP status, 0 when there was no answer. */
  status: number;
  /** The backend that answered. */
  body: string;
  /** Why there was no whole answer. */
  error?: string;
}

export interface Load {
  /** All requests that have ended. */
  requests(): Promise<Request[]>;
  stop(): Promise<void>;
}

/** Starts asking for `name` through each of the addresses. */
export async function startLoad(
  network: Network,
  { from, name, addresses }: { from: Host; name: string; addresses: string[] },
): Promise<Load> {
  const program = new URL("https_client.ts", import.meta.url).pathname;
  const flags = ["run", "-A", "--no-config", "--no-check"];
  const client = await startDaemon(
    network.on(from, [Deno.execPath(), ...flags, program, name, ...addresses]),
    { log: `${network.directory}/load.log`, env: { DENO_DIR: `${network.directory}/deno` } },
  );
  return {
    async requests() {
      const lines = (await client.output()).split("\n").slice(0, -1);
      return lines.map((line): Request => JSON.parse(line));
    },
    async stop() {
      await client.stop();
    },
  };
}

export interface KeptConnections {
  /** Ends the requests through an address; what became of each, one line per request. */
  end(address: string): Promise<string[]>;
}

/** curl makes another connection only when the one that it keeps has been closed. */
const ON_ONE_CONNECTION = [
  ...["curl", "-sk", "--no-buffer", "--noproxy", "*", "--max-time", "10", "--rate", "4/s"],
  ...["--write-out", " %{http_code} on %{num_connects} more connections\\n"],
];
/** Far more than a test asks for; curl ends when it is told to. */
const MOST = 100_000;

/** Keeps asking through each of the addresses, on one connection each. */
export async function keepConnections(
  network: Network,
  { from, addresses }: { from: Host; addresses: string[] },
): Promise<KeptConnections> {
  const clients = new Map<string, Daemon>();
  for (const address of addresses) {
    const literal = address.includes(":") ? `\\[${address}\\]` : address;
    const argv = [...ON_ONE_CONNECTION, `https://${literal}/[1-${MOST}]`];
    const log = `${network.directory}/kept-${address}.log`;
    clients.set(address, await startDaemon(network.on(from, argv), { log }));
  }
  return {
    async end(address) {
      const client = clients.get(address)!;
      await client.stop();
      const lines = (await client.output()).split("\n").slice(0, -1);
      return lines.map((line, i) =>
        line.replace(`on ${i === 0 ? 1 : 0} more connections`, "on the first connection")
      );
    },
  };
}
