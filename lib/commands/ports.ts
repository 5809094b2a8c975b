/** From the configuration to the ports of each role. */

import { comparableAddress, parseNetwork, type SocketAddress } from "../address.ts";
import { configDigest } from "../config/digest.ts";
import type { Config } from "../config/schema.ts";
import type { Log } from "../log.ts";
import {
  createChallengePortHandler,
  createPublicChallengeHandler,
} from "../http/challenge_handler.ts";
import type { Health } from "../http/health.ts";
import type { Metrics } from "../http/metrics.ts";
import { createMetricsHandler } from "../http/metrics_handler.ts";
import { createOwnTokens, type OwnTokens } from "../http/own_tokens.ts";
import { createPeerAddresses, type PeerAddresses } from "../http/peer_addresses.ts";
import { PeerGates } from "../http/peer_gate.ts";
import { createPeerLookup } from "../http/peer_lookup.ts";
import { PeerNames } from "../http/peer_names.ts";
import { createPublicHandler } from "../http/public_handler.ts";
import { createRedirectHandler } from "../http/redirect_handler.ts";
import type { PortSpec } from "../http/service.ts";
import { createSolvers } from "../http/solvers.ts";
import { Webroots } from "../http/webroots.ts";
import { isOwnAddress } from "../own_addresses.ts";
import type { RecentEvents } from "../status/recent_events.ts";

/** State that a process keeps when its configuration is reloaded. */
export interface PortTools {
  log: Log;
  metrics: Metrics;
  /** Counters of the whole process, for the metrics port. */
  health: () => Health;
  /** Remembers challenges and the outcomes of requests to peers. */
  events: RecentEvents;
  /** Knowledge about names, peers and webroots. */
  names: PeerNames;
  gates: PeerGates;
  webroots: Webroots;
}

export function createPortTools(
  given: Pick<PortTools, "log" | "metrics" | "health" | "events">,
): PortTools {
  const { log, metrics } = given;
  const webroots = new Webroots({ log });
  metrics.gauge("webroot_readable", () =>
    webroots.states().map(({ path, fault }) => ({
      labels: { webroot: path },
      value: fault ? 0 : 1,
    })));
  return { ...given, names: new PeerNames({ log }), gates: new PeerGates(), webroots };
}

/** Scrapers and health checks are few. */
const METRICS_LIMITS = { connections: 64, perSource: 64 };

/** The public port: challenges, and the redirect unless the role is `proxy`. */
export function publicPorts(
  config: Config,
  { role, ...tools }: PortTools & { role: "public" | "proxy" },
): PortSpec[] {
  const { lookup, limits } = config;
  const { log, metrics, names, gates, events, webroots } = tools;
  const peerLookup = createPeerLookup({
    addresses: createPeerAddresses({ peers: config.peers, own: config.challenge.listen, names }),
    gates,
    connectTimeoutMs: lookup.connect_timeout,
    timeoutMs: lookup.timeout,
    limits: {
      fanOuts: limits.fan_outs,
      perPeer: limits.per_peer,
      perSuspectPeer: limits.per_suspect_peer,
    },
    onOutcome: (peer, outcome) => {
      metrics.count("peer_answers_total", `peer="${peer}",outcome="${outcome}"`);
      events.contact(peer, outcome);
    },
  });
  metrics.gauge("lookups_in_flight", () => peerLookup.inFlight);
  const challenge = createPublicChallengeHandler({
    own: ownTokens(config, tools),
    lookup: peerLookup,
    log,
    metrics,
    onAnswered: events.challenge,
  });
  const redirect = role === "public" ? redirectHandler(config, log) : undefined;
  return ports(config.public.listen, {
    role,
    handler: createPublicHandler({ challenge, redirect }),
    check: webroots.check,
    ...publicClients(config),
  });
}

/** Only the redirect. */
export function redirectPorts(config: Config, { log }: Pick<PortTools, "log">): PortSpec[] {
  return ports(config.public.listen, {
    role: "redirect",
    handler: redirectHandler(config, log),
    ...publicClients(config),
  });
}

/** The challenge port: what this machine has, for everybody or only for peers. */
export function challengePorts(config: Config, tools: PortTools): PortSpec[] {
  const { log, names, webroots } = tools;
  const onlyFrom = config.challenge.allow === "peers" ? knownBalancers(config, names) : undefined;
  // Only literal addresses: an answer must not wait for a resolver.
  const literal = config.peers.filter((peer) => "hostname" in peer);
  return ports(config.challenge.listen, {
    role: "challenge",
    handler: createChallengePortHandler({
      own: ownTokens(config, tools),
      log,
      onlyFrom,
      balancers: knownBalancers({ ...config, peers: literal }, names),
      digest: configDigest(config),
    }),
    check: webroots.check,
    limits: connectionLimits(config),
    isOwn: ownOr(literalBalancers(config)),
  });
}

/** The metrics port; `more` gives further metrics, see createMetricsHandler. */
export function metricsPorts(
  config: Config,
  { metrics, health, more }: Pick<PortTools, "metrics" | "health"> & {
    more: () => Promise<string>;
  },
): PortSpec[] {
  return ports(config.metrics.listen, {
    role: "metrics",
    handler: createMetricsHandler({ metrics, health, more }),
    limits: METRICS_LIMITS,
    isOwn: ownOr(),
  });
}

function ownTokens(config: Config, { log, webroots }: PortTools): OwnTokens {
  return createOwnTokens({
    webroots: webroots.of(config.webroot),
    solvers: createSolvers(config.challenge.solvers),
    log,
  });
}

/**
 * Every address that a balancer may ask from. A virtual address counts: the kernel takes it as the
 * source of connections unless keepalived marks it as deprecated, which it does only for a /128.
 */
export function knownBalancers(config: Config, names: PeerNames): PeerAddresses {
  const more = clusterAddresses(config).map((hostname) => ({ hostname, port: 0 }));
  const peers = [...config.peers, ...more];
  return createPeerAddresses({ peers, own: [], names });
}

/**
 * The same for the addresses in the configuration only: it is asked when a connection is accepted,
 * which must not wait for a resolver.
 */
function literalBalancers(config: Config): string[] {
  const named = config.peers.flatMap((peer) => "hostname" in peer ? [peer.hostname] : []);
  return [...named, ...clusterAddresses(config)];
}

function clusterAddresses({ cluster }: Config): string[] {
  const virtual = cluster.virtual_addresses.map(({ address }) => address);
  return [...Object.values(cluster.nodes).flat(), ...virtual];
}

/** Limits for the sources of connections on the public ports. */
function publicClients(config: Config): Pick<PortSpec, "limits" | "fronts" | "isOwn"> {
  return {
    limits: connectionLimits(config),
    fronts: config.public.proxy_protocol.map(parseNetwork),
    isOwn: ownOr(),
  };
}

/** Whether an address is one of this machine's, or among those given. */
function ownOr(others: readonly string[] = []): (address: string) => boolean {
  const known = new Set(others.map(comparableAddress));
  return (address) => isOwnAddress(address) || known.has(address);
}

function redirectHandler(
  { redirect }: Config,
  log: Log,
): ReturnType<typeof createRedirectHandler> {
  return createRedirectHandler({
    log,
    status: redirect.status,
    hosts: redirect.hosts,
    httpsPort: redirect.https_port,
  });
}

function connectionLimits({ limits }: Config): PortSpec["limits"] {
  return { connections: limits.connections, perSource: limits.per_source };
}

function ports(addresses: SocketAddress[], spec: Omit<PortSpec, "address">): PortSpec[] {
  return addresses.map((address) => ({ ...spec, address }));
}
