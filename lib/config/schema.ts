/**
 * The configuration: every key, its default and its limits, in one place.
 *
 * The one place where `valibot` is used. Durations come out in milliseconds, addresses parsed.
 */

import * as v from "valibot";
import {
  comparableAddress,
  formatSocketAddress,
  parseIPv4,
  parseIPv6,
  parseSocketAddress,
  type SocketAddress,
} from "../address.ts";
import { parseDuration } from "../time.ts";
import { messageOf } from "../errors.ts";
import { parseHost } from "../host.ts";
import { parsePeer } from "../peer.ts";

const KEYS_EXPECTED = "expected lines of `key: value`";

/**
 * A string read by a function whose SyntaxError becomes the issue's message; `what` says what is
 * expected of a value that is no string at all.
 */
function text<T>(what: string, parse: (text: string) => T) {
  return v.pipe(
    v.string(`expected ${what}`),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value);
      } catch (error) {
        addIssue({ message: messageOf(error) });
        return NEVER;
      }
    }),
  );
}

function list<T extends v.GenericSchema>(item: T, { most, like }: { most: number; like: string }) {
  return v.pipe(
    v.array(item, `expected a list such as [${like}]`),
    v.maxLength(most, `expected at most ${most} entries`),
  );
}

function wholeNumber(least: number, most: number) {
  const message = `expected a whole number from ${least} to ${most}`;
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(least, message),
    v.maxValue(most, message),
  );
}

function section<T extends v.ObjectEntries>(entries: T) {
  const schema = v.strictObject(entries, KEYS_EXPECTED);
  // Every entry has a default, which the type of a generic `entries` cannot tell.
  return v.nullish(schema, {} as v.InferInput<typeof schema>);
}

/** @throws {SyntaxError} unless absolute: a relative path depends on where a unit is started */
export function parseAbsolutePath(value: string): string {
  if (!value.startsWith("/")) throw new SyntaxError("expected an absolute path");
  if (value.includes("\0")) throw new SyntaxError("a path cannot hold a NUL character");
  return value.replace(/(?<=.)\/+$/, "");
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

/** @throws {SyntaxError} */
function parseIpAddress(value: string): string {
  const address = parseIPv4(value) ?? parseIPv6(value);
  if (address === undefined) throw new SyntaxError("expected an IP address without port");
  return address;
}

/** @throws {SyntaxError} */
function parseTimeout(value: string): number {
  const ms = parseDuration(value);
  if (ms < 10 || ms > 60_000) throw new SyntaxError("expected a duration from 10ms to 60s");
  return ms;
}

/** The path of a URL, with or without a query. @throws {SyntaxError} */
function parseUrlPath(value: string): string {
  if (!/^\/[A-Za-z0-9/._~%!&()*+,;=:@?-]{0,255}$/.test(value)) {
    throw new SyntaxError("expected a URL's path, such as /status");
  }
  return value;
}

/** @throws {SyntaxError} */
function parseName(value: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(value)) {
    throw new SyntaxError("expected a name of letters, digits, dots, dashes and underscores");
  }
  return value;
}

const path = text("an absolute path", parseAbsolutePath);
const paths = list(path, { most: 16, like: "/run/acme/acme-challenge" });
const host = text("a host name", parseListedHost);
const listen = list(text('an address such as "[::]:80"', parseSocketAddress), {
  most: 16,
  like: '"[::]:80"',
});
const ipAddresses = (most: number) =>
  list(text("an IP address", parseIpAddress), { most, like: '"2001:db8::1"' });
const peers = (most: number) =>
  list(text('an address such as "[2001:db8::f001]:31080"', parsePeer), {
    most,
    like: '"[2001:db8::f001]:31080"',
  });
const timeout = text("a duration such as 500ms or 2s", parseTimeout);

