/**
 * The carrying form of the executable: carry.sh, then the Deno runtime and the program as two gzip
 * streams. One file that needs nothing but a shell, coreutils and gzip where it runs.
 *
 * The same inputs give the same bytes: no time, no name and no path goes into it, and compression
 * is the pinned Deno's own rather than that of whatever gzip the building machine has.
 */

/** What goes into the file. */
export interface Cargo {
  version: string;
  runtime: Uint8Array;
  /** `compress(runtime)`; apart, because it takes seconds and the runtime seldom changes. */
  compressedRuntime: Uint8Array;
  /** The modules of the program by their names, which are plain words; the first is started. */
  program: Map<string, Uint8Array>;
  /** Flags of `deno run`; each a single word that means nothing special to a shell. */
  flags: string[];
  /** Names of the variables of the environment that reach the runtime. */
  variables: string[];
}

/** The name of the runtime beside the modules; what `ps` shows. */
const RUNTIME = "acme-lb";

/** A word to a shell, without the colons between the fields. */
const NAME = /^[A-Za-z0-9_.-]+$/;

/** A word to a shell that expands no patterns. */
const FLAG = /^--[A-Za-z0-9_.,:=\/*@[\]-]+$/;

/** A name that a shell can assign to. */
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

// The start takes a fixed number of bytes, so that it can name the place where the cargo begins.
const START_SIZE = 20480;

/**
 * The bytes of the executable. `start` is the text of carry.sh.
 * @throws {RangeError} when the start does not fit, or a name, flag or variable is more than a word
 */
export async function carry(start: string, cargo: Cargo): Promise<Uint8Array> {
  const program = await compress(joined([...cargo.program.values()]));
  const files = [];
  for (const [name, bytes] of [[RUNTIME, cargo.runtime] as const, ...cargo.program]) {
    if (!NAME.test(name)) throw new RangeError(`Cannot carry a file named ${JSON.stringify(name)}`);
    files.push(`${name}:${bytes.length}:${await sha256(bytes)}`);
  }
  const odd = cargo.flags.find((flag) => !FLAG.test(flag));
  if (odd !== undefined) throw new RangeError(`Cannot carry the flag ${JSON.stringify(odd)}`);
  const strange = cargo.variables.find((name) => !VARIABLE.test(name));
  if (strange !== undefined) {
    throw new RangeError(`Cannot carry the variable ${JSON.stringify(strange)}`);
  }
  const text = fillIn(start, {
    VERSION: cargo.version,
    ID: (await sha256(new TextEncoder().encode(files.join()))).slice(0, 32),
    START: START_SIZE,
    FILE_SIZE: START_SIZE + cargo.compressedRuntime.length + program.length,
    FILES: files.join("\n"),
    MAIN: cargo.program.keys().next().value ?? "",
    FLAGS: cargo.flags.join(" "),
    VARIABLES: cargo.variables.join(" "),
  });
  return joined([padded(text), cargo.compressedRuntime, program]);
}

function joined(parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** gzip at its best level, without a name or a time. */
export async function compress(bytes: Uint8Array): Promise<Uint8Array> {
  const { gzipSync } = await import("node:zlib");
  return gzipSync(bytes, { level: 9 });
}

/** The SHA-256 of some bytes, in hexadecimal digits. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as BufferSource);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fillIn(template: string, values: Record<string, string | number>): string {
  return template.replaceAll(/@([A-Z0-9_]+)@/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new RangeError(`Cannot fill in @${name}@: no such value`);
    return String(value);
  });
}

/** The start is left by exec before the shell comes to the padding, a comment all the same. */
function padded(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length + 2 > START_SIZE) {
    throw new RangeError(`Cannot fit the start into ${START_SIZE} bytes: it has ${bytes.length}`);
  }
  const start = new Uint8Array(START_SIZE).fill("#".charCodeAt(0));
  start.set(bytes);
  start[START_SIZE - 1] = "\n".charCodeAt(0);
  return start;
}
