/**
 * TLS endpoints for tests: `openssl s_server` with any certificate, and a way to HAProxy's UNIX
 * sockets from an address and a port.
 */

import type { Issued } from "../cert/issue.ts";
import { works } from "../works.ts";

export const hasOpenssl = await works("openssl", { args: ["version"] });

// deno-lint-ignore no-console
if (!hasOpenssl) console.warn("tests/http: skipping what needs openssl, which is not here");

export interface TlsServer extends AsyncDisposable {
  port: number;
}

/** Serves `pem` (leaf first) with its key at 127.0.0.1; `args` are further ones of s_server. */
export async function startTlsServer(
  { key, pem, chain = "" }: { key: string; pem: string; chain?: string },
  args: string[] = [],
): Promise<TlsServer> {
  const directory = await Deno.makeTempDir({ prefix: "tls_server_" });
  const file = async (name: string, text: string) => {
    await Deno.writeTextFile(`${directory}/${name}`, text, { mode: 0o600 });
    return `${directory}/${name}`;
  };
  const chainArgs = chain ? ["-cert_chain", await file("chain.pem", chain)] : [];
  const child = new Deno.Command("openssl", {
    args: [
      ...["s_server", "-accept", "127.0.0.1:0", "-www", "-no_ticket"],
      ...["-cert", await file("cert.pem", pem), "-key", await file("key.pem", key)],
      ...chainArgs,
      ...args,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  let port: string | undefined;
  while (port === undefined) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`openssl s_server ${args.join(" ")} did not start: ${said}`);
    said += value;
    port = /^ACCEPT .*:(\d+)$/m.exec(said)?.[1];
  }
  const drained = (async () => {
    while (!(await reader.read()).done);
  })();
  return {
    port: Number(port),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      await drained;
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** What s_server wants of a certificate and those above it. */
export function served(leaf: Issued, ...above: Issued[]): Parameters<typeof startTlsServer>[0] {
  return { key: leaf.key.pem, pem: leaf.pem, chain: above.map(({ pem }) => pem).join("") };
}

export type Serve = (connection: Deno.TcpConn) => Promise<unknown>;

export interface Listening extends AsyncDisposable {
  port: number;
  /** How many connections came. */
  readonly count: number;
}

/**
 * Listens at every given address, on one port that is free at all of them, and hands each
 * connection to `serve`.
 */
export function listenAt(hostnames: string[], serve: Serve): Listening {
  const listeners = onePort(hostnames);
  const open = new Set<Deno.TcpConn>();
  let count = 0;
  const accepting = listeners.map(async (listener) => {
    for await (const connection of listener) {
      count++;
      open.add(connection);
      serve(connection).catch(() => {});
    }
  });
  return {
    port: listeners[0]!.addr.port,
    get count() {
      return count;
    },
    async [Symbol.asyncDispose]() {
      for (const listener of listeners) listener.close();
      await Promise.all(accepting);
      for (const connection of open) closeQuietly(connection);
    },
  };
}

function onePort(hostnames: string[]): Deno.TcpListener[] {
  for (let tries = 0; tries < 50; tries++) {
    const listeners: Deno.TcpListener[] = [];
    try {
      for (const hostname of hostnames) {
        listeners.push(Deno.listen({ hostname, port: listeners[0]?.addr.port ?? 0 }));
      }
      return listeners;
    } catch (error) {
      for (const listener of listeners) listener.close();
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error(`no port is free at all of ${hostnames}`);
}

/** For {@link listenAt}: passes everything on to a UNIX socket, such as HAProxy's. */
export function toSocket(path: string): Serve {
  return async (near) => {
    const far = await Deno.connect({ transport: "unix", path });
    try {
      await Promise.race([near.readable.pipeTo(far.writable), far.readable.pipeTo(near.writable)]);
    } finally {
      closeQuietly(far);
      closeQuietly(near);
    }
  };
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
