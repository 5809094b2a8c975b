/**
 * Which addresses to ask: the peers of the configuration, without this balancer itself.
 *
 * The same list stands on every balancer, so each must recognise its own entry: an address of one
 * of its interfaces with the port of its own challenge listener. Interfaces are looked at again
 * and again, because virtual addresses come and go.
 */

import { comparableAddress, isWildcard, type SocketAddress } from "../address.ts";
import type { Peer } from "../peer.ts";
import { resolveName } from "../resolve_name.ts";

/** Milliseconds for which interfaces and resolved names are taken as known. */
const FRESH_INTERFACES = 1_000;
const FRESH_NAMES = 10_000;

export interface PeerAddressesOptions {
  peers: readonly Peer[];
  /** The challenge listeners of this balancer. */
  own: readonly SocketAddress[];
  /** Addresses of this machine. @default those of its interfaces */
  interfaceAddresses?: () => string[];
  /** All addresses of a name. @default the system's resolver, hosts file included */
  resolve?: (name: string) => Promise<string[]>;
  /** @default performance.now */
  now?: () => number;
}

export interface PeerAddresses {
  /**
   * The addresses to ask now, each once, and the names that have none. A name that does not
   * resolve at present keeps its last addresses.
   */
  others(): Promise<{ peers: SocketAddress[]; unresolved: string[] }>;
  /** Whether the address is one of any peer's, this balancer included. */
  includes(hostname: string): Promise<boolean>;
}

export function createPeerAddresses(options: PeerAddressesOptions): PeerAddresses {
  const { peers, own, now = () => performance.now() } = options;
  const { interfaceAddresses = systemInterfaces, resolve = resolveName } = options;
  const names = new Map<string, { at: number; addresses: string[]; asking?: Promise<void> }>();
  let interfaces = { at: -Infinity, addresses: new Set<string>() };

  function isOwn({ hostname, port }: SocketAddress): boolean {
    const heard = own.some((listener) =>
      listener.port === port &&
      (isWildcard(listener.hostname) ||
        comparableAddress(listener.hostname) === comparableAddress(hostname))
    );
    if (!heard) return false;
    if (now() - interfaces.at > FRESH_INTERFACES) {
      interfaces = { at: now(), addresses: new Set(interfaceAddresses().map(comparableAddress)) };
    }
    const address = comparableAddress(hostname);
    return address.startsWith("127.") || interfaces.addresses.has(address);
  }

  async function addressesOf(name: string): Promise<string[]> {
    const known = names.get(name) ?? { at: -Infinity, addresses: [] };
    names.set(name, known);
    if (now() - known.at > FRESH_NAMES) {
      known.asking ??= resolve(name).then((addresses) => {
        known.addresses = addresses;
        known.at = now();
      }, () => {}).finally(() => known.asking = undefined);
      // Old addresses serve while the resolver is asked again; the first time has to wait.
      if (known.addresses.length === 0) await known.asking;
    }
    return known.addresses;
  }

  async function all(): Promise<SocketAddress[]> {
    const lists = await Promise.all(
      peers.map(async (peer) =>
        "hostname" in peer
          ? [peer]
          : (await addressesOf(peer.name)).map((hostname) => ({ hostname, port: peer.port }))
      ),
    );
    return lists.flat();
  }

  return {
    async others() {
      const unique = new Map<string, SocketAddress>();
      for (const peer of await all()) {
        if (!isOwn(peer)) unique.set(`${peer.hostname} ${peer.port}`, peer);
      }
      const unresolved = peers.flatMap((peer) =>
        "name" in peer && names.get(peer.name)?.addresses.length === 0 ? [peer.name] : []
      );
      return { peers: [...unique.values()], unresolved };
    },
    async includes(hostname) {
      const address = comparableAddress(hostname);
      return (await all()).some((peer) => comparableAddress(peer.hostname) === address);
    },
  };
}

function systemInterfaces(): string[] {
  return Deno.networkInterfaces().map(({ address }) => address);
}
