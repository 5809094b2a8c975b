/**
 * The files that paths, directories and patterns stand for, each once and in a fixed order.
 *
 * Nothing is passed over in silence: what cannot be looked at is a find with its problem, and what
 * is left out on purpose is noted. Nothing is opened here; pipes and devices never are, since
 * opening one may wait for ever.
 */

import { globMatcher, isGlob } from "./glob.ts";
import { errnoOf, systemReason } from "./system_reason.ts";

/** A file to read, or why it cannot be. */
export interface Find {
  path: string;
  /** One sentence; undefined for a regular file. */
  problem?: string;
  /** Met in a directory or by a pattern, not named by the operator. */
  met: boolean;
}

export interface Found {
  files: Find[];
  /** What was left out, and why. */
  notes: string[];
}

export interface LeftOut {
  note?: string;
}

export interface FindOptions {
  /** A name met in a directory or by a pattern that is left out, and the note, if one is due. */
  leaveOut: (name: string) => LeftOut | undefined;
}

/** Looks each path up. Never throws for what the file system holds or answers. */
export async function findFiles(paths: string[], options: FindOptions): Promise<Found> {
  const found: Found = { files: [], notes: [] };
  const search: Search = { ...options, ...found, directories: new Set(), paths: new Set() };
  for (const path of new Set(paths.map(withoutFinalSlash))) {
    const before = found.files.length;
    const info = await look(path);
    if ("problem" in info && info.missing && isGlob(path)) {
      for (const match of await expand(path, search)) await visit(match, { search, met: true });
      if (found.files.length === before) {
        add({ path, met: false, problem: "no file to check fits this pattern" }, search);
      }
    } else {
      await visit(path, { search, met: false });
    }
  }
  return found;
}

/** A link to / must not keep a check busy for a day. */
const MAX_FILES = 100_000;

interface Search extends FindOptions, Found {
  /** Those searched already, as device and inode: links may lead back to them. */
  directories: Set<string>;
  /** Those found already. */
  paths: Set<string>;
}

async function visit(
  path: string,
  { search, met }: { search: Search; met: boolean },
): Promise<void> {
  const info = await look(path);
  if ("problem" in info) add({ path, met, problem: info.problem }, search);
  else if (info.isFile) add({ path, met }, search);
  else if (info.isDirectory) {
    await visitDirectory(path, { search, met, key: `${info.dev} ${info.ino}` });
  } else {
    add({ path, met, problem: "is a pipe, socket or device; it was not opened" }, search);
  }
}

async function visitDirectory(
  path: string,
  { search, met, key }: { search: Search; met: boolean; key: string },
): Promise<void> {
  if (search.directories.has(key)) {
    search.notes.push(`${path}: leads to a directory that is checked already`);
    return;
  }
  search.directories.add(key);
  const before = search.files.length;
  const entries = await list(path);
  if ("problem" in entries) {
    add({ path, met, problem: entries.problem }, search);
    return;
  }
  for (const { name, isFile } of entries) {
    if (search.files.length > MAX_FILES) return;
    const inside = `${path === "/" ? "" : path}/${name}`;
    const left = search.leaveOut(name);
    if (left) noteLeftOut(inside, { left, search });
    else if (isFile) add({ path: inside, met: true }, search);
    else await visit(inside, { search, met: true });
  }
  if (!met && search.files.length === before) {
    add({ path, met, problem: "no file to check is in it" }, search);
  }
}

function noteLeftOut(
  path: string,
  { left: { note }, search }: { left: LeftOut; search: Search },
): void {
  if (note !== undefined) search.notes.push(`${path}: ${note}`);
}

/** What the parts of a pattern fit, in order; names that are to be left out are noted. */
async function expand(pattern: string, search: Search): Promise<string[]> {
  let bases = [pattern.startsWith("/") ? "/" : ""];
  const parts = pattern.split("/").filter((part) => part !== "");
  for (const [index, part] of parts.entries()) {
    const next: string[] = [];
    for (const base of bases) {
      if (!isGlob(part)) {
        next.push(`${base}${part}`);
        continue;
      }
      const entries = await list(base || ".");
      if ("problem" in entries) {
        if (!entries.missing) add({ path: base, met: true, problem: entries.problem }, search);
        continue;
      }
      const fits = globMatcher(part);
      for (const { name } of entries.filter(({ name }) => fits(name))) {
        const left = search.leaveOut(name);
        if (left) noteLeftOut(`${base}${name}`, { left, search });
        else next.push(`${base}${name}`);
      }
    }
    bases = index < parts.length - 1 ? next.map((path) => `${path}/`) : next;
  }
  const present = [];
  for (const path of bases) {
    const info = await look(path);
    if (!("problem" in info) || !info.missing || isGlob(parts.at(-1)!)) present.push(path);
  }
  return present;
}

/** In the order of code units, which no locale changes. */
async function list(
  path: string,
): Promise<Deno.DirEntry[] | { problem: string; missing: boolean }> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(path));
    return entries.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  } catch (error) {
    const problem = `the directory cannot be read: ${systemReason(error)}`;
    return { problem, missing: isMissing(error) };
  }
}

/** What stands at the end of the links. */
async function look(
  path: string,
): Promise<Deno.FileInfo | { problem: string; missing: boolean }> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      return { problem: `cannot be read: ${systemReason(error)}`, missing: isMissing(error) };
    }
    const link = await Deno.readLink(path).catch(() => undefined);
    if (link !== undefined) {
      return { problem: `is a symbolic link to ${link}, which does not exist`, missing: false };
    }
    return { problem: missingProblem(path), missing: true };
  }
}

function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "");
}

/** Why a path that was listed, or named, is not there. */
export function missingProblem(path: string): string {
  return path.includes("\ufffd")
    ? "has a name that is not UTF-8, so it cannot be opened: rename it"
    : "there is no such file";
}

/** Two names that are not UTF-8 may be shown alike; any other path comes once. */
function add(find: Find, { files, paths }: Search): void {
  if (paths.has(find.path) && !find.path.includes("\ufffd")) return;
  if (files.length === MAX_FILES) {
    files.push({ path: find.path, met: true, problem: `is one of more than ${MAX_FILES} files` });
  }
  if (files.length > MAX_FILES) return;
  paths.add(find.path);
  files.push(find);
}

function withoutFinalSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}
