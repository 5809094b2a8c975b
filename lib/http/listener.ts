/**
 * A listening port: an accept loop that survives every error, caps, and an orderly end.
 *
 * `Deno.serve` ends the process when descriptors run out and has no timeouts; `node:http` never
 * accepts again after that. So this is `Deno.listen` and a loop that catches what accept() throws,
 * pauses, and goes on. `for await` over a listener would end on the first error.
 */

import {
  comparableAddress,
  formatSocketAddress,
  isInNetworks,
  type Network,
  type SocketAddress,
  sourceOf,
} from "../address.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { systemReason } from "../system_reason.ts";
import { type Clock, delay, SYSTEM_CLOCK } from "../time.ts";
import { type AdmissionLimits, Admissions, Place, type Shortage } from "./admission.ts";
import { encodeAnswer, errorAnswer, headerLine } from "./answer.ts";
import { bind, type ListenSystem } from "./bind.ts";

import {
  type AnsweredRequest,
  Connection,
  type ConnectionContext,
  type Handler,
} from "./connection.ts";
import type { Metrics } from "./metrics.ts";
import { OpenConnections } from "./open_connections.ts";
import { BufferPool } from "./received_bytes.ts";

/** Pause after accept() failed because descriptors or memory ran out. */
const EXHAUSTED_PAUSE_MS = 50;
/** The same after connections were ended to give back theirs. */
const FREED_PAUSE_MS = 5;
/** Connections ended at once when descriptors have run out. */
const FREED_AT_ONCE = 16;
/** After this time without a successful accept, the port counts as not served. */
const UNSERVED_MS = 1_000;
const SCRAP_BYTES = 64 * 1024;

/** What may change while the port stays open. */
export interface ListenerBehaviour {
  handler: Handler;
  limits: AdmissionLimits;
  /**
   * Networks of balancers in front that announce the client by the PROXY protocol; undefined
   * where no preamble is ever taken.
   */
  fronts?: readonly Network[];
  /**
   * Clients that are answered however many others there are, such as this machine's own health
   * checks: their connections are counted apart from all others, and not capped by source.
   */
  isOwn?: (address: string) => boolean;
}

export interface ListenerOptions extends ListenerBehaviour {
  /** What the port is for, in log lines and metrics: `public`, `challenge` or `metrics`. */
  role: string;
  log: Log;
  metrics: Metrics;
  clock?: Clock;
  /** See bind.ts. */
  system?: ListenSystem;
}

export interface Listener {
  /** The address bound, with the real port where 0 was asked for. */
  readonly address: SocketAddress;
  /** Why connections are not accepted at present; undefined while they are. */
  readonly unserved: string | undefined;
  /** Replaces the behaviour for further requests; connections stay. */
  update(behaviour: ListenerBehaviour): void;
  /** Stops accepting, lets requests in flight finish within so many milliseconds. */
  stop(graceMs: number): Promise<void>;
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
  const { role, log, metrics, clock = SYSTEM_CLOCK } = options;
  const bound = bind(address, options.system);
  const shown = formatSocketAddress(bound.address);
  if (bound.ipv4Only) {
    log.warn("no_ipv6", { role, reason: `this kernel has no IPv6; listening on ${shown} instead` });
  }
  const onEvict = (activity: string) => counts.evicted(activity);
  const others = new Admissions(options.limits, onEvict);
  const own = new Admissions({ ...options.limits, perSource: Infinity }, onEvict);
  const connections = new OpenConnections<Connection>(clock);
  const counts = metrics.role(role, () => others.total + own.total);
  let behaviour: ListenerBehaviour = options;
  let strangePreamble = false;
  let failingSince: number | undefined;
  let stopped = false;
  let drained: (() => void) | undefined;

  const context: ConnectionContext = {
    clock,
    handler: (head, from, local) => behaviour.handler(head, from, local),
    buffers: new BufferPool(),
    scrap: new Uint8Array(SCRAP_BYTES),
    onAnswer,
    onDefect(error) {
      log.error("defect", { role, reason: messageOf(error) });
    },
    onEndpoints(connection, endpoints) {
      connection.place?.leave();
      connection.address = unmapped(endpoints.client);
      connection.local = unmapped(endpoints.local);
      connection.place = undefined;
      return place(connection, { privileged: false }) === undefined;
    },
    onClose(connection) {
      connections.delete(connection);
      connection.place?.leave();
      if (stopped && connections.size === 0) drained?.();
    },
  };

