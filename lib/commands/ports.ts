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
import { createPeerAddresses, type PeerAddresses } from "../http/peer_addresses.ts";
import { createPeerLookup } from "../http/peer_lookup.ts";
import { createPublicHandler } from "../http/public_handler.ts";
import { createRedirectHandler } from "../http/redirect_handler.ts";
import type { PortSpec } from "../http/service.ts";
import { isOwnAddress } from "../own_addresses.ts";
import type { RecentEvents } from "../status/recent_events.ts";

export interface PortTools {
  log: Log;
  metrics: Metrics;
  /** Of the whole process, for the metrics port. */
  health: () => Health;
  /** Remembers challenges and what came of questions to peers. */
  events: RecentEvents;
}

/** Scrapers and health checks are few. */
const METRICS_LIMITS = { connections: 64, perSource: 64 };

/** The public port: challenges, and the redirect unless the role is `proxy`. */
export function publicPorts(
  config: Config,
  { log, metrics, events, role }: Omit<PortTools, "health"> & { role: "public" | "proxy" },
): PortSpec[] {
  const { lookup, limits } = config;
  const peerLookup = createPeerLookup({
    addresses: peerAddresses(config),
    connectTimeout: lookup.connect_timeout,
    timeout: lookup.timeout,
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
    webroots: config.webroot,
    lookup: peerLookup,
    log,
    metrics,
    onAnswered: events.challenge,
  });
  const redirect = role === "public" ? redirectHandler(config, log) : undefined;
  return ports(config.public.listen, {
    role,
    handler: createPublicHandler({ challenge, redirect }),
    ...publicClients(config),
  });
}

/** The redirect alone. */
export function redirectPorts(config: Config, { log }: Pick<PortTools, "log">): PortSpec[] {
  return ports(config.public.listen, {
    role: "redirect",
    handler: redirectHandler(config, log),
    ...publicClients(config),
  });
}

/** The challenge port: the webroots, for everybody or for peers alone. */
export function challengePorts(config: Config, { log }: Pick<PortTools, "log">): PortSpec[] {
  const onlyFrom = config.challenge.allow === "peers" ? knownBalancers(config) : undefined;
  // By literal addresses alone: an answer must never wait for a resolver that nobody asked for.
  const literal = config.peers.filter((peer) => "hostname" in peer);
  const told = knownBalancers({ ...config, peers: literal });
  return ports(config.challenge.listen, {
    role: "challenge",
    handler: createChallengePortHandler({
      webroots: config.webroot,
      log,
      onlyFrom,
      config: { digest: configDigest(config), told },
    }),
    limits: connectionLimits(config),
    isOwn: ownOr(literalBalancers(config)),
  });
}

/** The metrics port; `more` gives what others have to tell there, see createMetricsHandler. */
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

/** The peers with this balancer's own entry recognised by its challenge port. */
export function peerAddresses(config: Config): PeerAddresses {
  return createPeerAddresses({ peers: config.peers, own: config.challenge.listen });
}

/**
 * Every address that a balancer may ask from. A virtual address counts: the kernel takes it as the
 * source of connections unless keepalived marks it as deprecated, which it does for a /128 alone.
 */
export function knownBalancers(config: Config): PeerAddresses {
  const more = clusterAddresses(config).map((hostname) => ({ hostname, port: 0 }));
  const peers = [...config.peers, ...more];
  return createPeerAddresses({ peers, own: [] });
}

/**
 * The same as far as the configuration has their addresses: whether a connection is one of theirs
 * is asked at its accept, which waits for no resolver.
 */
function literalBalancers(config: Config): string[] {
  const named = config.peers.flatMap((peer) => "hostname" in peer ? [peer.hostname] : []);
  return [...named, ...clusterAddresses(config)];
}

function clusterAddresses({ cluster }: Config): string[] {
  const virtual = cluster.virtual_addresses.map(({ address }) => address);
  return [...Object.values(cluster.nodes).flat(), ...virtual];
}

/** Who gets which place on the public ports. */
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
  return (address) => isOwnAddress(address) || known.has(comparableAddress(address));
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
