/**
 * Which virtual addresses this machine has, and since when: read from its interfaces.
 *
 * keepalived tells nobody when it moves one, and the runtime has no way to subscribe to netlink, so
 * the interfaces are looked at once a second; that costs some microseconds. `since` is right to
 * that second, and unknown for what was there at the first look.
 */

import { comparableAddress } from "../address.ts";
import { type Clock, isoSeconds, SYSTEM_CLOCK } from "../time.ts";
import type { HeldAddress } from "./balancer_report.ts";

const LOOK_EVERY_MS = 1_000;

interface HeldAddresses {
  /** Replaces the addresses to look for; those that stay keep their `since`. */
  watch(addresses: readonly string[]): void;
  /** Which of the addresses are held at this moment, in their order. */
  held(addresses: readonly string[]): HeldAddress[];
  stop(): void;
}

interface HeldAddressesOptions {
  /** Addresses of this machine's interfaces. */
  interfaceAddresses: () => string[];
  clock?: Clock;
}

export function createHeldAddresses(options: HeldAddressesOptions): HeldAddresses {
  const { interfaceAddresses, clock = SYSTEM_CLOCK } = options;
  const since = new Map<string, string | null>();
  let watched: readonly string[] = [];
  /** Those that were looked for before, in which case an address that is new has come just now. */
  let known = new Set<string>();
  let cancel = () => {};

  function look(): void {
    const here = new Set(interfaceAddresses().map(comparableAddress));
    for (const address of watched) {
      if (!here.has(comparableAddress(address))) since.delete(address);
      else if (!since.has(address)) {
        since.set(address, known.has(address) ? isoSeconds(new Date(clock.now())) : null);
      }
    }
    known = new Set(watched);
  }

  function lookOn(): void {
    look();
    cancel = watched.length > 0 ? clock.schedule(LOOK_EVERY_MS, lookOn) : () => {};
  }

  return {
    watch(addresses) {
      cancel();
      watched = [...addresses];
      for (const address of since.keys()) if (!watched.includes(address)) since.delete(address);
      lookOn();
    },
    held(addresses) {
      look();
      return addresses.filter((address) => since.has(address))
        .map((address) => ({ address, since: since.get(address)! }));
    },
    stop: () => cancel(),
  };
}
