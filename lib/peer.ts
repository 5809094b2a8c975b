/** A peer as the configuration names it: `[IPv6]:port`, `IPv4:port` or `dns:name:port`. */

import {
  comparableAddress,
  formatSocketAddress,
  isWildcard,
  parsePort,
  parseSocketAddress,
  type SocketAddress,
  urlHost,
} from "./address.ts";
import { messageOf } from "./errors.ts";
import { isMachineName, parseHost } from "./host.ts";

/** An address, or a name whose addresses are all asked. */
export type Peer = SocketAddress | { name: string; port: number };

/**
 * Reads a peer. A name without `dns:` is refused: the DNS decides which addresses are asked, which
 * should be a deliberate choice.
 * @throws {SyntaxError}
 */
export function parsePeer(text: string): Peer {
  const dns = /^dns:(.+):(\d{1,5})$/.exec(text);
  if (dns) {
    const name = parseHost(dns[1]!);
    // A Host header may hold a port; here it would be dropped silently.
    if (name === undefined || !isMachineName(name) || dns[1]!.includes(":")) {
      throw new SyntaxError(`${JSON.stringify(dns[1])} is not a host name`);
    }
    return { name, port: realPort(parsePort(dns[2]!)) };
  }
  const named = /^[A-Za-z][A-Za-z0-9.-]*:\d{1,5}$/.test(text);
  if (named) throw new SyntaxError(`expected an address; for a host name write dns:${text}`);
  const { hostname, port } = parseAddress(text);
  if (isWildcard(comparableAddress(hostname))) {
    throw new SyntaxError(
      `${urlHost(hostname)} stands for every address; give an address of the peer`,
    );
  }
  return { hostname, port: realPort(port) };
}

function parseAddress(text: string): SocketAddress {
  try {
    return parseSocketAddress(text);
  } catch (error) {
    const reason = messageOf(error);
    throw new SyntaxError(
      reason.startsWith("expected") ? "expected [IPv6]:port, IPv4:port or dns:name:port" : reason,
    );
  }
}

/** The spelling that {@link parsePeer} reads. */
export function formatPeer(peer: Peer): string {
  return "name" in peer ? `dns:${peer.name}:${peer.port}` : formatSocketAddress(peer);
}

function realPort(port: number): number {
  if (port === 0) {
    throw new SyntaxError("port 0 is not a port that can be asked; give the peer's real port");
  }
  return port;
}
