/**
 * The Host header: its grammar, its one spelling, and the list of hosts that are redirected.
 *
 * The value ends up in a Location, so everything is refused that a browser could read as another
 * authority: user information, slashes, backslashes, blanks, non-ASCII, numbers that only look
 * like a name. Names are those that browsers open and wildcard certificates cover, which is more
 * than RFC 1123 allows: underscores, and hyphens at either end of a label. International text
 * must be in its ASCII form already.
 */

import { parseIPv4, parseIPv6 } from "./address.ts";

const LABEL = "[a-z0-9_-]{1,63}";
const NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`);
const AUTHORITY = /^(\[[^\]]*\]|[^:]*)(?::(\d{0,5}))?$/;

/**
 * The host of a Host header (RFC 9110 section 7.2): lower case, without port and without the
 * root dot, IPv6 in brackets in its RFC 5952 spelling; undefined when it is malformed.
 */
export function parseHost(value: string): string | undefined {
  const match = value.length <= 262 ? AUTHORITY.exec(value) : null;
  if (!match || Number(match[2] ?? 0) > 65535) return undefined;
  const text = match[1]!.toLowerCase();
  if (text.startsWith("[")) {
    const address = parseIPv6(text.slice(1, -1));
    return address === undefined || address.includes("%") ? undefined : `[${address}]`;
  }
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  if (!NAME.test(name)) return undefined;
  // WHATWG URL: a last label that is a number makes the whole an IPv4 address, in any base.
  const last = name.slice(name.lastIndexOf(".") + 1);
  if (/^(?:\d+|0x[0-9a-f]*)$/.test(last)) return parseIPv4(name);
  return name;
}

/** Whether a host of {@link parseHost} is one that a machine may have (RFC 1123 section 2.1). */
export function isMachineName(host: string): boolean {
  return !/_|(?:^|\.)-|-(?:\.|$)/.test(host);
}

/**
 * Whether a host stands on the list: exact names, `*.suffix` for any names below the suffix, not
 * the suffix itself. An empty list holds every host.
 */
export function isListedHost(host: string, list: readonly string[]): boolean {
  return list.length === 0 ||
    list.some((entry) => entry.startsWith("*.") ? host.endsWith(entry.slice(1)) : host === entry);
}
