/**
 * Which addresses to ask: the peers of the configuration, without this balancer itself.
 *
 * The same list stands on every balancer, so each must recognise its own entry: an address of one
 * of its interfaces with the port of its own challenge listener. Interfaces are read again and
 * again, because virtual addresses move.
 */

import { comparableAddress, isWildcard, type SocketAddress } from "../address.ts";
import { isOwnAddress } from "../own_addresses.ts";
import type { Peer } from "../peer.ts";
import { type Clock, deadline, orAborted, SYSTEM_CLOCK } from "../time.ts";
import { PeerNames } from "./peer_names.ts";

/** How long the resolver is waited for when a client may be a peer that is listed by name. */
const RECOGNISE_MS = 1_000;

interface PeerAddressesOptions {
  peers: readonly Peer[];
  /** The challenge listeners of this balancer. */
  own: readonly SocketAddress[];
  names: PeerNames;
  /** Whether a comparable address is this machine's now. @default {@link isOwnAddress} */
  isHere?: (address: string) => boolean;
  clock?: Clock;
}

/** Whom to ask now. */
export interface Others {
  /** Each address once; a name that does not resolve at present keeps its last addresses. */
  peers: SocketAddress[];
  /** Names that are being resolved; undefined for one without an address. */
  pending: { name: string; peers: Promise<SocketAddress[] | undefined> }[];
  /** Names that have none. */
  unresolved: string[];
}

export interface PeerAddresses {
  /** Never waits. */
  others(): Others;
  /** Whether the address is one of any peer's, this balancer included. */
  includes(hostname: string): Promise<boolean>;
}

export function createPeerAddresses(options: PeerAddressesOptions): PeerAddresses {
  const { peers, own, names, clock = SYSTEM_CLOCK, isHere = isOwnAddress } = options;
  const literals = peers.filter((peer) => "hostname" in peer);
  const named = peers.filter((peer) => "name" in peer);
  const literalHosts = new Set(literals.map(({ hostname }) => comparableAddress(hostname)));
  function isOwn({ hostname, port }: SocketAddress): boolean {
    const heard = own.some((listener) =>
      listener.port === port &&
      (isWildcard(listener.hostname) ||
        comparableAddress(listener.hostname) === comparableAddress(hostname))
    );
    const address = comparableAddress(hostname);
    return heard && (address.startsWith("127.") || isHere(address));
  }

  return {
    others() {
      const unique = new Map<string, SocketAddress>();
      const result: Others = { peers: [], pending: [], unresolved: [] };
      const add = (list: readonly SocketAddress[]) => {
        const others = list.filter((peer) => !unique.has(keyOf(peer)) && !isOwn(peer));
        for (const peer of others) unique.set(keyOf(peer), peer);
        return others;
      };
      add(literals);
      for (const { name, port } of named) {
        const { addresses, pending } = names.addressesOf(name);
        const withPort = (list: readonly string[]) => list.map((hostname) => ({ hostname, port }));
        if (addresses.length > 0) add(withPort(addresses));
        else if (pending) {
          const joining = pending.then((found) =>
            found.length > 0 ? add(withPort(found)) : undefined
          );
          result.pending.push({ name, peers: joining });
        } else result.unresolved.push(name);
      }
      result.peers = [...unique.values()];
      return result;
    },

    async includes(hostname) {
      const address = comparableAddress(hostname);
      if (literalHosts.has(address)) return true;
      const holds = (list: readonly string[]) =>
        list.some((one) => comparableAddress(one) === address);
      const found = named.map(({ name }) => names.addressesOf(name));
      if (found.some(({ addresses }) => holds(addresses))) return true;
      using limit = deadline(RECOGNISE_MS, { clock });
      const late = found.flatMap(({ pending }) => pending ?? []).map(async (pending) =>
        holds(await orAborted(pending, limit.signal)) || Promise.reject(new Error("another"))
      );
      return await Promise.any(late).catch(() => false);
    },
  };
}

/** All addresses of the peers, this balancer's among them, once every name is looked up. */
export async function resolvePeers(
  peers: readonly Peer[],
): Promise<{ peers: SocketAddress[]; unresolved: string[] }> {
  const names = new PeerNames({ log: { warn: () => {} } });
  const { pending, ...known } = createPeerAddresses({ peers, own: [], names }).others();
  const joined = await Promise.all(
    pending.map(async ({ name, peers }) => ({ name, found: await peers })),
  );
  return {
    peers: [...known.peers, ...joined.flatMap(({ found }) => found ?? [])],
    unresolved: [
      ...known.unresolved,
      ...joined.flatMap(({ name, found }) => found ? [] : [name]),
    ],
  };
}

function keyOf({ hostname, port }: SocketAddress): string {
  return `${hostname} ${port}`;
}
