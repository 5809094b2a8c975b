/**
 * The certificates in the memory of running HAProxys, for a check of expiry: read first, compared
 * later.
 */

import type { ExpiryRecord } from "./record.ts";
import { loadedRecord } from "./loaded_record.ts";
import { makeRecord, type Rules } from "./certificate_record.ts";
import { pathMatcher } from "../glob.ts";
import { JobError, messageOf } from "../errors.ts";
import { type LoadedCertificate, readMemory } from "../haproxy/loaded_certificates.ts";
import { isShown, plainPath } from "../haproxy/replies.ts";

/** The answer of one socket, or why there is none. */
export type Memory =
  | { ok: true; socket: string; loaded: LoadedCertificate[] }
  | { ok: false; socket: string; text: string };

/**
 * Asks all sockets at once; a question has `deadlineMs`, and as long again while certificates are
 * locked, by default as long as for a swap.
 */
export function readMemories(
  sockets: string[],
  { deadlineMs, exclude = [] }: { deadlineMs?: number; exclude?: string[] } = {},
): Promise<Memory[]> {
  const excluded = exclude.map(pathMatcher);
  return Promise.all([...new Set(sockets)].map(async (socket): Promise<Memory> => {
    try {
      const all = await readMemory(socket, { deadlineMs, lockedMs: deadlineMs });
      const loaded = all.filter((one) => !excluded.some((fits) => fits(fileOf(one) ?? one.name)));
      return { ok: true, socket, loaded };
    } catch (error) {
      if (!(error instanceof JobError)) throw error;
      return { ok: false, socket, text: messageOf(error) };
    }
  }));
}

/** The files that HAProxy says it loaded; an alias without a file and relative paths name none. */
export function loadedPaths(memories: Memory[]): string[] {
  return memories.flatMap((memory) => memory.ok ? memory.loaded.filter(holdsOne) : [])
    .map(fileOf).filter((path) => path?.startsWith("/") === true) as string[];
}

/** A record for each certificate, or one for a socket without an answer. */
export function compareMemories(
  memories: Memory[],
  { files, sha1, rules }: { files: ExpiryRecord[]; sha1: Map<string, string>; rules: Rules },
): { records: ExpiryRecord[]; notes: string[] } {
  const byPath = new Map(files.map((file) => [plainPath(file.place), file]));
  const notes: string[] = [];
  const records = memories.flatMap((memory) => {
    const { socket } = memory;
    if (!memory.ok) {
      const where = { source: "haproxy" as const, place: socket };
      return [makeRecord(where, [{ state: "UNKNOWN", reason: "unreachable", text: memory.text }])];
    }
    return memory.loaded.flatMap((loaded) => {
      const place = `${loaded.name} at ${socket}`;
      if (!holdsOne(loaded)) {
        notes.push(`${place}: HAProxy holds no certificate under this name yet`);
        return [];
      }
      const { serial, fingerprintSha1: fingerprint } = loaded;
      const isLoaded = ({ place, leaf }: ExpiryRecord) => {
        const own = sha1.get(place);
        const identity = { fingerprint: own ?? "", serial: leaf?.serial };
        return own !== undefined && isShown({ serial, fingerprint }, identity);
      };
      const path = fileOf(loaded) ?? "";
      const file = byPath.get(plainPath(path)) ?? files.find(isLoaded) ?? onlyOneAt(path, files);
      if (!file) notes.push(`${place}: no file that was checked holds it, so it was not compared`);
      const same = file !== undefined && isLoaded(file);
      return [loadedRecord({ place, loaded, file, same }, rules)];
    });
  });
  return { records, notes };
}

/** `@store/alias` names no file; HAProxy reports the file from 3.2 on. */
function fileOf({ name, crtFile }: LoadedCertificate): string | undefined {
  return crtFile ?? (name.startsWith("@") ? undefined : name);
}

/** HAProxy tells a relative path as its configuration has it, without the crt-base before it. */
function onlyOneAt(path: string, files: ExpiryRecord[]): ExpiryRecord | undefined {
  if (path === "" || path.startsWith("/")) return undefined;
  const [only, ...others] = files.filter(({ place }) => place.endsWith(`/${path}`));
  return others.length === 0 ? only : undefined;
}

function holdsOne({ status }: LoadedCertificate): boolean {
  return status !== "Empty";
}
