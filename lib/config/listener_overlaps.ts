/** Listeners of one configuration that the kernel refuses to bind at the same time. */

import {
  comparableAddress,
  formatSocketAddress,
  isWildcard,
  type SocketAddress,
} from "../address.ts";
import type { Config, Mistake } from "./schema.ts";

/**
 * A mistake for each listener that overlaps one before it.
 *
 * Checked here, to report the line: bind() only says that some process has the port, and the
 * operator would search for another one. Flags may still create such a pair; bind() refuses it.
 */
export function overlappingListeners(config: Config): Mistake[] {
  const listeners = (["public", "challenge", "metrics"] as const).flatMap((section) =>
    config[section].listen.map((address, i) => ({ section, i, address }))
  );
  return listeners.flatMap(({ section, i, address }, at) => {
    const other = listeners.slice(0, at).find((before) => overlap(before.address, address));
    if (!other) return [];
    const dual = [address, other.address].some(({ hostname }) => hostname === "::");
    const message =
      `${formatSocketAddress(address)} overlaps ${other.section}.listen[${other.i}], ` +
      formatSocketAddress(other.address) + (dual ? "; [::] takes every address, IPv4 too" : "");
    return [{ path: [section, "listen", i], part: "value", message }];
  });
}

/** As Linux decides; a dual-stack `::` takes IPv4 as well. Port 0 is a different port each time. */
export function overlap(a: SocketAddress, b: SocketAddress): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  const [one, two] = [comparableAddress(a.hostname), comparableAddress(b.hostname)];
  const covers = (wide: string, narrow: string) =>
    isWildcard(wide) && (wide === "::" || !narrow.includes(":"));
  return one === two || covers(one, two) || covers(two, one);
}
