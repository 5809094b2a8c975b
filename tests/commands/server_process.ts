/** acme-lb as a child process, run from its source, with its log at hand. */

import { header, latin1, readAll } from "../http/raw_client.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

export interface ServerProcess extends AsyncDisposable {
  /** The port that a role listens on, by its `event=listening` line; the newest of several. */
  port(role: string): number;
  /** Resolves with the first line, old or new, that matches. */
  line(pattern: RegExp): Promise<string>;
  signal(name: Deno.Signal): void;
  /** Resolves at the end of the process. */
  ended: Promise<{ code: number; lines: string[] }>;
}

/** Far beyond what any of these waits takes. */
const PATIENCE = 60_000;

/** Starts `acme-lb ARGS` and, unless it fails, waits until it listens. */
export async function startServer(
  args: string[],
  options: { wrapper?: string[]; listening?: number } = {},
): Promise<ServerProcess> {
  const [command, ...rest] = [
    ...options.wrapper ?? [],
    Deno.execPath(),
    "run",
    "-A",
    "--no-check",
    MAIN,
    ...args,
  ];
  const child = new Deno.Command(command!, {
    args: rest,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const lines: string[] = [];
  const waiters = new Set<() => void>();
  let over = false;
  const reading = (async () => {
    let rest = "";
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop()!;
      lines.push(...parts);
      for (const check of waiters) check();
    }
    over = true;
    for (const check of waiters) check();
  })();
  const ended = (async () => {
    const { code } = await child.status;
    await reading;
    return { code, lines };
  })();

  function until<T>(find: () => T | undefined, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(undefined, "no answer in time"), PATIENCE);
      const settle = (value: T | undefined, reason: string) => {
        if (value === undefined && reason === "") return;
        clearTimeout(timer);
        waiters.delete(check);
        if (value !== undefined) resolve(value);
        else reject(new Error(`${what}: ${reason}; the log so far:\n${lines.join("\n")}`));
      };
      const check = () => settle(find(), over ? "the process has ended" : "");
      waiters.add(check);
      check();
    });
  }

  const server: ServerProcess = {
    ended,
    port(role) {
      const found = lines.findLast((line) => line.includes(`event=listening role=${role} `));
      if (!found) throw new Error(`${role} does not listen:\n${lines.join("\n")}`);
      return Number(/:(\d+)$/.exec(found)![1]);
    },
    line: (pattern) => until(() => lines.find((line) => pattern.test(line)), String(pattern)),
    signal: (name) => child.kill(name),
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // Ended already.
      }
      await ended;
    },
  };
  const { listening = 1 } = options;
  const ready = () =>
    lines.filter((line) => line.includes("event=listening")).length >= listening || undefined;
  if (listening > 0) await until(ready, "start");
  return server;
}

/** The answer to a GET on a new connection. */
export async function ask(
  port: number,
  target: string,
  { host = "service.example", hostname = "127.0.0.1" } = {},
): Promise<{ status: number; location?: string; body: string }> {
  const conn = await Deno.connect({ hostname, port });
  await conn.write(latin1(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
  const { text } = await readAll(conn, 10_000);
  conn.close();
  return {
    status: Number(text.slice(9, 12)),
    location: header(text, "location"),
    body: text.slice(text.indexOf("\r\n\r\n") + 4),
  };
}

/** A directory that goes away with its scope. */
export async function temporary(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
