/**
 * How the last run of the ACME client's hook ended, for each PEM file that it writes: a small file
 * that `assemble-pem` leaves and `serve` reads.
 *
 * A client logs a failing hook somewhere and goes on; the next thing that anybody sees is an expired
 * certificate. The server's unit makes the directory (StateDirectory=): it belongs to the server's
 * user, mode 0755, so root needs CAP_DAC_OVERRIDE, which a unit may take away. Where it is missing
 * nothing is kept, and a hook never fails for it. One file for each target,
 * so that hooks that run at once need no lock. Nothing secret stands there: the reason is the text
 * that assemble-pem prints, which never holds key material.
 */

import { atomicWrite } from "../atomic_write.ts";
import type { BoundedFiles } from "../bounded_files.ts";
import { tryToRead } from "../read_input.ts";
import { orSilent, SilentFileError } from "../silent_file.ts";
import { isoSeconds } from "../time.ts";
import { BOUNDS, type HookRun } from "./balancer_report.ts";
import { clip } from "../clip.ts";
import { flag, instant, listOf, objectOf, orNull, textUpTo } from "./value_reader.ts";

/** @default of the configuration's `state` */
export const STATE_DIRECTORY = "/var/lib/acme-lb";

const FILE = /^hook-[0-9a-f]{16}\.json$/;
/** Files that are looked at; one balancer has few certificates. */
const MOST_FILES = 200;

/** For what a run leaves: a hook must not hang after its work because of a dead disk. */
const PATIENCE_MS = 5_000;

/** What is public of a certificate. */
export interface LeftLeaf {
  names: string[];
  serial: string;
  issuer: string;
  not_before: string;
  not_after: string;
}

export interface HookState extends HookRun {
  /** When a run last put another certificate in place; null: none has yet. */
  renewed_at: string | null;
  /**
   * The certificate that the last good run found or put in place; null: none has yet. Told by
   * `serve`, which may not read HAProxy's files: they hold keys.
   */
  leaf: LeftLeaf | null;
}

/** What a run came to; `renewed`: the file was written, so the certificate is another one. */
export interface FinishedRun extends Omit<HookRun, "at"> {
  renewed: boolean;
  /** The certificate that is in place now; undefined when the run failed. */
  leaf?: LeftLeaf;
}

const readState = objectOf<HookState>({
  at: instant,
  ok: flag,
  client: textUpTo(32, /^[\w.-]+$/, "the name of a client"),
  out: textUpTo(BOUNDS.word),
  text: textUpTo(BOUNDS.text),
  renewed_at: orNull(instant),
  leaf: orNull(objectOf<LeftLeaf>({
    names: listOf(textUpTo(BOUNDS.word), BOUNDS.names),
    serial: textUpTo(64, /^[0-9A-F]+$/, "hexadecimal digits"),
    issuer: textUpTo(BOUNDS.word),
    not_before: instant,
    not_after: instant,
  })),
});

/**
 * Leaves the outcome of a run for `serve` to find.
 * @returns why it could not; undefined when it could, and when there is no such directory
 */
export async function leaveHookState(
  directory: string,
  run: FinishedRun,
  { now = Date.now } = {},
): Promise<string | undefined> {
  const path = `${directory}/hook-${await digestOf(run.out)}.json`;
  try {
    return await orSilent(leave(run, { directory, path, now }), PATIENCE_MS);
  } catch (error) {
    if (error instanceof SilentFileError) return `${path} ${error.message}`;
    return error instanceof Deno.errors.NotFound ? undefined : `${path} was not written`;
  }
}

async function leave(
  { renewed, leaf, ...run }: FinishedRun,
  { directory, path, now }: { directory: string; path: string; now: () => number },
): Promise<string | undefined> {
  if (!(await Deno.lstat(directory)).isDirectory) return `${directory} is no directory`;
  const at = isoSeconds(new Date(now()));
  const before = await readStateFile(path);
  const state: HookState = {
    at,
    ...run,
    out: clip(run.out, BOUNDS.word),
    text: clip(run.text, BOUNDS.text),
    renewed_at: renewed ? at : before?.renewed_at ?? null,
    leaf: leaf ? clipped(leaf) : before?.leaf ?? null,
  };
  await atomicWrite(path, JSON.stringify(state) + "\n", { mode: 0o644, replaceLink: true });
  return undefined;
}

/**
 * The last run for each target; what is damaged or not readable is left out. Never rejects.
 * @param files what the server reads files with, which counts the threads that silence costs it
 */
export async function readHookStates(
  directory: string,
  files: Pick<BoundedFiles, "list" | "read">,
): Promise<HookState[]> {
  const entries = await files.list(directory).catch(() => []);
  const names = entries.map(({ name }) => name).filter((name) => FILE.test(name));
  const states = await Promise.all(
    names.slice(0, MOST_FILES).map((name) => readStateFile(`${directory}/${name}`, files.read)),
  );
  return states.filter((state) => state !== undefined);
}

/** The run to tell of: the last that failed and has not succeeded since, else the last. */
export function runToTell(states: readonly HookState[]): HookRun | null {
  const newest = states.toSorted((a, b) => a.at < b.at ? 1 : -1);
  const told = newest.find(({ ok }) => !ok) ?? newest[0];
  if (!told) return null;
  const { at, ok, client, out, text } = told;
  return { at, ok, client, out, text };
}

function clipped({ names, issuer, ...leaf }: LeftLeaf): LeftLeaf {
  return {
    ...leaf,
    names: names.slice(0, BOUNDS.names).map((name) => clip(name, BOUNDS.word)),
    issuer: clip(issuer, BOUNDS.word),
  };
}

/** The file of a target may be read by all, so its name must not depend on who asks. */
async function digestOf(out: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(out));
  return new Uint8Array(hash).slice(0, 8).toHex();
}

async function readStateFile(
  path: string,
  read: typeof tryToRead = tryToRead,
): Promise<HookState | undefined> {
  const found = await read(path);
  if (!("bytes" in found)) return undefined;
  try {
    return readState(JSON.parse(new TextDecoder().decode(found.bytes)), "");
  } catch {
    return undefined;
  }
}