/** All of the file; an empty one, and any key with nothing after it, gives the defaults. */
export const configSchema = v.strictObject({
  webroot: v.nullish(
    v.lazy((value) =>
      Array.isArray(value)
        ? v.pipe(paths, v.minLength(1, "expected at least one entry"))
        : v.pipe(path, v.transform((one) => [one]))
    ),
    "/run/acme/acme-challenge",
  ),
  public: section({ listen: v.nullish(listen, ["[::]:80"]) }),
  challenge: section({
    listen: v.nullish(listen, ["[::]:31080"]),
    allow: v.nullish(v.picklist(["any", "peers"], "expected any or peers"), "any"),
  }),
  peers: v.nullish(peers(64), []),
  lookup: section({
    connect_timeout: v.nullish(timeout, "1s"),
    timeout: v.nullish(timeout, "2s"),
  }),
  redirect: section({
    status: v.nullish(
      v.picklist(["auto", 301, 302, 307, 308], "expected auto, 301, 302, 307 or 308"),
      "auto",
    ),
    hosts: v.nullish(list(host, { most: 1000, like: "service.example" }), []),
    https_port: v.nullish(wholeNumber(1, 65535), 443),
  }),
  metrics: section({ listen: v.nullish(listen, []) }),
  certificates: v.nullish(list(path, { most: 1000, like: "/etc/haproxy/certs" }), []),
  state: v.nullish(path, "/var/lib/acme-lb"),
  haproxy: section({
    sockets: v.nullish(list(path, { most: 16, like: "/run/haproxy/admin.sock" }), []),
  }),
  limits: section({
    connections: v.nullish(wholeNumber(16, 100_000), 4096),
    per_source: v.nullish(wholeNumber(1, 100_000), 256),
    fan_outs: v.nullish(wholeNumber(4, 10_000), 64),
    per_peer: v.nullish(wholeNumber(1, 1000), 32),
    per_suspect_peer: v.nullish(wholeNumber(1, 1000), 2),
  }),
  cluster: section({
    interface: v.nullish(text("a name", parseName), "eth0"),
    nodes: v.nullish(
      v.record(text("a name", parseName), ipAddresses(16), "expected names, each with addresses"),
      {},
    ),
    virtual_addresses: v.nullish(ipAddresses(255), []),
    names: v.nullish(list(host, { most: 100, like: "service.example" }), []),
    virtual_router_id: v.nullish(wholeNumber(1, 255), 1),
    backends: v.nullish(peers(256), []),
    backend_check: v.nullish(text("a URL's path", parseUrlPath), "/status"),
    backend_tls: v.nullish(v.boolean("expected true or false"), true),
    backend_ca: v.nullish(path, "/etc/haproxy/backend-ca.pem"),
  }),
}, KEYS_EXPECTED);

export type Config = v.InferOutput<typeof configSchema>;

/** One mistake: where in the document, whether the key itself is meant, and what is wrong. */
export interface Mistake {
  path: (string | number)[];
  part: "key" | "value";
  message: string;
  /** For an unknown key, the keys that may stand there. */
  known?: string[];
}

/** The configuration in a plain value, or every mistake in it. */
export function readConfig(
  value: unknown,
): { config: Config; mistakes?: undefined } | { mistakes: Mistake[] } {
  const result = v.safeParse(configSchema, value ?? {});
  if (result.success) {
    const mistakes = overlaps(result.output);
    return mistakes.length > 0 ? { mistakes } : { config: result.output };
  }
  const mistakes = result.issues.flatMap(toMistakes);
  // A value may break several rules of one message.
  return { mistakes: [...new Map(mistakes.map((one) => [JSON.stringify(one), one])).values()] };
}

function toMistakes(issue: v.BaseIssue<unknown>): Mistake[] {
  const items = issue.path ?? [];
  const path = items.map((item) => item.key as string | number);
  // Valibot takes a list for an object whose keys are numbers.
  const list = items.findIndex(({ type, input }) => type === "object" && Array.isArray(input));
  if (list >= 0) {
    const message = `${KEYS_EXPECTED}, got a list`;
    return [{ path: path.slice(0, list), part: "value", message }];
  }
  const last = items.at(-1);
  if (issue.type === "strict_object" && issue.expected === "never") {
    // Valibot stops at the first unknown key of a section.
    const section = path.slice(0, -1);
    const known = Object.keys(keysAt(section));
    return Object.keys(last!.input as object).filter((key) => !known.includes(key))
      .map((key) => ({ path: [...section, key], part: "key", message: "unknown key", known }));
  }
  const part = last && "origin" in last && last.origin === "key" ? "key" : "value";
  const got = issue.type === "max_length" ? issue.received : shown(issue.input);
  return [{ path, part, message: `${issue.message}, got ${got}` }];
}

/** A value as an operator would recognise it; whoever prints it escapes it. */
function shown(value: unknown): string {
  if (value == null) return "nothing";
  if (Array.isArray(value)) return value.length > 0 ? "a list" : "an empty list";
  if (typeof value === "object") return "keys and values";
  const text = typeof value === "string" ? `"${value}"` : String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** The entries of the section that a path leads to. */
function keysAt(path: (string | number)[]): v.ObjectEntries {
  let entries = configSchema.entries as v.ObjectEntries;
  for (const step of path) {
    const schema = entries[String(step)] as { wrapped?: { entries?: v.ObjectEntries } } | undefined;
    entries = schema?.wrapped?.entries ?? {};
  }
  return entries;
}

/**
 * A mistake for each listener that overlaps one before it, which the kernel will not bind.
 *
 * Found here, at their line, because bind() could only say that some process has the port, and the
 * operator would look for another one. Flags may still bring such a pair about; bind() refuses it.
 */
function overlaps(config: Config): Mistake[] {
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

/** How Linux judges it; a dual-stack `::` takes IPv4 as well. Port 0 is another each time. */
function overlap(a: SocketAddress, b: SocketAddress): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  const [one, two] = [comparableAddress(a.hostname), comparableAddress(b.hostname)];
  const covers = (wide: string, narrow: string) =>
    wide === "::" || (wide === "0.0.0.0" && !narrow.includes(":"));
  return one === two || covers(one, two) || covers(two, one);
}
