/**
 * Looking a token up among all peers at once, under one deadline.
 *
 * The holder of a token is alive, since it has just spoken to the CA; so the first right answer
 * wins however many others are dead. No peer is ever left out for past failures: an exclusion
 * hides the only right answer for seconds after one reset. Nothing is kept after an answer; only
 * requests that arrive while the same question is under way share it.
 */

import { formatSocketAddress, type SocketAddress } from "../address.ts";
import { FairSemaphore } from "../fair_semaphore.ts";
import {
  type AnswerOutcome,
  askPeer,
  type AskPeerOptions,
  isKeyAuthorization,
  type PeerAnswer,
} from "./peer_answer.ts";
import type { PeerAddresses } from "./peer_addresses.ts";

/** What came of a peer or of a name; the same words stand in the log, the metrics and the README. */
export type PeerOutcome = AnswerOutcome | "unresolved" | "not_awaited";

export interface LookupLimits {
  /** Lookups in flight; one source may hold a quarter of them. */
  fanOuts: number;
  /** Sockets to one peer. */
  perPeer: number;
  /** Sockets to a peer that did not answer in time when it was last asked. */
  perSuspectPeer: number;
}

export interface PeerLookupOptions {
  addresses: PeerAddresses;
  /** Milliseconds. */
  connectTimeout: number;
  timeout: number;
  limits: LookupLimits;
  /** Told each peer's outcome. */
  onOutcome?: (peer: string, outcome: PeerOutcome) => void;
  /** @default {@link askPeer} */
  ask?: (peer: SocketAddress, options: AskPeerOptions) => Promise<PeerAnswer>;
}

export interface Question {
  token: string;
  /** The caller's validated Host. */
  host: string | undefined;
  /** Whose share of the lookups it counts against. */
  source: string;
}

/** The verdict over all peers: `failed` when one answered wrongly, `overloaded` when not asked. */
export type LookupVerdict = "found" | "absent" | "timeout" | "failed" | "overloaded";

export interface LookupResult {
  verdict: LookupVerdict;
  /** The text and who gave it, when found. */
  body?: string;
  peer?: string;
  outcomes: { peer: string; outcome: PeerOutcome }[];
}

export interface PeerLookup {
  /** Never rejects. */
  find(question: Question): Promise<LookupResult>;
  readonly inFlight: number;
}

/** Lookups that may wait for their turn, and for how long. */
const MAX_WAITING = 256;
const MAX_WAIT = 1_000;

export function createPeerLookup(options: PeerLookupOptions): PeerLookup {
  const { addresses, limits, timeout } = options;
  const { ask = askPeer, onOutcome = () => {} } = options;
  const flights = new Map<string, Promise<LookupResult>>();
  const gates = new Map<string, PeerGate>();
  const fanOuts = new FairSemaphore({
    limit: () => limits.fanOuts,
    share: () => Math.ceil(limits.fanOuts / 4),
    queue: MAX_WAITING,
  });

  async function fly({ token, host, source }: Question): Promise<LookupResult> {
    const waiting = deadline(MAX_WAIT);
    const granted = await fanOuts.acquire(source, waiting.signal);
    waiting.clear();
    if (!granted) return { verdict: "overloaded", outcomes: [] };
    const overall = deadline(timeout);
    try {
      const targets = await addressesWithin(addresses, overall.signal);
      if (!targets) return { verdict: "timeout", outcomes: [] };
      return await askAll(targets, {
        token,
        deadline: overall,
        askOne: (peer, signal) => {
          const gate = gateOf(peer);
          return gate.pass(
            signal,
            () =>
              ask(peer, {
                token,
                host,
                connectTimeoutMs: options.connectTimeout,
                timeoutMs: timeout,
                signal,
              }),
          );
        },
        onOutcome,
      });
    } finally {
      overall.clear();
      fanOuts.release(source);
    }
  }

  function gateOf(peer: SocketAddress): PeerGate {
    const key = formatSocketAddress(peer);
    const gate = gates.get(key) ?? new PeerGate(limits);
    gates.set(key, gate);
    return gate;
  }

  return {
    find(question) {
      // The Host is part of the question: a peer may judge by it.
      const key = `${question.token} ${question.host ?? ""}`;
      const known = flights.get(key);
      if (known) return known;
      const flight = fly(question).finally(() => flights.delete(key));
      flights.set(key, flight);
      return flight;
    },
    get inFlight() {
      return fanOuts.held;
    },
  };
}

