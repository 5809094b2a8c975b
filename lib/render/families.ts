/** The address families in which a cluster serves, and how a balancer reaches itself in them. */

import {
  comparableAddress,
  familyOf,
  formatSocketAddress,
  isLoopback,
  isWildcard,
  type SocketAddress,
} from "../address.ts";
import type { Config } from "../config/schema.ts";

/** By the virtual addresses. */
export function servedFamilies({ cluster }: Config): { ipv6: boolean; ipv4: boolean } {
  const families = cluster.virtual_addresses.map(({ address }) => familyOf(address));
  return { ipv6: families.includes(6), ipv4: families.includes(4) };
}

/** Where a balancer finds its own listener on every address: on loopback of a served family. */
export function loopbackFor(config: Config, { hostname }: Pick<SocketAddress, "hostname">): string {
  return hostname === "::" && servedFamilies(config).ipv6 ? "::1" : "127.0.0.1";
}

/** Where HAProxy listens: on every address of the served families. */
export function haproxyListener(config: Config): { hostname: string; port: number; text: string } {
  const { ipv6, ipv4 } = servedFamilies(config);
  const address = { hostname: ipv6 ? "::" : "0.0.0.0", port: config.redirect.https_port };
  const only = ipv6 ? (ipv4 ? " v4v6" : " v6only") : "";
  return { ...address, text: formatSocketAddress(address) + only };
}

/**
 * The listener that a balancer asks to find out whether its own acme-lb is healthy, or undefined.
 *
 * Only one on every address, on loopback or on an own address of the balancer: at any other address
 * another balancer may answer. The public port where it can be asked so, else the challenge port of
 * the same process.
 */
export function ownListener(config: Config, node: string): SocketAddress | undefined {
  const own = config.cluster.nodes[node]?.map(comparableAddress) ?? [];
  for (const { hostname, port } of [...config.public.listen, ...config.challenge.listen]) {
    if (port === 0) continue;
    if (isWildcard(hostname)) return { hostname: loopbackFor(config, { hostname }), port };
    if (own.includes(comparableAddress(hostname)) || isLoopback(hostname)) {
      return { hostname, port };
    }
  }
  return undefined;
}

/** A name of the service to ask for; that of a wildcard is the domain above it. */
export function serviceName({ cluster }: Config): string {
  return cluster.names[0]?.replace(/^\*\./, "") ?? "localhost";
}
