/** The effective configuration, in the form of the file it could have come from. */

import { formatSocketAddress } from "../address.ts";
import { formatDuration } from "../time.ts";
import { formatPeer } from "../peer.ts";
import type { Config } from "./schema.ts";

/** Plain values that, written as YAML, read back as the same configuration. */
export function describeConfig(config: Config): Record<string, unknown> {
  return {
    ...config,
    public: { ...config.public, listen: config.public.listen.map(formatSocketAddress) },
    challenge: {
      ...config.challenge,
      listen: config.challenge.listen.map(formatSocketAddress),
      solvers: config.challenge.solvers.map(formatSocketAddress),
    },
    peers: config.peers.map(formatPeer),
    lookup: {
      connect_timeout: formatDuration(config.lookup.connect_timeout),
      timeout: formatDuration(config.lookup.timeout),
    },
    metrics: { listen: config.metrics.listen.map(formatSocketAddress) },
    cluster: {
      ...config.cluster,
      preempt_delay: formatDuration(config.cluster.preempt_delay),
      backends: config.cluster.backends.map(formatPeer),
      hsts: config.cluster.hsts === 0 ? false : formatDuration(config.cluster.hsts),
    },
  };
}
