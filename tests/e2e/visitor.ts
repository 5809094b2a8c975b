/**
 * Many HTTP and HTTPS requests from one host of the network, made by one process. Each start of curl
 * in a namespace takes 50 ms of a processor and more, and a test that starts dozens at once takes
 * from the balancers of the same machine what they need to answer.
 */

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { BARE_ENVIRONMENT } from "./daemon.ts";
import type { Host, Network } from "./network.ts";

export interface Visit {
  /** With a literal address; https takes any certificate. */
  url: string;
  /** Of the Host field, and of the TLS handshake. */
  name: string;
  /** In ms, for the whole answer. */
  deadline: number;
}

/** One request, with milliseconds since the epoch. */
export interface Visited {
  start: number;
  end: number;
  /** HTTP status, 0 when there was no answer. */
  status: number;
  body: string;
  /** Why there was no whole answer. */
  error?: string;
}

export interface Visitor {
  /** Follows no redirect, obeys no proxy. */
  get(visit: Visit): Promise<Visited>;
}

/** Ready for requests when it resolves; the end of the network ends it. */
export async function startVisitor(network: Network, host: Host): Promise<Visitor> {
  const program = new URL("visitor_process.ts", import.meta.url).pathname;
  const flags = ["run", "-A", "--no-config", "--no-check"];
  const [command, ...args] = network.on(host, [Deno.execPath(), ...flags, program]);
  const child = new Deno.Command(command!, {
    args,
    clearEnv: true,
    env: { ...BARE_ENVIRONMENT, DENO_DIR: `${network.directory}/deno` },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = child.stdin.getWriter();
  const ready = Promise.withResolvers<void>();
  const waiting = new Map<number, (visited: Visited) => void>();
  void (async () => {
    for await (const line of createInterface({ input: Readable.fromWeb(child.stdout) })) {
      const { ready: isReady, id, ...visited } = JSON.parse(line);
      if (isReady) ready.resolve();
      else waiting.get(id)!(visited);
      waiting.delete(id);
    }
    ready.reject(new Error("the visitor ended before it was ready"));
    for (const tell of waiting.values()) tell(unanswered());
  })();
  await ready.promise;

  let last = 0;
  return {
    get(visit) {
      const id = ++last;
      return new Promise((resolve) => {
        waiting.set(id, resolve);
        input.write(new TextEncoder().encode(`${JSON.stringify({ id, ...visit })}\n`))
          .catch(() => resolve(unanswered()));
      });
    },
  };
}

function unanswered(): Visited {
  const now = Date.now();
  return { start: now, end: now, status: 0, body: "", error: "the visitor has ended" };
}
