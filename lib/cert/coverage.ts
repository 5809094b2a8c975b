/**
 * Names as operators write them, and whether a certificate is for them (RFC 9525 section 6).
 *
 * The subject's common name is ignored, as in every browser. Not checked: public suffixes; a CA
 * does not sign `*.org`.
 */

import { parseIPv4, parseIPv6 } from "../address.ts";
import type { AlternativeName } from "./names.ts";

const LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const DNS_NAME = new RegExp(`^(?=.{1,253}$)(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`);

/**
 * One spelling for a DNS name (a wildcard too), an IPv4 or an IPv6 address.
 * @throws {SyntaxError} for anything else
 */
export function parseSubjectName(text: string): string {
  const address = parseIPv4(text) ?? parseIPv6(text.replace(/^\[(.*)\]$/, "$1"));
  if (address !== undefined && !address.includes("%")) return address;
  const name = text.toLowerCase().replace(/\.$/, "");
  if (!DNS_NAME.test(name) || /(^|\.)\d+$/.test(name)) {
    const ascii = /^[\x20-\x7e]*$/.test(text);
    throw new SyntaxError(
      `expected a DNS name or an IP address${ascii ? "" : "; write international names as xn--…"}`,
    );
  }
  return name;
}

/**
 * Whether one of a certificate's names covers `name`, which {@link parseSubjectName} returned. A
 * wildcard stands for exactly one label, the first; it is covered itself only by the same one.
 */
export function covers(names: readonly AlternativeName[], name: string): boolean {
  const kind = isAddress(name) ? "IP" : "DNS";
  return names.some((entry) => {
    if (entry.kind !== kind) return false;
    const value = entry.value.toLowerCase();
    if (kind === "IP" || !value.startsWith("*.") || name.startsWith("*.")) return value === name;
    const dot = name.indexOf(".");
    return dot > 0 && name.slice(dot) === value.slice(1);
  });
}

/** Names of which only the text is known, as entries that {@link covers} takes. */
export function asAlternativeNames(values: readonly string[]): AlternativeName[] {
  return values.map((value) => ({ kind: isAddress(value) ? "IP" : "DNS", value }));
}

/** Whether a name in its one spelling is an IP address. */
export function isAddress(name: string): boolean {
  return name.includes(":") || /\.\d+$/.test(name);
}
