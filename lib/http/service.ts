/**
 * The life of a server process: starts its ports together, exchanges them on SIGHUP, ends them on
 * SIGTERM.
 *
 * A configuration that is wrong, or a new port that cannot be bound, changes nothing: the old one
 * stays in use. Ports that stay keep their sockets, so no request is lost to a reload.
 */

import { formatSocketAddress, type SocketAddress } from "../address.ts";
import { coalesced } from "../coalesced.ts";
import { ConfigError, JobError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { EventLoopLag, type Health, type HealthCheck, healthOf } from "./health.ts";
import { listen, type Listener, type ListenerBehaviour } from "./listener.ts";
import type { Metrics } from "./metrics.ts";

/** Milliseconds that requests in flight have to finish when a port closes. */
const GRACE_MS = 3_000;

/** A port to serve. */
export interface PortSpec extends ListenerBehaviour {
  role: string;
  address: SocketAddress;
  /** Checks for `/healthz` of what is behind the port. */
  check?: HealthCheck;
}

interface ServiceOptions {
  log: Log;
  metrics: Metrics;
  /**
   * Called when the ports are open, and after every reload: with nothing, or with why the old ones
   * stay.
   */
  onLoad?: (faults: string[]) => Promise<void>;
}

export class Service {
  #ports: Ports;
  #lag: EventLoopLag | undefined;

  constructor(private readonly options: ServiceOptions) {
    this.#ports = new Ports(options);
  }

  /** Whether the ports of now are served. */
  health(): Health {
    return healthOf([...this.#lag ? [this.#lag.check] : [], ...this.#ports.checks]);
  }

  /**
   * Serves until SIGTERM or SIGINT, then returns; a second signal does not wait for requests. The
   * process is expected to end then: the handlers of its signals stay.
   * @param load reads the configuration anew and says which ports it means
   * @throws {ConfigError} and {JobError} when it cannot start
   */
  async run(load: () => Promise<PortSpec[]>): Promise<void> {
    const { log, metrics, onLoad } = this.options;
    const ports = this.#ports;
    using lag = new EventLoopLag();
    this.#lag = lag;
    metrics.gauge("event_loop_lag_seconds", () => lag.worstMs / 1000);
    metrics.gauge("healthy", () => this.health().faults.length === 0 ? 1 : 0);
    const onRejection = (event: PromiseRejectionEvent) => {
      event.preventDefault();
      log.error("defect", { reason: messageOf(event.reason) });
    };
    const start = async () => {
      await ports.become(await load());
      noteReload(metrics, true);
      await onLoad?.([]);
    };
    const reload = async () => {
      try {
        await start();
        log.info("reloaded");
      } catch (error) {
        noteReload(metrics, false);
        const lines = error instanceof ConfigError ? error.lines : [messageOf(error)];
        for (const reason of lines) {
          log.error("reload_failed", { reason, kept: "old configuration" });
        }
        await onLoad?.(lines);
      }
    };
    // Before anything else: by default a signal that comes during the start ends the process.
    // Signals that come faster than a reload ends must not form a queue: it would outlast them.
    const again = coalesced(() => started.then(reload, () => {}));
    const onHangup = () => void again();
    Deno.addSignalListener("SIGHUP", onHangup);
    const stop = stopSignals();
    globalThis.addEventListener("unhandledrejection", onRejection);
    const started = start();
    // The configuration may lie on a disk that does not answer: a signal ends this wait too.
    await Promise.race([started, stop.first]);
    log.info("stopping", { signal: await stop.first });
    await Promise.race([ports.stop(GRACE_MS), stop.second]);
    log.info("stopped");
  }
}

class Ports {
  #open = new Map<string, { listener: Listener; check?: HealthCheck }>();
  #stopped = false;

  constructor(private readonly options: ServiceOptions) {}

  get checks(): HealthCheck[] {
    return [...this.#open.values()].flatMap(({ listener, check }) => [
      () => listener.unserved === undefined ? {} : { faults: [listener.unserved] },
      ...check ? [check] : [],
    ]);
  }

  /**
   * Opens what is new, then changes what stays, then closes what is gone. All or nothing; nothing
   * for a reload that outlasts the end.
   */
  async become(specs: PortSpec[]): Promise<void> {
    if (this.#stopped) return;
    const wanted = new Map(specs.map((spec) => [keyOf(spec), spec]));
    const opened = new Map<string, Listener>();
    try {
      for (const [key, spec] of wanted) {
        if (!this.#open.has(key)) opened.set(key, this.#listen(spec));
      }
    } catch (error) {
      await Promise.all(opened.values().map((listener) => listener.stop(0)));
      throw error;
    }
    for (const [key, port] of this.#open) {
      const spec = wanted.get(key);
      if (spec) {
        port.listener.update(spec);
        port.check = spec.check;
      } else {
        this.#open.delete(key);
        void port.listener.stop(GRACE_MS);
      }
    }
    for (const [key, listener] of opened) {
      this.#open.set(key, { listener, check: wanted.get(key)!.check });
    }
  }

  /** Reports it when this process itself has the port, under another address or role. */
  #listen(spec: PortSpec): Listener {
    try {
      return listen(spec.address, { ...spec, ...this.options });
    } catch (error) {
      const { address } = spec;
      const taken = error instanceof JobError && error.cause instanceof Deno.errors.AddrInUse;
      const own = this.#open.values().map(({ listener }) => listener.address)
        .find(({ port }) => port === address.port);
      if (!taken || !own) throw error;
      throw new JobError(
        `cannot listen on ${formatSocketAddress(address)}: this process itself listens on ` +
          `${formatSocketAddress(own)}; restart it to exchange one for the other`,
        { cause: error },
      );
    }
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#open.values().map(({ listener }) => listener.stop(graceMs)));
  }
}

function keyOf({ role, address }: PortSpec): string {
  return `${role} ${formatSocketAddress(address)}`;
}

function noteReload(metrics: Metrics, success: boolean): void {
  metrics.gauge("config_last_reload_successful", success ? 1 : 0);
  if (!success) return;
  metrics.gauge("config_last_reload_success_timestamp_seconds", Math.floor(Date.now() / 1000));
}

/** The first and the second SIGTERM or SIGINT from now on. */
function stopSignals(): { first: Promise<Deno.Signal>; second: Promise<Deno.Signal> } {
  const [first, second] = [
    Promise.withResolvers<Deno.Signal>(),
    Promise.withResolvers<Deno.Signal>(),
  ];
  let count = 0;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => (count++ === 0 ? first : second).resolve(signal));
  }
  return { first: first.promise, second: second.promise };
}
