/**
 * Which addresses no CA on the internet can connect to, by the registries of special purposes
 * (RFC 6890, iana-ipv4-special-registry and iana-ipv6-special-registry).
 *
 * Ranges for documentation are left out: examples and tests use them, and for a name that leads
 * there its paths report the fault.
 */

import { isInNetworks, parseNetwork } from "../address.ts";

/** `never` holds anywhere; `private` may be right where the CA is one of your own. */
interface UnreachableRange {
  kind: "never" | "private";
  /** As in `127.0.1.1 is a loopback address`. */
  name: string;
}

const RANGES: [network: string, kind: UnreachableRange["kind"], name: string][] = [
  ["0.0.0.0/8", "never", "an address of no host"],
  ["127.0.0.0/8", "never", "a loopback address"],
  ["169.254.0.0/16", "never", "a link-local address"],
  ["224.0.0.0/4", "never", "a multicast address"],
  ["240.0.0.0/4", "never", "a reserved address"],
  ["10.0.0.0/8", "private", "a private address"],
  ["172.16.0.0/12", "private", "a private address"],
  ["192.168.0.0/16", "private", "a private address"],
  ["100.64.0.0/10", "private", "an address of a carrier's NAT (RFC 6598)"],
  ["198.18.0.0/15", "private", "an address for benchmarks (RFC 2544)"],
  ["::", "never", "an address of no host"],
  ["::1", "never", "a loopback address"],
  ["fe80::/10", "never", "a link-local address"],
  ["ff00::/8", "never", "a multicast address"],
  ["fc00::/7", "private", "a unique local address (RFC 4193)"],
  ["fec0::/10", "private", "a site-local address (RFC 3879)"],
];

/** The range of an address that no CA can reach; undefined for all others. */
export function unreachableRange(address: string): UnreachableRange | undefined {
  const found = RANGES.find(([network]) => isInNetworks(address, [parseNetwork(network)]));
  return found && { kind: found[1], name: found[2] };
}
