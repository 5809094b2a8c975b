/**
 * Reading values that another machine sent: each reader accepts exactly what it names, within its
 * bounds, and nothing of a refused value comes back in the message.
 *
 * By hand and not with the configuration's schema library: this runs in the server, on what a
 * compromised peer sends, and must refuse at the first fault instead of collecting all of them.
 */

import { parseInstant } from "../time.ts";

/** Reads a value found at `at`, a path such as `peers[1].at`. @throws {SyntaxError} */
export type Reader<T> = (value: unknown, at: string) => T;

function refuse(at: string, expected: string): never {
  throw new SyntaxError(`${at}: expected ${expected}`);
}

/** A string of at most so many characters, of the pattern if one is given. */
export function textUpTo(most: number, pattern?: RegExp, what = "another form"): Reader<string> {
  return (value, at) => {
    if (typeof value !== "string") return refuse(at, "text");
    if (value.length > most) return refuse(at, `at most ${most} characters`);
    return pattern === undefined || pattern.test(value) ? value : refuse(at, what);
  };
}

export function oneOf<const T>(choices: readonly T[]): Reader<T> {
  return (value, at) =>
    choices.find((choice) => choice === value) ?? refuse(at, `one of ${choices.join(", ")}`);
}

export const flag: Reader<boolean> = (value, at) =>
  typeof value === "boolean" ? value : refuse(at, "true or false");

/** A whole number from 0 to `most`. */
export function countTo(most: number): Reader<number> {
  return (value, at) =>
    Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most
      ? value as number
      : refuse(at, `a whole number from 0 to ${most}`);
}

/** An ISO 8601 instant in UTC, to the second; the 30th of February is none. */
export const instant: Reader<string> = (value, at) =>
  typeof value === "string" && INSTANT.test(value) && parseInstant(value)
    ? value
    : refuse(at, "an instant such as 2026-11-25T12:00:00Z");

/** Of four digits for the year: others could not be compared as text. */
const INSTANT = /^\d{4}-/;

export function orNull<T>(read: Reader<T>): Reader<T | null> {
  return (value, at) => value === null ? null : read(value, at);
}

export function listOf<T>(read: Reader<T>, most: number): Reader<T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) return refuse(at, "a list");
    if (value.length > most) return refuse(at, `at most ${most} entries`);
    return value.map((item, i) => read(item, `${at}[${i}]`));
  };
}

/** An object with these members; others, which a later version may add, are left out. */
export function objectOf<T extends object>(readers: { [K in keyof T]: Reader<T[K]> }): Reader<T> {
  return (value, at) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return refuse(at, "an object");
    }
    const entries = Object.entries(readers) as [string, Reader<unknown>][];
    return Object.fromEntries(entries.map(([key, read]) => {
      const member = Object.hasOwn(value, key)
        ? (value as Record<string, unknown>)[key]
        : undefined;
      return [key, read(member, at === "" ? key : `${at}.${key}`)];
    })) as T;
  };
}
