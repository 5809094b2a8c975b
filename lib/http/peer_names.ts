/**
 * The addresses of the names among the peers: looked up in the background, and kept while the
 * resolver is silent, also when the configuration is read again.
 *
 * Resolving cannot be cancelled, and each takes one of the runtime's 32 threads for blocking work
 * until the resolver answers; so only a few run at once.
 */

import { FairSemaphore } from "../fair_semaphore.ts";
import type { Log } from "../log.ts";
import { resolveName } from "../resolve_name.ts";
import { type Clock, SYSTEM_CLOCK } from "../time.ts";

/** How long addresses, and the failure to find any, are kept. */
const FRESH_MS = 10_000;
const FAILED_MS = 5_000;
/** Names being resolved at once. */
const THREADS = 8;
/** The name's DNS server decides how many addresses it has; no cluster has more balancers. */
export const MAX_ADDRESSES = 16;

interface PeerNamesOptions {
  log: Pick<Log, "warn">;
  /** All addresses of a name. @default the system's resolver, hosts file included */
  resolve?: (name: string) => Promise<string[]>;
  clock?: Clock;
}

interface Known {
  addresses: string[];
  /** When the resolver is to be asked again. */
  until: number;
  asking?: Promise<string[]>;
  tooMany?: number;
}

export class PeerNames {
  #names = new Map<string, Known>();
  #threads = new FairSemaphore({ limit: () => THREADS });

  constructor(private readonly options: PeerNamesOptions) {}

  /**
   * The last addresses of the name; when it has none and the resolver is being asked, what will
   * come of that as well. Never waits; `pending` never rejects.
   */
  addressesOf(
    name: string,
  ): { addresses: readonly string[]; pending?: Promise<readonly string[]> } {
    const { clock = SYSTEM_CLOCK } = this.options;
    const known = this.#names.get(name) ?? { addresses: [], until: -Infinity };
    this.#names.set(name, known);
    if (clock.monotonic() > known.until) {
      known.asking ??= this.#ask(name, known).finally(() => known.asking = undefined);
    }
    const { addresses, asking } = known;
    return addresses.length === 0 && asking ? { addresses, pending: asking } : { addresses };
  }

  async #ask(name: string, known: Known): Promise<string[]> {
    const { clock = SYSTEM_CLOCK, resolve = resolveName } = this.options;
    await this.#threads.acquire(name, NEVER);
    try {
      const found = await resolve(name);
      this.#noteCount(name, { count: found.length, known });
      known.addresses = found.slice(0, MAX_ADDRESSES);
      known.until = clock.monotonic() + FRESH_MS;
    } catch {
      // Its last addresses are used further.
      known.until = clock.monotonic() + FAILED_MS;
    } finally {
      this.#threads.release(name);
    }
    return known.addresses;
  }

  #noteCount(name: string, { count, known }: { count: number; known: Known }): void {
    if (count > MAX_ADDRESSES && count !== known.tooMany) {
      this.options.log.warn("too_many_addresses", {
        peer: `dns:${name}`,
        addresses: count,
        asked: MAX_ADDRESSES,
      });
    }
    known.tooMany = count;
  }
}

const NEVER = new AbortController().signal;
