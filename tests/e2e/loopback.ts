/** A single acme-lb on free loopback ports, for tests that need neither root nor network. */

import { executablePath } from "../executable.ts";
import { type Daemon, logged, startDaemon } from "./daemon.ts";

export interface Loopback extends AsyncDisposable {
  daemon: Daemon;
  /** Port of the public listener, at 127.0.0.1. */
  port: number;
  directory: string;
}

/**
 * Starts `acme-lb serve`; `wrapper` is a command that `exec`s what follows it, `flags` come after
 * those that every test has.
 */
export async function startLoopback(
  options: { wrapper?: string[]; flags?: string[] } = {},
): Promise<Loopback> {
  const { wrapper = [], flags = [] } = options;
  const directory = await Deno.makeTempDir({ prefix: "acme-lb-e2e-" });
  const argv = [
    ...[...wrapper, await executablePath(), "serve", "--webroot", directory],
    ...["--public-listen", "127.0.0.1:0", "--challenge-listen", "127.0.0.1:0", ...flags],
  ];
  const daemon = await startDaemon(argv, { log: `${directory}/acme-lb.log` });
  const stop = async () => {
    await daemon.stop();
    await Deno.remove(directory, { recursive: true });
  };
  try {
    const listening = /event=listening role=public address=127\.0\.0\.1:(\d+)/;
    const [, port] = await logged(daemon, listening);
    return { daemon, port: Number(port), directory, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The status that a request for `/` gets on a new connection, or undefined when none came. */
export async function statusOf(port: number, patience = 5_000): Promise<number | undefined> {
  let conn: Deno.TcpConn | undefined;
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort();
    conn?.close();
    conn = undefined;
  }, patience);
  try {
    conn = await Deno.connect({ hostname: "127.0.0.1", port, signal: controller.signal });
    const request = "GET / HTTP/1.1\r\nHost: service.example\r\nConnection: close\r\n\r\n";
    await conn.write(new TextEncoder().encode(request));
    const head = new Uint8Array(64);
    const count = await conn.read(head);
    const text = new TextDecoder().decode(head.subarray(0, count ?? 0));
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
    return status === undefined ? undefined : Number(status);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    conn?.close();
  }
}
