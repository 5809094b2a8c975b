/**
 * Addresses of HAProxy's runtime API, as HAProxy's configuration, socat and acme.sh spell them.
 *
 * Every command and the configuration read them here, so that a spelling is understood everywhere
 * or refused before anything is written.
 */

import { parseIPv4, parseIPv6 } from "./address.ts";

/** Spellings of a path: HAProxy's prefixes end in `@`, socat's and those of URLs in a colon. */
const UNIX = /^(?:(?:stream\+)?(?:unix|uxst)@|unix(?:-connect|-client)?:(?:\/\/(?=\/))?)(.*)$/is;

/** Spellings of an address, with the family that some name. */
const TCP = /^(?:ip(v4|v6)?@|tcp([46])?@|tcp([46])?(?:-connect)?:(?:\/\/)?)(.*)$/is;

/** Any other word in front of `@` or a colon. */
const UNKNOWN = /^[a-z][a-z0-9+-]*(?:@|:(?!\d{1,5}$))/i;

const HOST_PORT = /^(?:\[([^\]]+)\]|([^:[\]/@]+)):(\d{1,5})$/;

/**
 * One spelling, which reads as itself: the path of a UNIX socket, which holds a slash, or HOST:PORT,
 * `[::1]:9999` for IPv6.
 * @throws {SyntaxError} saying what is expected
 */
export function parseRuntimeAddress(text: string): string {
  const unix = UNIX.exec(text)?.[1];
  if (unix !== undefined) return parsePath(unix.includes("/") ? unix : `./${unix}`);
  const [, v, at, colon, rest] = TCP.exec(text) ?? [];
  if (rest !== undefined) return parseHostPort(rest, (v ?? at ?? colon)?.replace("v", ""));
  if (UNKNOWN.test(text)) throw expected();
  return text.includes("/") ? parsePath(text) : parseHostPort(text);
}

/** Whether an address, as {@link parseRuntimeAddress} spells it, is the path of a socket. */
export function isSocketPath(address: string): boolean {
  return address.includes("/");
}

function parsePath(path: string): string {
  if (path.endsWith("/")) throw expected();
  // As in `-S /run/haproxy/master.sock,mode,600` and socat's `UNIX:/run/x.sock,forever`.
  if (path.includes(",")) throw new SyntaxError("expected a path without options behind a comma");
  return isPrefixed(path) ? `./${path}` : path;
}

function parseHostPort(text: string, family?: string): string {
  // HAProxy takes what stands behind the last colon for the port, also of a bare IPv6 address.
  const bare = family === "6" && !text.startsWith("[") ? text.replace(/^(.*):/, "[$1]:") : text;
  const [, bracketed, plain, port] = HOST_PORT.exec(bare) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65535) throw expected();
  if (bracketed !== undefined) {
    const address = parseIPv6(bracketed);
    if (address === undefined || family === "4") throw expected();
    return `[${address}]:${Number(port)}`;
  }
  const isName = /^(?=.*[a-z])[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?$/i.test(plain!);
  const address = parseIPv4(plain!);
  if (family === "6" || (address === undefined && !isName)) throw expected();
  const result = `${address ?? plain!.toLowerCase()}:${Number(port)}`;
  if (isPrefixed(result)) {
    throw new SyntaxError(
      `expected the address of the host ${plain}, whose name is a prefix as well`,
    );
  }
  return result;
}

/** Whether the text would be read as a prefix and the rest: a rendered file is read again. */
function isPrefixed(text: string): boolean {
  return [UNIX, TCP, UNKNOWN].some((prefix) => prefix.test(text));
}

function expected(): SyntaxError {
  return new SyntaxError(
    "expected the path of a socket, HOST:PORT, or either as HAProxy and socat write it: " +
      "unix@/PATH, UNIX:/PATH, ipv4@HOST:PORT, TCP:HOST:PORT",
  );
}
