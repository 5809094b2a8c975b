/**
 * The life of a server process: starts its ports together, exchanges them on SIGHUP, ends them on
 * SIGTERM.
 *
 * A configuration that is wrong, or a new port that cannot be bound, changes nothing: the old one
 * goes on. Ports that stay keep their sockets, so no request is lost to a reload.
 */

import { formatSocketAddress, type SocketAddress } from "../address.ts";
import { ConfigError, JobError, messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import type { AdmissionLimits } from "./admission.ts";
import type { Handler } from "./connection.ts";
import { listen, type Listener } from "./listener.ts";
import type { Metrics } from "./metrics.ts";

/** Milliseconds that requests in flight have to finish when a port closes. */
const GRACE = 3_000;

/** A port to serve. */
export interface PortSpec {
  role: string;
  address: SocketAddress;
  handler: Handler;
  limits: AdmissionLimits;
}

export interface ServiceOptions {
  /** Reads the configuration anew and says which ports it means. */
  load: () => Promise<PortSpec[]>;
  log: Log;
  metrics: Metrics;
  /** Told when the ports are open, and after every reload: nothing, or why the old ones stay. */
  onLoad?: (faults: string[]) => Promise<void>;
}

/**
 * Serves until SIGTERM or SIGINT, then returns; a second signal does not wait for requests. The
 * process is expected to end then: the handlers of its signals stay.
 * @throws {ConfigError} and {JobError} when it cannot start
 */
export async function runService(options: ServiceOptions): Promise<void> {
  const { load, log, metrics, onLoad } = options;
  const ports = new Ports(options);
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
      for (const reason of lines) log.error("reload_failed", { reason, kept: "old configuration" });
      await onLoad?.(lines);
    }
  };
  // Before anything else: by default a signal that comes during the start ends the process.
  let loading = Promise.resolve();
  const onHangup = () => void (loading = loading.then(reload, () => {}));
  Deno.addSignalListener("SIGHUP", onHangup);
  const stop = stopSignals();
  globalThis.addEventListener("unhandledrejection", onRejection);
  loading = start();
  await loading;
  log.info("stopping", { signal: await stop.first });
  await Promise.race([loading.then(() => ports.stop(GRACE)), stop.second]);
  log.info("stopped");
}

class Ports {
  #open = new Map<string, Listener>();

  constructor(private readonly options: Pick<ServiceOptions, "log" | "metrics">) {}

  /** Opens what is new, then changes what stays, then closes what is gone. All or nothing. */
  async become(specs: PortSpec[]): Promise<void> {
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
    for (const [key, listener] of this.#open) {
      const spec = wanted.get(key);
      if (spec) listener.update(spec);
      else {
        this.#open.delete(key);
        void listener.stop(GRACE);
      }
    }
    for (const [key, listener] of opened) this.#open.set(key, listener);
  }

  /** Says so when it is this very process that has the port, under another address or role. */
  #listen(spec: PortSpec): Listener {
    try {
      return listen(spec.address, { ...spec, ...this.options });
    } catch (error) {
      const { address } = spec;
      const taken = error instanceof JobError && error.cause instanceof Deno.errors.AddrInUse;
      const own = this.#open.values().find((open) => open.address.port === address.port);
      if (!taken || !own) throw error;
      throw new JobError(
        `cannot listen on ${formatSocketAddress(address)}: this process itself listens on ` +
          `${formatSocketAddress(own.address)}; restart it to exchange one for the other`,
        { cause: error },
      );
    }
  }

  async stop(grace: number): Promise<void> {
    await Promise.all(this.#open.values().map((listener) => listener.stop(grace)));
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
