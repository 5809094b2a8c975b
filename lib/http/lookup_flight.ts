/** One lookup: asks every peer, and decides when its result is final. */

import { formatSocketAddress, type SocketAddress } from "../address.ts";
import { type Clock, type Deadline, deadline } from "../time.ts";
import type { Others } from "./peer_addresses.ts";
import { type AnswerOutcome, isKeyAuthorization, type PeerAnswer } from "./peer_answer.ts";
import { type PeerGate, WON } from "./peer_gate.ts";

/** The outcome for a peer or a name; the log and the metrics use the same words. */
export type PeerOutcome = AnswerOutcome | "unresolved" | "not_awaited";

/** The result over all peers: `failed` when one answered wrongly, `overloaded` when not asked. */
export type LookupVerdict = "found" | "absent" | "timeout" | "failed" | "overloaded";

export interface LookupResult {
  verdict: LookupVerdict;
  /** The text and the peer that had it, when found. */
  body?: string;
  peer?: string;
  outcomes: { peer: string; outcome: PeerOutcome }[];
}

interface FlightOptions {
  token: string;
  source: string;
  timeoutMs: number;
  clock: Clock;
  gateOf(peer: SocketAddress): PeerGate;
  ask(peer: SocketAddress, signal: AbortSignal): Promise<PeerAnswer>;
  onOutcome(peer: string, outcome: PeerOutcome): void;
}

interface Entry {
  peer: string;
  outcome: PeerOutcome;
  /** Undefined for a name. */
  gate?: PeerGate;
  open: boolean;
  /** Whether it had a socket yet; a suspect peer has few. */
  asked: boolean;
}

/**
 * The shares of the deadline for which a lookup waits when only suspect peers are left, and names
 * that do not resolve: half, and less when a short line would be acceptable.
 */
const SUSPECT_SHARE = 0.5;
const SUSPECT_SHARE_WITH_LINE = 0.25;

export class Flight {
  /**
   * Resolves when only slow and suspect peers, and names that do not resolve, are still awaited.
   */
  readonly livingDone: Promise<void>;
  #result = Promise.withResolvers<LookupResult>();
  #living = Promise.withResolvers<void>();
  #entries: Entry[] = [];
  /** Ends every request; lasts longer than the result when only suspect peers are left. */
  #limit: Deadline;
  /** Ends the waiting for a socket, with the result. */
  #queue = new AbortController();
  #patience: Deadline[];
  #second: { body: string; peer: string } | undefined;
  #over = false;
  #unwatch: (() => void)[] = [];

  constructor(private readonly options: FlightOptions) {
    const { timeoutMs, clock } = options;
    this.livingDone = this.#living.promise;
    this.#limit = deadline(timeoutMs, { clock, whileRunning: true });
    this.#patience = [SUSPECT_SHARE_WITH_LINE, SUSPECT_SHARE].map((share) =>
      deadline(timeoutMs * share, { clock, whileRunning: true })
    );
    this.#limit.signal.addEventListener("abort", () => this.#finish(this.#second), { once: true });
    for (const { signal } of this.#patience) {
      signal.addEventListener("abort", () => this.#consider(), { once: true });
    }
  }

  /** Asks the peers, and those of names that resolve in time. Never rejects. */
  over({ peers, pending, unresolved }: Others): Promise<LookupResult> {
    const asking = peers.map((peer) => this.#ask(peer));
    const joining = pending.map(({ name, peers }) => this.#join(name, peers));
    for (const name of unresolved) {
      const peer = `dns:${name}`;
      this.#entries.push({ peer, outcome: "unresolved", open: false, asked: false });
      this.options.onOutcome(peer, "unresolved");
    }
    void Promise.all([...asking, ...joining]).then(() => this.#limit[Symbol.dispose]());
    this.#consider();
    return this.#result.promise;
  }

  async #join(name: string, peers: Others["pending"][number]["peers"]): Promise<void> {
    const entry: Entry = { peer: `dns:${name}`, outcome: "unresolved", open: true, asked: false };
    this.#entries.push(entry);
    const found = await peers;
    if (this.#over) return;
    entry.open = false;
    if (found) this.#entries = this.#entries.filter((one) => one !== entry);
    else this.options.onOutcome(entry.peer, "unresolved");
    const asking = (found ?? []).map((peer) => this.#ask(peer));
    this.#consider();
    await Promise.all(asking);
  }

  async #ask(peer: SocketAddress): Promise<void> {
    const { source, gateOf, ask, token, onOutcome } = this.options;
    const gate = gateOf(peer);
    const name = formatSocketAddress(peer);
    const entry: Entry = { peer: name, outcome: "not_awaited", gate, open: true, asked: false };
    this.#entries.push(entry);
    this.#unwatch.push(gate.watch(() => this.#consider()));
    const { signal } = this.#limit;
    const answer = await gate.pass(source, {
      ask: () => {
        entry.asked = true;
        return ask(peer, signal);
      },
      end: signal,
      queue: this.#queue.signal,
    });
    if (this.#over) return;
    entry.open = false;
    entry.outcome = answer.outcome;
    onOutcome(name, answer.outcome);
    if (answer.body !== undefined) {
      const found = { body: answer.body, peer: name };
      if (isKeyAuthorization(answer.body, token)) {
        this.#finish(found, { won: true });
        return this.#limit.abort(WON);
      }
      this.#second ??= found;
    }
    this.#consider();
  }

  /** Whether the result is final, and whether all peers that answer at all have answered. */
  #consider(): void {
    if (this.#over) return;
    const open = this.#entries.filter((entry) => entry.open);
    if (open.length === 0) return this.#finish(this.#second);
    if (open.some(({ gate }) => gate && !gate.slow)) return;
    this.#living.resolve();
    if (open.some(({ gate }) => gate && !gate.suspect)) return;
    const [withLine, without] = this.#patience;
    if (this.#second) {
      if (withLine!.passed) this.#finish(this.#second);
      return;
    }
    // A peer that still waits for a socket has not been asked: it may be up again.
    const askedAll = open.every(({ gate, asked }) => asked || !gate);
    if (askedAll && without!.passed) this.#finish(undefined);
  }

  #finish(
    best: { body: string; peer: string } | undefined,
    { won = false }: { won?: boolean } = {},
  ): void {
    if (this.#over) return;
    this.#over = true;
    this.#living.resolve();
    for (const entry of this.#entries) {
      if (!entry.open || entry.gate === undefined || won) continue;
      entry.outcome = "timeout";
      this.options.onOutcome(entry.peer, "timeout");
    }
    for (const unwatch of this.#unwatch) unwatch();
    for (const one of this.#patience) one[Symbol.dispose]();
    this.#queue.abort();
    const outcomes = this.#entries.map(({ peer, outcome }) => ({ peer, outcome }));
    this.#result.resolve(
      best ? { verdict: "found", ...best, outcomes } : { verdict: verdictOf(outcomes), outcomes },
    );
  }
}

/** RFC 9110: 404 needs a no of every peer; otherwise a peer that did not answer decides. */
function verdictOf(outcomes: { outcome: PeerOutcome }[]): LookupVerdict {
  if (outcomes.every(({ outcome }) => outcome === "absent")) return "absent";
  return outcomes.some(({ outcome }) => outcome === "timeout") ? "timeout" : "failed";
}
