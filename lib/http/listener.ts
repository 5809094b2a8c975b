/**
 * A listening port: an accept loop that outlives every error, caps, and an orderly end.
 *
 * `Deno.serve` ends the process when descriptors run out and has no timeouts; `node:http` accepts
 * nothing ever again after that. So this is `Deno.listen` and a loop that catches what accept()
 * throws, pauses, and goes on. `for await` over a listener would end on the first error.
 */

import { formatSocketAddress, type SocketAddress, sourceOf } from "../address.ts";
import { JobError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { type AdmissionLimits, Admissions } from "./admission.ts";
import { encodeAnswer, errorAnswer, headerLine } from "./answer.ts";
import { Buffers } from "./buffers.ts";
import { Connection, type Handler } from "./connection.ts";
import { OpenConnections } from "./open_connections.ts";
import type { Metrics } from "./metrics.ts";

/** Pause after accept() failed for want of descriptors or memory. */
const EXHAUSTED_PAUSE = 50;

export interface ListenerOptions {
  /** What the port is for, in log lines and metrics: `public`, `challenge` or `metrics`. */
  role: string;
  handler: Handler;
  limits: AdmissionLimits;
  log: Log;
  metrics: Metrics;
}

export interface Listener {
  /** The address bound, with the real port where 0 was asked for. */
  readonly address: SocketAddress;
  /** Replaces handler and limits for requests to come; connections stay. */
  update(changes: { handler: Handler; limits: AdmissionLimits }): void;
  /** Stops accepting, lets requests in flight finish within `grace` milliseconds. */
  stop(grace: number): Promise<void>;
}

const OVERLOADED = encodeAnswer(errorAnswer(503, headerLine("Retry-After", "1")), {
  close: true,
  bodiless: false,
});

/**
 * Binds the address and begins to serve. `[::]` takes IPv4 as well (dual stack).
 * @throws {JobError} when the address is taken, not permitted or not here, with what to do
 */
export function listen(address: SocketAddress, options: ListenerOptions): Listener {
  const { role, log, metrics } = options;
  const socket = bind(address);
  const bound = socket.addr;
  const admissions = new Admissions(options.limits);
  const connections = new OpenConnections<Connection>();
  const counts = metrics.role(role, () => admissions.total);
  let handler = options.handler;
  let stopped = false;
  let drained: (() => void) | undefined;

  const context = {
    handler: ((head, from) => handler(head, from)) as Handler,
    buffers: new Buffers(),
    mayKeep: () => !admissions.crowded,
    onAnswer(status: number, from: string, fault?: string): void {
      counts.answered(status);
      if (fault !== undefined) log.debug("refused", { role, status, reason: fault, from });
    },
    onDefect(error: unknown): void {
      log.error("defect", { role, reason: messageOf(error) });
    },
    onClose(connection: Connection): void {
      connections.delete(connection);
      admissions.leave(connection.client.source);
      if (stopped && connections.size === 0) drained?.();
    },
  };

  function take(conn: Deno.TcpConn): void {
    const { hostname } = conn.remoteAddr;
    const source = sourceOf(hostname);
    // A dual-stack socket shows IPv4 as ::ffff:192.0.2.1; people and peer lists do not.
    const from = hostname.startsWith("::ffff:") ? source : hostname;
    const admission = admissions.enter(source);
    if (admission === "admitted") {
      const connection = new Connection(conn, { address: from, source }, context);
      connections.add(connection);
      return void connection.serve();
    }
    counts.turnedAway(admission);
    log.warn("turned_away", { role, reason: admission, from });
    turnAway(conn);
  }

  async function acceptAll(): Promise<void> {
    while (!stopped) {
      try {
        take(await socket.accept());
      } catch (error) {
        if (stopped) return;
        counts.acceptFailed();
        // A client that reset before it was accepted is no reason to pause.
        if (isConnectionError(error)) continue;
        log.error("accept_failed", { role, reason: messageOf(error) });
        await new Promise((resolve) => setTimeout(resolve, EXHAUSTED_PAUSE));
      }
    }
  }

  void acceptAll();
  const local = { hostname: bound.hostname, port: bound.port };
  log.info("listening", { role, address: formatSocketAddress(local) });

  return {
    address: local,
    update(changes) {
      handler = changes.handler;
      admissions.limits = changes.limits;
    },
    async stop(grace) {
      if (stopped) return;
      stopped = true;
      socket.close();
      if (connections.size > 0) {
        const allGone = new Promise<void>((resolve) => drained = resolve);
        for (const connection of connections) connection.stop();
        const timer = setTimeout(() => {
          for (const connection of connections) connection.abort();
        }, grace);
        await allGone;
        clearTimeout(timer);
      }
      connections.stop();
      metrics.forgetRole(counts);
    },
  };
}

/**
 * Says why in one write and closes. Under an attack this is the path taken, so nothing is read
 * and nothing is waited for.
 */
function turnAway(conn: Deno.TcpConn): void {
  conn.write(OVERLOADED).catch(() => {}).finally(() => {
    try {
      conn.close();
    } catch {
      // Gone already.
    }
  });
}

function isConnectionError(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.ConnectionAborted ||
    error instanceof Deno.errors.NotConnected;
}

function bind(address: SocketAddress): Deno.TcpListener {
  try {
    return Deno.listen({ hostname: address.hostname, port: address.port });
  } catch (error) {
    throw new JobError(
      `cannot listen on ${formatSocketAddress(address)}: ${explain(error, address)}`,
      {
        cause: error,
      },
    );
  }
}

/** The reason in the operator's words, and the remedy. */
function explain(error: unknown, { port }: SocketAddress): string {
  if (error instanceof Deno.errors.AddrInUse) {
    return `another process has the port; find it with: ss -ltnp 'sport = :${port}'`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return "not permitted; ports below 1024 need root or CAP_NET_BIND_SERVICE " +
      "(systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE)";
  }
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "the address is not on this machine; listen on [::] to serve virtual addresses " +
      "that come and go";
  }
  const message = messageOf(error);
  return /address family/i.test(message)
    ? "the kernel has no IPv6; listen on 0.0.0.0 instead"
    : message;
}