/** Sockets to one peer: fewer once it let a question time out, until it answers again. */
class PeerGate {
  #suspect = false;
  #slots: FairSemaphore;

  constructor(limits: LookupLimits) {
    this.#slots = new FairSemaphore({
      limit: () => this.#suspect ? limits.perSuspectPeer : limits.perPeer,
    });
  }

  async pass(signal: AbortSignal, ask: () => Promise<PeerAnswer>): Promise<PeerAnswer> {
    if (!await this.#slots.acquire("", signal)) return { outcome: "timeout" };
    try {
      const answer = await ask();
      // Ended by the winner's answer, it says nothing of this peer.
      if (answer.outcome !== "timeout") this.#suspect = false;
      else if (signal.reason !== WON) this.#suspect = true;
      return answer;
    } finally {
      this.#slots.release("");
    }
  }
}

const WON = "won";

interface Deadline {
  signal: AbortSignal;
  abort(reason: string): void;
  clear(): void;
}

/** An abort signal whose timer can be cleared, which that of AbortSignal.timeout cannot. */
function deadline(ms: number): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort("deadline"), ms);
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    clear: () => clearTimeout(timer),
  };
}

/** The addresses, or undefined when a resolver kept them past the deadline. */
function addressesWithin(
  addresses: PeerAddresses,
  signal: AbortSignal,
): Promise<Targets | undefined> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
    addresses.others().then(resolve, () => resolve(undefined));
  });
}

type Targets = Awaited<ReturnType<PeerAddresses["others"]>>;

interface AskAllOptions {
  token: string;
  deadline: Deadline;
  askOne(peer: SocketAddress, signal: AbortSignal): Promise<PeerAnswer>;
  onOutcome(peer: string, outcome: PeerOutcome): void;
}

function askAll({ peers, unresolved }: Targets, options: AskAllOptions): Promise<LookupResult> {
  const { token, deadline, askOne, onOutcome } = options;
  const outcomes = [
    ...peers.map(formatSocketAddress).map((peer) => ({ peer, outcome: "not_awaited" })),
    ...unresolved.map((name) => ({ peer: `dns:${name}`, outcome: "unresolved" })),
  ] as LookupResult["outcomes"];
  if (peers.length === 0) return Promise.resolve({ verdict: judge(outcomes), outcomes });
  return new Promise((resolve) => {
    let open = peers.length;
    let second: { body: string; peer: string } | undefined;
    const finish = (best?: { body: string; peer: string }) =>
      resolve(
        best ? { verdict: "found", ...best, outcomes } : { verdict: judge(outcomes), outcomes },
      );
    // Every asking ends soon after the deadline; this is for one that does not.
    deadline.signal.addEventListener("abort", () => {
      for (const entry of outcomes) {
        if (entry.outcome === "not_awaited" && deadline.signal.reason !== WON) {
          entry.outcome = "timeout";
        }
      }
      finish(second);
    }, { once: true });
    peers.forEach(async (peer, index) => {
      const answer = await askOne(peer, deadline.signal);
      const entry = outcomes[index]!;
      if (deadline.signal.reason !== WON) {
        entry.outcome = answer.outcome;
        onOutcome(entry.peer, answer.outcome);
      }
      if (answer.body !== undefined) {
        const found = { body: answer.body, peer: entry.peer };
        if (isKeyAuthorization(answer.body, token)) {
          finish(found);
          deadline.abort(WON);
          return;
        }
        second ??= found;
      }
      if (--open === 0) finish(second);
    });
  });
}

/** RFC 9110: 404 needs everybody's no; else the one that did not answer weighs more. */
function judge(outcomes: { outcome: PeerOutcome }[]): LookupVerdict {
  if (outcomes.every(({ outcome }) => outcome === "absent")) return "absent";
  return outcomes.some(({ outcome }) => outcome === "timeout") ? "timeout" : "failed";
}
