/**
 * The common shape of every ACME client's hook: what a client says when it has issued something.
 *
 * One file per client turns that client's arguments, environment and standard input into this
 * shape. Nothing here opens a file or trusts a path; assemble-pem does that.
 */

import { UsageError } from "../errors.ts";

/** A client; everything about it is in its one file. */
export interface Client {
  hook: Hook;
  /** The variables of its hook's environment that are read; the executable may read no others. */
  variables: readonly string[];
  /** Who sets them, for the manual: `Set by certbot.` */
  setBy: string;
}

/** How the hook was called. */
export interface HookCall {
  args: string[];
  env: (name: string) => string | undefined;
  /** All of standard input; asked for only by clients that send something. */
  stdin: () => Promise<string>;
}

/** One certificate that the client has: where its parts are. */
export interface IssuedFiles {
  /** The client's name for it; see {@link fileStem}. */
  name: string;
  key: string;
  /** Leaf first. */
  certificates: string[];
  /** The issuer's certificate, where the client may or may not have written it. */
  issuer?: string;
}

/**
 * - `issued`: what to install, possibly nothing; `again` when the client calls the hook for
 *   certificates that it has reported before, so that only missing work is done, without output
 * - `ignored`: an event that needs no work, and the exit code that tells the client so
 */
export type HookOutcome =
  | { kind: "issued"; certificates: IssuedFiles[]; again?: boolean }
  | { kind: "ignored"; exitCode: number };

/** @throws {UsageError} when it was not called the way its client does */
export type Hook = (call: HookCall) => HookOutcome | Promise<HookOutcome>;

/**
 * A file name from a client's name for a certificate, which is a domain or a word chosen by the
 * operator. International names get their xn-- form, as in certificates; any character other than a
 * letter, digit, dot, dash or underscore becomes an underscore, `*` as lego does it; colons of an
 * IPv6 address become dashes.
 * @throws {UsageError} for what could leave the directory, or be hidden or special in it
 */
export function fileStem(name: string): string {
  const plain = name.replaceAll(":", "-").replace(
    /[^A-Za-z0-9._\-/\p{Cc}\u0080-\u{10ffff}]/gu,
    "_",
  );
  const stem = /^[\x20-\x7e]*$/.test(plain) ? plain : asciiName(plain);
  if (!stem || !/^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/.test(stem)) {
    throw new UsageError(`${JSON.stringify(name.slice(0, 200))} cannot be part of a file name`);
  }
  return stem;
}

/** The xn-- form by the rules of the web (UTS 46); undefined when there is none. */
function asciiName(name: string): string | undefined {
  if (/[/\p{Cc}]/u.test(name)) return undefined;
  return URL.parse(`http://${name}`)?.hostname;
}

/** @throws {UsageError} saying how the hook is meant to be called */
export function requiredVariable({ env }: HookCall, name: string, client: string): string {
  const value = env(name);
  if (value) return value;
  throw new UsageError(`${name} is not set; is this called as ${client}?`);
}

/** @throws {UsageError} when the hook does not pass its arguments on, of which the first is the event */
export function requiredEvent({ args: [event] }: HookCall, client: string): string {
  if (event !== undefined) return event;
  throw new UsageError(
    `${client}'s event is missing; the hook must pass its arguments on: -- "$@"`,
  );
}

/** The last part of a path, `/` at its end or not. */
export function lastPart(path: string): string {
  return path.replace(/\/+$/, "").split("/").at(-1)!;
}
