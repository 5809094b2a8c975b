/** The addresses of this machine's interfaces, read again from time to time: virtual ones move. */

import { comparableAddress } from "./address.ts";
import { SYSTEM_CLOCK } from "./time.ts";

/** Milliseconds for which the interfaces are taken as known. */
const FRESH_MS = 1_000;

let known = { at: -Infinity, addresses: new Set<string>() };

/**
 * Whether it is an address of this machine, in the spelling of {@link comparableAddress}, which is
 * the system's own too. The usual ones of loopback are known without looking.
 */
export function isOwnAddress(address: string): boolean {
  return address === "127.0.0.1" || address === "::1" || ownAddresses().has(address);
}

/**
 * Those of all interfaces, as the system spells them; none where a unit has no network and may not
 * even ask (RestrictAddressFamilies=AF_UNIX).
 */
export function machineAddresses(): string[] {
  try {
    return Deno.networkInterfaces().map(({ address }) => address);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return [];
  }
}

/** In the spelling of {@link comparableAddress}. */
function ownAddresses(): ReadonlySet<string> {
  const now = SYSTEM_CLOCK.monotonic();
  if (now - known.at > FRESH_MS) {
    known = { at: now, addresses: new Set(machineAddresses().map(comparableAddress)) };
  }
  return known.addresses;
}
