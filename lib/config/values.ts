/**
 * The values of the configuration as text: what each may look like, and what it means.
 *
 * Every function throws a SyntaxError whose message says what is expected; schema.ts adds where
 * the value stands and what was found there.
 */

import {
  comparableAddress,
  isWildcard,
  parseIPv4,
  parseIPv6,
  parseNetwork,
  parseSocketAddress,
  type SocketAddress,
} from "../address.ts";
import { parseHost } from "../host.ts";
import { isSocketPath, parseRuntimeAddress } from "../runtime_address.ts";
import { parseDuration } from "../time.ts";

/** @throws {SyntaxError} unless absolute: a relative path depends on where a unit is started */
export function parseAbsolutePath(value: string): string {
  if (!value.startsWith("/")) throw new SyntaxError("expected an absolute path");
  if (value.includes("\0")) throw new SyntaxError("a path cannot hold a NUL character");
  return value.replace(/(?<=.)\/+$/, "");
}

/** @throws {SyntaxError} unless it is one of HAProxy's addresses, and absolute where it is a path */
export function parseRuntimeSocket(value: string): string {
  const address = parseRuntimeAddress(value);
  return isSocketPath(address) ? parseAbsolutePath(address) : address;
}

/** A host name, or `*.` before one. @throws {SyntaxError} */
export function parseListedHost(value: string): string {
  const wild = value.startsWith("*.");
  const host = parseHost(wild ? value.slice(2) : value);
  if (host === undefined || /:\d*$/.test(value.replace(/\[.*\]/, ""))) {
    throw new SyntaxError("expected a host name, *.suffix or [IPv6], without port");
  }
  return wild ? `*.${host}` : host;
}

/** The text itself, which {@link parseNetwork} reads. @throws {SyntaxError} */
export function parseListedNetwork(value: string): string {
  parseNetwork(value);
  return value;
}

/** A name that a TLS server is asked for: no address (RFC 6066 section 3). @throws {SyntaxError} */
export function parseServerName(value: string): string {
  const host = /[:[]/.test(value) ? undefined : parseHost(value);
  if (host === undefined || parseIPv4(host)) throw new SyntaxError("expected a host name or false");
  return host;
}

/** @throws {SyntaxError} */
export function parseIpAddress(value: string): string {
  const address = parseIPv4(value) ?? parseIPv6(value);
  if (address === undefined) throw new SyntaxError("expected an IP address without port");
  // IPv4 in IPv6 spelling is IPv4; a zone is kept.
  const comparable = comparableAddress(address);
  return comparable.includes(":") ? address : comparable;
}

/** Where a solver listens; see solver_rules.ts for what it must not be. @throws {SyntaxError} */
export function parseSolver(value: string): SocketAddress {
  const { hostname, port } = parseSocketAddress(value);
  if (isWildcard(comparableAddress(hostname))) {
    throw new SyntaxError("a solver needs one address; write for example 127.0.0.1:31081");
  }
  if (port === 0) throw new SyntaxError("port 0 cannot be asked; give the solver's real port");
  return { hostname, port };
}

/** Milliseconds. @throws {SyntaxError} */
export function parseTimeout(value: string): number {
  const ms = parseDuration(value);
  if (ms < 10 || ms > 60_000) throw new SyntaxError("expected a duration from 10ms to 60s");
  return ms;
}

/** Milliseconds; keepalived takes whole seconds up to 1000. @throws {SyntaxError} */
export function parsePreemptDelay(value: string): number {
  const ms = parseDuration(value);
  if (ms > 1_000_000 || ms % 1000 !== 0) {
    throw new SyntaxError("expected whole seconds, from 0s to 1000s");
  }
  return ms;
}

/** Milliseconds; RFC 6797 section 6.1.1 counts whole seconds. @throws {SyntaxError} */
export function parseHstsAge(value: string): number {
  const ms = parseDuration(value);
  if (ms % 1000 !== 0) throw new SyntaxError("expected whole seconds, such as 30d");
  return ms;
}

/** Takes text of the pattern as it is. */
function matching(pattern: RegExp, expected: string): (value: string) => string {
  return (value) => {
    if (!pattern.test(value)) throw new SyntaxError(`expected ${expected}`);
    return value;
  };
}

/** The path of a URL, with or without a query. @throws {SyntaxError} */
export const parseUrlPath = matching(
  /^\/[A-Za-z0-9/._~%!&()*+,;=:@?-]{0,255}$/,
  "a URL's path, such as /status",
);

/** The name of a balancer. @throws {SyntaxError} */
export const parseNodeName = matching(
  /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/,
  "a name of letters, digits, dots, dashes and underscores",
);

const plainInterface = matching(
  /^[A-Za-z0-9][A-Za-z0-9_.-]*$/,
  "an interface such as eth0, of letters, digits, dots and dashes",
);

/** A network interface, as Linux names them: at most 15 characters (IFNAMSIZ). @throws {SyntaxError} */
export function parseInterface(value: string): string {
  if (value.length > 15) {
    throw new SyntaxError(
      `an interface's name has at most 15 characters, this one ${value.length}`,
    );
  }
  return plainInterface(value);
}

/** A path that keepalived's include takes, with or without wildcards. @throws {SyntaxError} */
export const parseInclude = matching(
  /^\/[A-Za-z0-9/._+@*?[\]-]*$/,
  "an absolute path without blanks or quotes, such as /etc/keepalived/local.conf",
);

/** An address that a CA can write to. @throws {SyntaxError} */
export function parseEmail(value: string): string {
  const [local = "", host = "", ...rest] = value.split("@");
  const good = rest.length === 0 && /^[A-Za-z0-9._+-]{1,64}$/.test(local) &&
    parseHost(host) !== undefined && /[a-z]/i.test(host) && !/[:[]/.test(host);
  if (!good) throw new SyntaxError("expected an email address such as ops@example.com");
  return value;
}
