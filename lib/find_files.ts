/**
 * The files that paths, directories and patterns stand for, each once and in a fixed order.
 *
 * Nothing is skipped silently: a file that cannot be examined is a find with its problem, and a
 * file that is skipped on purpose gets a note. Nothing is opened here; pipes and devices never are,
 * because opening one may block forever.
 */

import type { BoundedFiles } from "./bounded_files.ts";
import { SilentFileError } from "./silent_file.ts";
import { ANY_DEPTH, globMatcher, isGlob, pathMatcher } from "./glob.ts";
import { isMissing, systemReason } from "./system_reason.ts";

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

interface FindOptions {
  files: BoundedFiles;
  /** A name met in a directory or by a pattern that is left out, and the note, if one is due. */
  leaveOut: (name: string) => LeftOut | undefined;
  /** Patterns of names and paths that are left out wherever they are met, or named. */
  exclude?: string[];
}

/** Looks each path up. Never throws for what the file system holds or answers. */
export async function findFiles(
  paths: string[],
  { files: system, leaveOut, exclude = [] }: FindOptions,
): Promise<Found> {
  const found: Found = { files: [], notes: [] };
  const excluded = exclude.map(pathMatcher);
  const search: Search = {
    ...{ ...found, system, leaveOut, directories: new Set(), paths: new Set() },
    excludes: (path) => excluded.some((fits) => fits(path)),
  };
  const wanted = [...new Set(paths.map(withoutFinalSlash))];
  // All at once, because each of several dead disks takes the whole deadline.
  const looks = await Promise.all(wanted.map((path) => look(path, search)));
  for (const [i, path] of wanted.entries()) {
    const info = looks[i]!;
    const before = found.files.length;
    const missing = "problem" in info && info.missing;
    if (!missing || !isGlob(path)) await visit(path, { search, met: false, info });
    if (!isGlob(path)) continue;
    // A file may have the pattern for its name: clients store wildcards as *.example.pem.
    for (const match of await expand(path, search)) await visit(match, { search, met: true });
    if (found.files.length === before) {
      add({ path, met: false, problem: "no file to check fits this pattern" }, search);
    }
  }
  return found;
}

/** A link to / must not make a check run for a day. */
const MAX_FILES = 100_000;

interface Search extends Found {
  system: BoundedFiles;
  leaveOut: FindOptions["leaveOut"];
  excludes: (path: string) => boolean;
  /** Those searched already, as device and inode: links may lead back to them. */
  directories: Set<string>;
  /** Those found already. */
  paths: Set<string>;
}

type Look = Deno.FileInfo | { problem: string; missing: boolean };

async function visit(
  path: string,
  { search, met, info: known }: { search: Search; met: boolean; info?: Look },
): Promise<void> {
  if (search.excludes(path)) {
    search.notes.push(`${path}: excluded`);
    return;
  }
  const info = known ?? await look(path, search);
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
  const entries = await list(path, search);
  if ("problem" in entries) {
    add({ path, met, problem: entries.problem }, search);
    return;
  }
  for (const { name, isFile } of entries) {
    if (search.files.length > MAX_FILES) return;
    const inside = `${path === "/" ? "" : path}/${name}`;
    const left = search.leaveOut(name);
    if (left) noteLeftOut(inside, { left, search });
    else if (isFile && !search.excludes(inside)) add({ path: inside, met: true }, search);
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
    const last = index === parts.length - 1;
    const next: string[] = [];
    for (const base of bases) {
      if (part === ANY_DEPTH) {
        // At the end it is every file below, which visiting the directory finds.
        next.push(
          ...last ? [withoutFinalSlash(base || ".")] : await directoriesBelow(base, search),
        );
      } else if (!isGlob(part)) next.push(`${base}${part}`);
      else next.push(...await namesThatFit(part, { base, search }));
    }
    bases = last || part === ANY_DEPTH ? next : next.map((path) => `${path}/`);
  }
  const present = [];
  for (const path of new Set(bases)) {
    const info = await look(path, search);
    if (!("problem" in info) || !info.missing || isGlob(parts.at(-1)!)) present.push(path);
  }
  return present;
}

async function namesThatFit(
  part: string,
  { base, search }: { base: string; search: Search },
): Promise<string[]> {
  const fits = globMatcher(part);
  const entries = await listBelow(base, search);
  return entries.filter(({ name }) => fits(name)).flatMap(({ name }) => {
    const left = search.leaveOut(name);
    if (left) noteLeftOut(`${base}${name}`, { left, search });
    return left ? [] : [`${base}${name}`];
  });
}

/** The base and all directories below it, as beginnings of paths; links are not followed. */
async function directoriesBelow(base: string, search: Search): Promise<string[]> {
  const all = [base];
  for (const directory of all) {
    const entries = await listBelow(directory, search);
    const inside = entries.filter(({ isDirectory, name }) =>
      isDirectory && !name.startsWith(".") && !search.excludes(`${directory}${name}`)
    );
    all.push(...inside.map(({ name }) => `${directory}${name}/`));
    if (all.length > MAX_FILES) break;
  }
  return all;
}

/** What is in the beginning of a path; one that is there and cannot be read is a find. */
async function listBelow(base: string, search: Search): Promise<Deno.DirEntry[]> {
  const entries = await list(base || ".", search);
  if (!("problem" in entries)) return entries;
  const path = withoutFinalSlash(base);
  if (!entries.missing) add({ path, met: true, problem: entries.problem }, search);
  return [];
}

/** In the order of code units, which no locale changes. */
async function list(
  path: string,
  { system }: Search,
): Promise<Deno.DirEntry[] | { problem: string; missing: boolean }> {
  try {
    const entries = await system.list(path);
    return entries.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  } catch (error) {
    if (error instanceof SilentFileError) return { problem: error.message, missing: false };
    const problem = `the directory cannot be read: ${systemReason(error)}`;
    return { problem, missing: isMissing(error) };
  }
}

/** What stands at the end of the links. */
async function look(path: string, { system }: Search): Promise<Look> {
  try {
    return await system.stat(path);
  } catch (error) {
    if (error instanceof SilentFileError) return { problem: error.message, missing: false };
    if (!(error instanceof Deno.errors.NotFound)) {
      return { problem: `cannot be read: ${systemReason(error)}`, missing: isMissing(error) };
    }
    const link = await system.readLink(path).catch(() => undefined);
    if (link !== undefined) {
      return { problem: `is a symbolic link to ${link}, which does not exist`, missing: false };
    }
    return { problem: missingProblem(path), missing: true };
  }
}

/** Why a path that was listed, or named, is not there. */
export function missingProblem(path: string): string {
  if (path.includes("\ufffd")) {
    return "has a name that is not UTF-8, so it cannot be opened: rename it";
  }
  return /^[^/]+:\d{1,5}$/.test(path)
    ? "there is no such file; HOST:PORT is given with --connect"
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
