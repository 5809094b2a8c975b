/**
 * What `serve` knows of its balancer, and tells the others when they ask.
 *
 * Made once for the process: the last challenges, the peers' outcomes and since when an address is
 * held outlive a reload of the configuration.
 */

import { configDigest } from "../config/digest.ts";
import { ownNode } from "../config/own_node.ts";
import type { Config } from "../config/schema.ts";
import { messageOf } from "../errors.ts";
import { createFreshLook } from "../fresh_look.ts";
import type { Health } from "../http/health.ts";
import type { Metrics } from "../http/metrics.ts";
import type { Log } from "../log.ts";
import { clip } from "../clip.ts";
import { machineAddresses } from "../own_addresses.ts";
import { type Clock, isoSeconds, SYSTEM_CLOCK } from "../time.ts";
import { VERSION } from "../version.ts";
import { type BalancerReport, BOUNDS, REPORT_FORMAT, type ServedPort } from "./balancer_report.ts";
import { createHeldAddresses } from "./held_addresses.ts";
import { runToTell } from "./hook_state.ts";
import type { OwnLook } from "./own_look.ts";
import { createRecentEvents, type RecentEvents } from "./recent_events.ts";

/** Files and HAProxy's memory are looked at when somebody asks, at most so often. */
const LOOK_FRESH_MS = 10_000;
/** Less than the least that a balancer waits which asks; see LEAST_ASK_MS in ask_fleet.ts. */
const LOOK_PATIENCE_MS = 600;

interface OwnStatus {
  /** Filled by the handlers: the last challenges and contacts. */
  readonly events: RecentEvents;
  /** What is told while that configuration, which leads to these ports, is in use. */
  under(config: Config, ports: readonly ServedPort[]): StatusSource;
}

export interface StatusSource {
  report(): Promise<BalancerReport>;
  /** What the metrics have of it. */
  facts(): Promise<{ held: Map<string, boolean> } & Pick<OwnLook, "hooks" | "renewedAt">>;
}

interface OwnStatusOptions {
  metrics: Pick<Metrics, "sum">;
  log: Log;
  /** What /healthz says. */
  health: () => Health;
  /** @default the files, hooks and sockets of the configuration */
  look?: (config: Config) => Promise<OwnLook>;
  /** Addresses of this machine. @default those of its interfaces */
  interfaceAddresses?: () => string[];
  clock?: Clock;
}

export function createOwnStatus(options: OwnStatusOptions): OwnStatus {
  const { metrics, log, health, look = lookWhenAsked(), clock = SYSTEM_CLOCK } = options;
  const { interfaceAddresses = machineAddresses } = options;
  const instance = crypto.getRandomValues(new Uint8Array(8)).toHex();
  const startedAt = clock.monotonic();
  const events = createRecentEvents({ now: clock.now });
  const held = createHeldAddresses({ interfaceAddresses, clock });

  return {
    events,
    under(config, ports) {
      const addresses = config.cluster.virtual_addresses.map(({ address }) => address);
      const digest = configDigest(config);
      held.watch(addresses);
      const lookFresh = createFreshLook({
        look: () => look(config),
        initial: NOTHING_SEEN,
        freshMs: LOOK_FRESH_MS,
        patienceMs: LOOK_PATIENCE_MS,
        onError: (error) => log.error("defect", { reason: `status: ${messageOf(error)}` }),
        clock,
      });
      return {
        async report() {
          const { certificates, certificatesTotal, renewedAt, hooks } = await lookFresh();
          return {
            format: REPORT_FORMAT,
            instance,
            name: ownNode(config, interfaceAddresses()) ?? null,
            version: VERSION,
            now: isoSeconds(new Date(clock.now())),
            uptime_s: Math.floor((clock.monotonic() - startedAt) / 1000),
            config: await digest,
            holds: held.held(addresses),
            ports: ports.slice(0, BOUNDS.ports),
            health: toldHealth(health()),
            connections: metrics.sum("connections"),
            evicted: metrics.sum("evicted_total"),
            peers: events.contacts(),
            challenges: events.challenges(),
            certificates,
            certificates_total: certificatesTotal,
            renewed_at: renewedAt,
            hook: runToTell(hooks),
          };
        },
        async facts() {
          const { renewedAt, hooks } = await lookFresh();
          const here = new Set(held.held(addresses).map(({ address }) => address));
          return {
            held: new Map(addresses.map((address) => [address, here.has(address)])),
            renewedAt,
            hooks,
          };
        },
      };
    },
  };
}

function toldHealth({ faults, notes }: Health): BalancerReport["health"] {
  const told = (lines: string[]) =>
    lines.slice(0, BOUNDS.health).map((line) => clip(line, BOUNDS.text));
  return { faults: told(faults), notes: told(notes) };
}

const NOTHING_SEEN: OwnLook = {
  certificates: [],
  certificatesTotal: null,
  renewedAt: null,
  hooks: [],
};

/** What does the looking is loaded when somebody asks for the first time. */
function lookWhenAsked(): (config: Config) => Promise<OwnLook> {
  let loaded: Promise<(config: Config) => Promise<OwnLook>> | undefined;
  return async (config) => {
    loaded ??= import("./own_look.ts").then(({ createOwnLook }) => createOwnLook());
    return await (await loaded)(config);
  };
}
