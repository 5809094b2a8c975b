/**
 * Which addresses no CA on the internet can connect to, by the registries of special purposes
 * (RFC 6890, iana-ipv4-special-registry and iana-ipv6-special-registry).
 *
 * Ranges for documentation are left out: examples and tests use them, and for a name that leads
 * there its paths report the fault.
 */

import { comparableAddress, ipv6Groups } from "../address.ts";

/** `never` holds anywhere; `private` may be right where the CA is one of your own. */
interface UnreachableRange {
  kind: "never" | "private";
  /** As in `127.0.1.1 is a loopback address`. */
  name: string;
}

/** First value, prefix length in bits, kind and name; IPv4 in 32 bits. */
const IPV4: [string, number, UnreachableRange["kind"], string][] = [
  ["0.0.0.0", 8, "never", "an address of no host"],
  ["127.0.0.0", 8, "never", "a loopback address"],
  ["169.254.0.0", 16, "never", "a link-local address"],
  ["224.0.0.0", 4, "never", "a multicast address"],
  ["240.0.0.0", 4, "never", "a reserved address"],
  ["10.0.0.0", 8, "private", "a private address"],
  ["172.16.0.0", 12, "private", "a private address"],
  ["192.168.0.0", 16, "private", "a private address"],
  ["100.64.0.0", 10, "private", "an address of a carrier's NAT (RFC 6598)"],
  ["198.18.0.0", 15, "private", "an address for benchmarks (RFC 2544)"],
];

/** The first of the eight groups, prefix length up to 16. */
const IPV6: [number, number, UnreachableRange["kind"], string][] = [
  [0xfe80, 10, "never", "a link-local address"],
  [0xff00, 8, "never", "a multicast address"],
  [0xfc00, 7, "private", "a unique local address (RFC 4193)"],
  [0xfec0, 10, "private", "a site-local address (RFC 3879)"],
];

/** The range of an address that no CA can reach; undefined for all others. */
export function unreachableRange(address: string): UnreachableRange | undefined {
  const text = comparableAddress(address);
  if (!text.includes(":")) {
    const value = numberOf(text);
    const found = IPV4.find(([first, bits]) =>
      Math.floor(value / 2 ** (32 - bits)) === Math.floor(numberOf(first) / 2 ** (32 - bits))
    );
    return found && { kind: found[2], name: found[3] };
  }
  if (text === "::1") return { kind: "never", name: "a loopback address" };
  if (text === "::") return { kind: "never", name: "an address of no host" };
  const [first = 0] = ipv6Groups(text) ?? [];
  const found = IPV6.find(([start, bits]) => first >> (16 - bits) === start >> (16 - bits));
  return found && { kind: found[2], name: found[3] };
}

function numberOf(quad: string): number {
  return quad.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}
