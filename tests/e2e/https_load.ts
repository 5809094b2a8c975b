/**
 * HTTPS requests through virtual addresses, one after the other through each, from outside, for as
 * long as a test lasts: each on a new connection, to see which are lost and when, or all on
 * one, to see that it lives on.
 */

import { urlHost } from "../../lib/address.ts";
import { type Daemon, delay, startDaemon } from "./daemon.ts";
import type { Host, Network } from "./network.ts";
import type { Visited, Visitor } from "./visitor.ts";

/** One request, and the backend that answered as its body. */
export interface Request extends Visited {
  address: string;
}

export interface Load {
  /** All requests that have ended. */
  requests(): Request[];
  stop(): Promise<void>;
}

/** A person's patience, and enough for a machine that does other work as well. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 400;

/** Starts asking for `name` through each of the addresses. */
export function startLoad(
  visitor: Visitor,
  { name, addresses }: { name: string; addresses: string[] },
): Load {
  const requests: Request[] = [];
  const end = new AbortController();
  const loops = addresses.map(async (address) => {
    const url = `https://${urlHost(address)}/`;
    for (; !end.signal.aborted; await delay(PAUSE_MS)) {
      const visited = await visitor.get({ url, name, deadline: PATIENCE_MS });
      requests.push({ address, ...visited, body: visited.body.trim() });
    }
  });
  return {
    requests: () => requests,
    async stop() {
      end.abort();
      await Promise.all(loops);
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
