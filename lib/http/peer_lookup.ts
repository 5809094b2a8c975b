/**
 * Looking a token up among all peers at once, under one deadline.
 *
 * The balancer with the token is up, because it has just talked to the CA; so the first right
 * answer wins, however many others are down. No peer is ever left out for past failures: an
 * exclusion hides the only right answer for seconds after one reset. No answer is cached; only
 * requests that arrive during a lookup of the same token share it.
 */

import type { SocketAddress } from "../address.ts";
import { FairSemaphore } from "../fair_semaphore.ts";
import { type Clock, deadline, SYSTEM_CLOCK } from "../time.ts";
import { askPeer, type AskPeerOptions, type PeerAnswer } from "./peer_answer.ts";
import type { PeerAddresses } from "./peer_addresses.ts";
import type { GateLimits, PeerGates } from "./peer_gate.ts";
import { Flight, type LookupResult, type PeerOutcome } from "./lookup_flight.ts";

export interface LookupLimits extends GateLimits {
  /** Lookups in flight that a living peer has yet to answer; one source may hold a quarter. */
  fanOuts: number;
}

interface PeerLookupOptions {
  addresses: PeerAddresses;
  gates: PeerGates;
  connectTimeoutMs: number;
  timeoutMs: number;
  limits: LookupLimits;
  /** Told each peer's outcome. */
  onOutcome?: (peer: string, outcome: PeerOutcome) => void;
  /** @default {@link askPeer} */
  ask?: (peer: SocketAddress, options: AskPeerOptions) => Promise<PeerAnswer>;
  clock?: Clock;
}

export interface Question {
  token: string;
  /** The caller's validated Host. */
  host: string | undefined;
  /** The source of the request, for its share of the lookups. */
  source: string;
}

export interface PeerLookup {
  /** Never rejects. */
  find(question: Question): Promise<LookupResult>;
  readonly inFlight: number;
}

/** Lookups that may wait for their turn, in all and of one source, and for how long. */
const MAX_WAITING = 1024;
const MAX_WAITING_OF_SOURCE = 64;
const MAX_WAIT_MS = 1_000;

export function createPeerLookup(options: PeerLookupOptions): PeerLookup {
  const { addresses, gates, limits, timeoutMs, connectTimeoutMs } = options;
  const { ask = askPeer, onOutcome = () => {}, clock = SYSTEM_CLOCK } = options;
  const flights = new Map<string, Promise<LookupResult>>();
  const fanOuts = new FairSemaphore({
    limit: () => limits.fanOuts,
    share: () => Math.ceil(limits.fanOuts / 4),
    queue: MAX_WAITING,
    queueOfKey: MAX_WAITING_OF_SOURCE,
  });

  async function fly({ token, host, source }: Question): Promise<LookupResult> {
    {
      using waiting = deadline(MAX_WAIT_MS, { clock });
      if (!await fanOuts.acquire(source, waiting.signal)) {
        return { verdict: "overloaded", outcomes: [] };
      }
    }
    const flight = new Flight({
      ...{ token, timeoutMs, clock, onOutcome },
      gateOf: (peer) => gates.of(peer, limits),
      ask: (peer, signal) => ask(peer, { token, host, connectTimeoutMs, timeoutMs, signal }),
      source,
    });
    // A lookup that waits only for dead peers takes no place from others.
    void flight.livingDone.then(() => fanOuts.release(source));
    return await flight.over(addresses.others());
  }

  return {
    find(question) {
      // The Host is part of the question: a peer's answer may depend on it.
      const key = `${question.token} ${question.host ?? ""}`;
      const known = flights.get(key);
      if (known) return known;
      const flight = fly(question).finally(() => flights.delete(key));
      flights.set(key, flight);
      return flight;
    },
    get inFlight() {
      return flights.size;
    },
  };
}
