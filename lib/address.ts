/**
 * Socket addresses as operators write them: `[::]:80`, `192.0.2.11:80`, `[fe80::1%eth0]:31080`.
 *
 * Literals only; host names are written as `dns:name:port` in the configuration. Textual forms are
 * brought to one spelling so that addresses can be compared: a peer list that says
 * `2001:DB8:0::F001` and an interface that says `2001:db8::f001` mean the same host.
 */

/** An IP address (canonical text, with `%zone` for a link-local one) and a TCP port. */
export interface SocketAddress {
  hostname: string;
  port: number;
}

/**
 * Reads `[IPv6]:port` or `IPv4:port`.
 * @throws {SyntaxError} naming the part that is wrong
 */
export function parseSocketAddress(text: string): SocketAddress {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  if (!match || match[2] === "" || match[2] === "*") {
    throw new SyntaxError("expected [IPv6]:port or IPv4:port, such as [::]:80 for every address");
  }
  const [, six, four, digits] = match;
  const hostname = six === undefined ? parseIPv4(four!) : parseIPv6(six);
  if (hostname === undefined) {
    const family = six === undefined ? "an IPv4 address" : "an IPv6 address";
    throw new SyntaxError(`${JSON.stringify(six ?? four)} is not ${family}`);
  }
  return { hostname, port: parsePort(digits!) };
}

/** @throws {SyntaxError} above 65535 */
export function parsePort(digits: string): number {
  const port = Number(digits);
  if (!/^\d{1,5}$/.test(digits) || port > 65535) {
    throw new SyntaxError(`port ${digits} is not between 0 and 65535`);
  }
  return port;
}

/** The spelling that {@link parseSocketAddress} reads. */
export function formatSocketAddress({ hostname, port }: SocketAddress): string {
  return `${urlHost(hostname)}:${port}`;
}

/** A host as a URL spells it: an IPv6 address in brackets (RFC 3986 section 3.2.2). */
export function urlHost(hostname: string): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

/** Dotted quad without leading zeros (which some resolvers read as octal), or undefined. */
export function parseIPv4(text: string): string | undefined {
  const parts = text.split(".");
  const good = parts.length === 4 &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  return good ? text : undefined;
}

/**
 * The RFC 5952 spelling of an IPv6 address, or undefined. A zone is kept, and is allowed on
 * link-local addresses alone, where it means something.
 */
export function parseIPv6(text: string): string | undefined {
  const [address = "", zone, ...rest] = text.split("%");
  const groups = ipv6Groups(address);
  if (!groups || rest.length > 0) return undefined;
  if (zone === undefined) return compressGroups(groups);
  const linkLocal = (groups[0]! & 0xffc0) === 0xfe80;
  return linkLocal && /^[A-Za-z0-9_.-]{1,15}$/.test(zone)
    ? `${compressGroups(groups)}%${zone}`
    : undefined;
}

