/**
 * What `serve` remembers for `status`: the last challenges, and what came of the last question to
 * each peer. Bounded; kept over a reload of the configuration, gone with the process.
 */

import type { AnsweredChallenge } from "../http/challenge_handler.ts";
import { isoSeconds } from "../time.ts";
import { BOUNDS, type PeerContact, type SeenChallenge } from "./balancer_report.ts";

export interface RecentEvents {
  challenge(event: AnsweredChallenge): void;
  /** @param peer its address, or `dns:NAME` when that does not resolve */
  contact(peer: string, outcome: string): void;
  /** The newest first. */
  challenges(): SeenChallenge[];
  contacts(): PeerContact[];
}

/**
 * Of those that were found, and of those that were not: a scanner that asks for tokens which
 * nobody has must not push the real ones out.
 */
const EACH = BOUNDS.challenges / 2;

/** Enough to recognise it in the log; nobody needs more of it. */
const TOKEN_SHOWN = 8;

/** @param now milliseconds since the epoch. @default Date.now */
export function createRecentEvents({ now = Date.now } = {}): RecentEvents {
  const found: Kept[] = [];
  const notFound: Kept[] = [];
  const contacts = new Map<string, PeerContact>();
  let count = 0;
  return {
    challenge({ token, from, source, peer, ms, status }) {
      const list = status === 200 ? found : notFound;
      const shown = { token: token.slice(0, TOKEN_SHOWN), from, source: peer ?? source ?? null };
      list.push({ number: count++, at: now(), event: { ...shown, ms, status } });
      if (list.length > EACH) list.shift();
    },
    contact(peer, outcome) {
      // The oldest goes first where a name of the configuration leads to ever new addresses.
      contacts.delete(peer);
      contacts.set(peer, { peer, outcome, at: isoSeconds(new Date(now())) });
      if (contacts.size > BOUNDS.peers) contacts.delete(contacts.keys().next().value!);
    },
    challenges: () =>
      [...found, ...notFound].sort((a, b) => b.number - a.number)
        .map(({ at, event }) => ({ at: isoSeconds(new Date(at)), ...event })),
    contacts: () => [...contacts.values()],
  };
}

interface Kept {
  number: number;
  at: number;
  event: Omit<SeenChallenge, "at">;
}
