/**
 * The configuration: every key, its default and its limits, in one place.
 *
 * The one place where `valibot` is used. Durations come out in milliseconds, addresses parsed.
 */

import * as v from "valibot";
import { parseIPv4, parseIPv6, parseSocketAddress } from "../address.ts";
import { parseDuration } from "../duration.ts";
import { messageOf } from "../errors.ts";
import { parseHost } from "../host.ts";
import { parsePeer } from "../peer.ts";

/** A string read by a function whose SyntaxError becomes the issue's message. */
function text<T>(parse: (text: string) => T) {
  return v.pipe(
    v.string("expected text"),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value);
      } catch (error) {
        addIssue({ message: `${messageOf(error)}, got ${JSON.stringify(dataset.value)}` });
        return NEVER;
      }
    }),
  );
}

function list<T extends v.GenericSchema>(item: T, most: number) {
  return v.pipe(
    v.array(item, "expected a list"),
    v.maxLength(most, `at most ${most} entries are allowed`),
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
  const schema = v.strictObject(entries, "expected keys and values");
  // Every entry has a default, which the type of a generic `entries` cannot tell.
  return v.optional(schema, {} as v.InferInput<typeof schema>);
}

/** @throws {SyntaxError} unless absolute: a relative path depends on where a unit is started */
export function parseAbsolutePath(value: string): string {
  if (!value.startsWith("/")) throw new SyntaxError("expected an absolute path");
  if (value.includes("\0")) throw new SyntaxError("a path cannot hold a NUL character");
  return value.length > 1 ? value.replace(/\/+$/, "") : value;
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

/** @throws {SyntaxError} */
function parseName(value: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(value)) {
    throw new SyntaxError("expected a name of letters, digits, dots, dashes and underscores");
  }
  return value;
}

const listen = list(text(parseSocketAddress), 16);
const path = text(parseAbsolutePath);

/** All of the file; an empty one gives the defaults. */
export const configSchema = v.strictObject({
  webroot: v.optional(
    v.union(
      [v.pipe(path, v.transform((one) => [one])), v.pipe(list(path, 16), v.minLength(1))],
      "expected an absolute path, or a list of 1 to 16 of them",
    ),
    "/run/acme/acme-challenge",
  ),
  public: section({ listen: v.optional(listen, ["[::]:80"]) }),
  challenge: section({
    listen: v.optional(listen, ["[::]:31080"]),
    allow: v.optional(v.picklist(["any", "peers"], "expected any or peers"), "any"),
  }),
  peers: v.optional(list(text(parsePeer), 64), []),
  lookup: section({
    connect_timeout: v.optional(text(parseTimeout), "1s"),
    timeout: v.optional(text(parseTimeout), "2s"),
  }),
  redirect: section({
    status: v.optional(
      v.picklist(["auto", 301, 302, 307, 308], "expected auto, 301, 302, 307 or 308"),
      "auto",
    ),
    hosts: v.optional(list(text(parseListedHost), 1000), []),
    https_port: v.optional(wholeNumber(1, 65535), 443),
  }),
  metrics: section({ listen: v.optional(listen, []) }),
  certificates: v.optional(list(path, 1000), []),
  haproxy: section({ sockets: v.optional(list(path, 16), []) }),
  limits: section({
    connections: v.optional(wholeNumber(16, 100_000), 4096),
    per_source: v.optional(wholeNumber(1, 100_000), 256),
    fan_outs: v.optional(wholeNumber(4, 10_000), 64),
    per_peer: v.optional(wholeNumber(1, 1000), 32),
    per_suspect_peer: v.optional(wholeNumber(1, 1000), 2),
  }),
  cluster: section({
    interface: v.optional(text(parseName), "eth0"),
    nodes: v.optional(v.record(text(parseName), list(text(parseIpAddress), 16)), {}),
    virtual_addresses: v.optional(list(text(parseIpAddress), 255), []),
    names: v.optional(list(text(parseListedHost), 100), []),
    backends: v.optional(list(text(parsePeer), 256), []),
  }),
}, "expected keys and values");

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
  if (result.success) return { config: result.output };
  return { mistakes: result.issues.flatMap(flatten).map(toMistake) };
}

/** The issues of a union's best branch: the one for lists when a list was given. */
function flatten(issue: v.BaseIssue<unknown>): v.BaseIssue<unknown>[] {
  if (issue.type !== "union" || !issue.issues) return [issue];
  const inner = issue.issues.filter((one) => one.kind === "transformation" || one.path);
  return inner.length > 0 ? inner.map((one) => withPath(issue, one)) : [issue];
}

function withPath(outer: v.BaseIssue<unknown>, inner: v.BaseIssue<unknown>): v.BaseIssue<unknown> {
  const path = [...outer.path ?? [], ...inner.path ?? []];
  return { ...inner, path: path.length > 0 ? path as typeof inner.path : undefined };
}

function toMistake(issue: v.BaseIssue<unknown>): Mistake {
  const path = (issue.path ?? []).map((item) => item.key as string | number);
  const last = issue.path?.at(-1);
  if (issue.type === "strict_object" && issue.expected === "never") {
    const known = Object.keys(keysAt(path.slice(0, -1)));
    return { path, part: "key", message: "unknown key", known };
  }
  const part = last && "origin" in last && last.origin === "key" ? "key" : "value";
  return { path, part, message: issue.message };
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
