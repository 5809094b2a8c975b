/**
 * The limits for one peer: how many requests it gets at once, and whether it is suspected to be
 * down. No peer is ever left out: a suspect one is asked with fewer sockets, and lookups do not
 * wait for it as long.
 */

import { formatSocketAddress, type SocketAddress } from "../address.ts";
import { FairSemaphore } from "../fair_semaphore.ts";
import { type Clock, SYSTEM_CLOCK } from "../time.ts";
import type { PeerAnswer } from "./peer_answer.ts";

export interface GateLimits {
  /** Sockets to one peer. */
  perPeer: number;
  /** Sockets to a peer that did not answer in time when it was last asked. */
  perSuspectPeer: number;
}

/** A request that is open for this time, while no other is answered, makes its peer slow. */
const SLOW_AFTER_MS = 500;
/** Peers that are remembered: those of the configuration, and some former ones. */
const MAX_GATES = 4096;

/** All peers that a process has asked; their state is kept when the configuration is reloaded. */
export class PeerGates {
  #gates = new Map<string, PeerGate>();

  constructor(private readonly clock: Clock = SYSTEM_CLOCK) {}

  of(peer: SocketAddress, limits: GateLimits): PeerGate {
    const key = formatSocketAddress(peer);
    const gate = this.#gates.get(key) ?? new PeerGate(this.clock);
    this.#gates.set(key, gate);
    // A name may lead to ever new addresses.
    if (this.#gates.size > MAX_GATES) this.#gates.delete(this.#gates.keys().next().value!);
    gate.limits = limits;
    return gate;
  }
}

export class PeerGate {
  limits: GateLimits = { perPeer: 1, perSuspectPeer: 1 };
  #suspect = false;
  #slow = false;
  /** When it last answered anything, on the monotonic clock. */
  #answeredAt = -Infinity;
  #watchers = new Set<() => void>();
  #slots = new FairSemaphore({
    limit: () => this.#suspect ? this.limits.perSuspectPeer : this.limits.perPeer,
    queue: 1024,
    queueOfKey: 64,
  });

  constructor(private readonly clock: Clock) {}

  /** Whether it did not answer in time when it was last asked. */
  get suspect(): boolean {
    return this.#suspect;
  }

  /** Whether it is suspect, or may soon be: it has answered nothing for a while. */
  get slow(): boolean {
    return this.#slow || this.#suspect;
  }

  /** Calls `changed` whenever the peer becomes slow or suspect or is no longer; the result ends it. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  }

  /**
   * Asks once there is a socket for it; `timeout` when there is none before the signal's end.
   * @param ask must come to its end when `end` is aborted
   * @param queue ends the waiting for a socket, and only that
   */
  async pass(
    source: string,
    { ask, end, queue }: { ask: () => Promise<PeerAnswer>; end: AbortSignal; queue: AbortSignal },
  ): Promise<PeerAnswer> {
    if (!await this.#slots.acquire(source, queue)) return { outcome: "timeout" };
    const askedAt = this.clock.monotonic();
    // A peer that is slow because it is busy answers other requests in that time.
    const unheard = () => this.#answeredAt < askedAt;
    const cancel = this.clock.schedule(SLOW_AFTER_MS, () => {
      if (unheard()) this.#become({ slow: true, suspect: this.#suspect });
    });
    try {
      const answer = await ask();
      if (answer.outcome !== "timeout") {
        this.#answeredAt = this.clock.monotonic();
        this.#become({ slow: false, suspect: false });
      } else if (end.reason !== WON && unheard()) {
        // A request that another peer's answer ended says nothing about this peer.
        this.#become({ slow: true, suspect: true });
      }
      return answer;
    } finally {
      cancel();
      this.#slots.release(source);
    }
  }

  #become({ slow, suspect }: { slow: boolean; suspect: boolean }): void {
    if (slow === this.#slow && suspect === this.#suspect) return;
    [this.#slow, this.#suspect] = [slow, suspect];
    if (!suspect) this.#slots.serve();
    for (const changed of this.#watchers) changed();
  }
}

/** Why questions that are still open are ended: the token has been found. */
export const WON = "won";
