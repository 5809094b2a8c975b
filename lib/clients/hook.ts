/**
 * The common shape of every ACME client's hook: what a client says when it has issued something.
 *
 * One file per client turns that client's arguments, environment and standard input into this
 * shape. Nothing here opens a file or believes a path; that is assemble-pem's job.
 */

import { UsageError } from "../errors.ts";

/** How the hook was called. */
export interface HookCall {
  args: string[];
  env: (name: string) => string | undefined;
  /** All of standard input; asked for only by clients that send something. */
  stdin: () => Promise<string>;
}

/** One certificate that the client has just obtained: where its parts are. */
export interface IssuedFiles {
  /** File name without suffix for `--out-dir`; see {@link fileStem}. */
  stem: string;
  key: string;
  /** Leaf first. */
  certificates: string[];
  /** The issuer's certificate, where the client may or may not have written it. */
  issuer?: string;
}

/**
 * - `issued`: what to install, nothing at all included
 * - `ignored`: an event that is not for us, and the exit code by which the client learns that
 */
export type HookOutcome =
  | { kind: "issued"; certificates: IssuedFiles[] }
  | { kind: "ignored"; exitCode: number };

/** @throws {UsageError} when it was not called the way its client does */
export type Hook = (call: HookCall) => HookOutcome | Promise<HookOutcome>;

/**
 * A file name from a certificate's name: `*` becomes `_` as lego does it, colons of an IPv6
 * address become dashes.
 * @throws {UsageError} for what could leave the directory, or be hidden or special in it
 */
export function fileStem(name: string): string {
  const stem = name.replace(/^\*\./, "_.").replaceAll(":", "-");
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/.test(stem)) {
    throw new UsageError(`${JSON.stringify(name.slice(0, 200))} cannot be part of a file name`);
  }
  return stem;
}

/** @throws {UsageError} saying how the hook is meant to be called */
export function requiredVariable(
  { env }: HookCall,
  name: string,
  client: string,
): string {
  const value = env(name);
  if (value) return value;
  throw new UsageError(`${name} is not set; is this called as ${client}?`);
}

/** The last part of a path, `/` at its end or not. */
export function lastPart(path: string): string {
  return path.replace(/\/+$/, "").split("/").at(-1)!;
}
