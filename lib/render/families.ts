/** The address families in which a cluster serves, and how a balancer reaches itself in them. */

import { formatSocketAddress, isWildcard, type SocketAddress } from "../address.ts";
import type { Config } from "../config/schema.ts";

/** By the virtual addresses. */
export function servedFamilies({ cluster }: Config): { ipv6: boolean; ipv4: boolean } {
  const ipv6 = cluster.virtual_addresses.some((address) => address.includes(":"));
  return { ipv6, ipv4: cluster.virtual_addresses.some((address) => !address.includes(":")) };
}

/** Where a balancer finds its own listener; on every address, that is loopback of a served family. */
export function ownAddress(config: Config, { hostname }: Pick<SocketAddress, "hostname">): string {
  if (!isWildcard(hostname)) return hostname;
  return hostname === "::" && servedFamilies(config).ipv6 ? "::1" : "127.0.0.1";
}

/** Where HAProxy listens: on every address of the served families. */
export function haproxyListener(config: Config): { hostname: string; port: number; text: string } {
  const { ipv6, ipv4 } = servedFamilies(config);
  const address = { hostname: ipv6 ? "::" : "0.0.0.0", port: config.redirect.https_port };
  const only = ipv6 ? (ipv4 ? " v4v6" : " v6only") : "";
  return { ...address, text: formatSocketAddress(address) + only };
}

/** A name of the service to ask for; that of a wildcard is the domain above it. */
export function serviceName({ cluster }: Config): string {
  return cluster.names[0]?.replace(/^\*\./, "") ?? "localhost";
}