/** The eight 16-bit groups of an IPv6 address, or undefined. */
export function ipv6Groups(text: string): number[] | undefined {
  let body = text;
  const quad = text.includes(".") ? /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text) : null;
  if (quad) {
    const four = parseIPv4(quad[2]!);
    if (four === undefined) return undefined;
    const [a, b, c, d] = four.split(".").map(Number) as [number, number, number, number];
    body = `${quad[1]}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const halves = body.split("::");
  if (halves.length > 2) return undefined;
  const groups = groupsIn(halves[0]!);
  if (halves.length === 1) return groups?.length === 8 ? groups : undefined;
  const tail = groupsIn(halves[1]!);
  if (!groups || !tail || groups.length + tail.length > 7) return undefined;
  while (groups.length + tail.length < 8) groups.push(0);
  return groups.concat(tail);
}

/** Groups separated by single colons; undefined when one of them is not a group. */
function groupsIn(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  for (const part of text.split(":")) {
    if (!/^[0-9A-Fa-f]{1,4}$/.test(part)) return undefined;
    groups.push(parseInt(part, 16));
  }
  return groups;
}

/** RFC 5952: lower case, the longest run of two or more zero groups compressed, first if equal. */
function compressGroups(groups: number[]): string {
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
    i = Math.max(i, end - 1);
  }
  const hex = groups.map((group) => group.toString(16));
  if (start < 0) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/**
 * The form in which addresses are compared: IPv4-mapped IPv6 (`::ffff:192.0.2.1`, how a dual-stack
 * socket shows IPv4) becomes IPv4, a zone is dropped. Text that is no address is returned
 * unchanged.
 */
export function comparableAddress(hostname: string): string {
  if (!hostname.includes(":")) return hostname;
  const groups = ipv6Groups(hostname.split("%")[0]!);
  if (!groups) return hostname;
  return isMapped(groups) ? dottedQuad(groups[6]!, groups[7]!) : compressGroups(groups);
}

function isMapped(groups: number[]): boolean {
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
}

/** 64:ff9b::/96 (RFC 6052 section 2.1). */
function isNat64(groups: number[]): boolean {
  return groups[0] === 0x64 && groups[1] === 0xff9b &&
    groups.slice(2, 6).every((group) => group === 0);
}

/** IPv4 from the two last groups of an IPv6 address that embeds it. */
function dottedQuad(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/**
 * Who counts as one source for limits: an IPv4 address, or an IPv6 /64, since a single customer
 * commonly holds a whole /64. An address behind NAT64 (64:ff9b::/96, RFC 6052) counts by its IPv4
 * part, because one such prefix holds the whole IPv4 internet.
 */
export function sourceOf(hostname: string): string {
  if (!hostname.includes(":")) return hostname;
  if (/^::ffff:\d+\.\d+\.\d+\.\d+$/.test(hostname)) return hostname.slice(7);
  const groups = ipv6Groups(hostname.split("%")[0]!);
  if (!groups) return hostname;
  if (isMapped(groups) || isNat64(groups)) return dottedQuad(groups[6]!, groups[7]!);
  return groups.slice(0, 4).map((group) => group.toString(16)).join(":");
}

/**
 * The wider networks that a source of {@link sourceOf} lies in, the narrower first: the /56 and
 * the /48 of an IPv6 source, which are what one site is usually given, or twice the /24 of an
 * IPv4 one.
 */
export function networksOf(source: string): [string, string] {
  if (!source.includes(":")) {
    const network = source.slice(0, Math.max(0, source.lastIndexOf(".")));
    return [network, network];
  }
  const groups = source.split(":");
  const site = groups.slice(0, 3).join(":");
  return [`${site}:${(parseInt(groups[3]!, 16) >> 8).toString(16)}`, site];
}

/** A range of addresses: the bits that all of them begin with, as text, and those of an address. */
export interface Network {
  prefix: string;
  width: 32 | 128;
}

/**
 * Reads an address, or a network in CIDR notation such as `192.0.2.0/24` or `2001:db8::/32`.
 * @throws {SyntaxError} when it is neither, or has bits set behind its prefix
 */
export function parseNetwork(text: string): Network {
  const [hostname = "", digits, ...rest] = text.split("/");
  const address = parseIPv4(hostname) ?? parseIPv6(hostname);
  const width = address?.includes(":") ? 128 : 32;
  const good = digits === undefined ||
    (/^(0|[1-9]\d{0,2})$/.test(digits) && Number(digits) <= width);
  if (address === undefined || address.includes("%") || !good || rest.length > 0) {
    throw new SyntaxError(
      "expected an address or a network, such as 192.0.2.0/24 or 2001:db8::/32",
    );
  }
  const bits = addressBits(address);
  const length = Number(digits ?? width);
  if (bits.slice(length).includes("1")) {
    throw new SyntaxError(`${text} has bits set behind its prefix of ${length}`);
  }
  return { prefix: bits.slice(0, length), width };
}

/** Whether the address lies in one of the networks. */
export function isInNetworks(hostname: string, networks: readonly Network[]): boolean {
  if (networks.length === 0) return false;
  const bits = addressBits(comparableAddress(hostname));
  return networks.some(({ prefix, width }) => bits.length === width && bits.startsWith(prefix));
}

function addressBits(address: string): string {
  const [parts, digits] = address.includes(":")
    ? [ipv6Groups(address)!, 16]
    : [address.split(".").map(Number), 8];
  return parts.map((part) => part.toString(2).padStart(digits, "0")).join("");
}

/** Whether the address is one that listens on every interface. */
export function isWildcard(hostname: string): boolean {
  return hostname === "::" || hostname === "0.0.0.0";
}

/** Where to ask a listener of this machine: one on every interface answers on loopback. */
export function reachableHere({ hostname, port }: SocketAddress): SocketAddress {
  if (!isWildcard(hostname)) return { hostname, port };
  return { hostname: hostname === "::" ? "::1" : "127.0.0.1", port };
}

export function isLoopback(hostname: string): boolean {
  return /^(?:127\.|::1$)/.test(comparableAddress(hostname));
}

/** Loopback and link-local addresses, which no machine elsewhere can ask. */
export function isLocalOnly(hostname: string): boolean {
  return isLoopback(hostname) || /^(?:169\.254\.|fe[89ab])/.test(comparableAddress(hostname));
}

/** Whether two spellings mean one host. */
export function sameHost(a: string, b: string): boolean {
  return comparableAddress(a) === comparableAddress(b);
}

/** The family of an address that one of the parsers above has read. */
export function familyOf(address: string): 4 | 6 {
  return comparableAddress(address).includes(":") ? 6 : 4;
}