  function onAnswer(
    { address: from }: Connection,
    { status, refused, head }: AnsweredRequest,
  ): void {
    counts.answered(status);
    if (refused === undefined) return;
    counts.refused(refused);
    log.debug("refused", {
      role,
      status,
      reason: refused,
      method: head?.method,
      host: head?.host,
      from,
    });
    if (refused !== "proxy_protocol" || strangePreamble) return;
    strangePreamble = true;
    log.warn("proxy_protocol", {
      role,
      from,
      reason: behaviour.fronts === undefined
        ? "this client sends the PROXY protocol, which this port does not take; switch it off at the client"
        : "this client sends the PROXY protocol and is not listed under public.proxy_protocol: " +
          "list its network there, or switch the protocol off at the client",
    });
  }

  /** Admits the connection; the reason where it cannot. */
  function place(
    connection: Connection,
    { privileged }: { privileged: boolean },
  ): Shortage | undefined {
    const from = connection.address;
    const admitted = privileged || behaviour.isOwn?.(from)
      ? own.enter(from, connection)
      : others.enter(sourceOf(from), connection);
    if (admitted instanceof Place) {
      connection.place = admitted;
      return undefined;
    }
    counts.turnedAway(admitted);
    log.warn("turned_away", { role, reason: admitted, from });
    return admitted;
  }

  function take(conn: Deno.TcpConn): void {
    const from = unmapped(conn.remoteAddr.hostname);
    const fronted = isInNetworks(from, behaviour.fronts ?? []);
    const connection = new Connection(conn, context, {
      address: from,
      local: unmapped(conn.localAddr.hostname),
      fronted,
    });
    // The client behind a front is known a moment later, and is capped then.
    if (place(connection, { privileged: fronted }) !== undefined) return turnAway(conn);
    connections.add(connection);
    void connection.serve();
  }

  async function acceptAll(socket: Deno.TcpListener): Promise<void> {
    while (!stopped) {
      try {
        take(await socket.accept());
        failingSince = undefined;
      } catch (error) {
        if (stopped) return;
        counts.acceptFailed();
        // A client that reset its connection before the accept is no reason to pause.
        if (isConnectionError(error)) continue;
        failingSince ??= clock.monotonic();
        log.error("accept_failed", { role, reason: systemReason(error) });
        let freed = 0;
        while (freed < FREED_AT_ONCE && (others.makeRoom() || own.makeRoom())) freed++;
        await delay(freed > 0 ? FREED_PAUSE_MS : EXHAUSTED_PAUSE_MS, { clock });
      }
    }
  }

  for (const socket of bound.sockets) void acceptAll(socket);
  log.info("listening", { role, address: shown });

  return {
    address: bound.address,
    get unserved() {
      const failing = failingSince !== undefined && clock.monotonic() - failingSince >= UNSERVED_MS;
      return failing ? `port ${shown} cannot accept connections` : undefined;
    },
    update(changed) {
      behaviour = changed;
      strangePreamble = false;
      others.limits = changed.limits;
      own.limits = { ...changed.limits, perSource: Infinity };
    },
    async stop(graceMs) {
      if (stopped) return;
      stopped = true;
      for (const socket of bound.sockets) socket.close();
      if (connections.size > 0) {
        const allGone = new Promise<void>((resolve) => drained = resolve);
        for (const connection of connections) connection.stop();
        const cancel = clock.schedule(graceMs, () => {
          for (const connection of connections) connection.abort();
        });
        await allGone;
        cancel();
      }
      connections.stop();
      metrics.forgetRole(counts);
    },
  };
}

/** A dual-stack socket shows IPv4 as ::ffff:192.0.2.1; logs and peer lists use 192.0.2.1. */
function unmapped(hostname: string): string {
  if (!hostname.startsWith("::ffff:")) return hostname;
  // As the system spells it; a front's preamble may have it in groups.
  return hostname.includes(".") ? hostname.slice(7) : comparableAddress(hostname);
}

/**
 * Sends the reason in one write and closes. This path is taken under an attack, so it reads nothing
 * and waits for nothing.
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
