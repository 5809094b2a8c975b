/** What running HAProxies hold in memory, for a check of expiry: read first, compared later. */

import type { ExpiryRecord } from "./record.ts";
import { loadedRecord } from "./loaded_record.ts";
import { makeRecord } from "./certificate_record.ts";
import { JobError, messageOf } from "../errors.ts";
import { type LoadedCertificate, readMemory } from "../haproxy/loaded_certificates.ts";
import { isShown, plainPath } from "../haproxy/replies.ts";

/** What one socket told, or why it told nothing. */
export type Memory =
  & { socket: string }
  & ({ loaded: LoadedCertificate[] } | { failure: string });

/** Asks all sockets at once. */
export function readMemories(sockets: string[]): Promise<Memory[]> {
  return Promise.all([...new Set(sockets)].map(async (socket) => {
    try {
      return { socket, loaded: await readMemory(socket) };
    } catch (error) {
      if (!(error instanceof JobError)) throw error;
      return { socket, failure: messageOf(error) };
    }
  }));
}

/** The files that HAProxy says it loaded; aliases and relative paths name none for us. */
export function loadedPaths(memories: Memory[]): string[] {
  return memories.flatMap((memory) => "loaded" in memory ? memory.loaded.filter(holdsOne) : [])
    .map(({ name }) => name).filter((name) => name.startsWith("/"));
}

/** A record for each certificate, or one for a socket that told nothing. */
export function compareMemories(
  memories: Memory[],
  { files, sha1 }: { files: ExpiryRecord[]; sha1: Map<string, string> },
): { records: ExpiryRecord[]; notes: string[] } {
  const byPath = new Map(files.map((file) => [plainPath(file.place), file]));
  const notes: string[] = [];
  const records = memories.flatMap((memory) => {
    const { socket } = memory;
    if ("failure" in memory) {
      const where = { source: "haproxy" as const, place: socket };
      return [makeRecord(where, [{
        state: "UNKNOWN" as const,
        reason: "unreachable" as const,
        text: memory.failure,
      }])];
    }
    return memory.loaded.flatMap((loaded) => {
      const place = `${loaded.name} at ${socket}`;
      if (!holdsOne(loaded)) {
        notes.push(`${place}: HAProxy holds no certificate under this name yet`);
        return [];
      }
      const { serial, fingerprintSha1: fingerprint } = loaded;
      const isLoaded = ({ place, leaf }: ExpiryRecord) => {
        const shown = { serial, fingerprint };
        const own = sha1.get(place);
        return own !== undefined && isShown(shown, { fingerprint: own, serial: leaf?.serial });
      };
      const file = byPath.get(plainPath(loaded.name)) ?? files.find(isLoaded);
      return [loadedRecord({ place, serial, file, same: file !== undefined && isLoaded(file) })];
    });
  });
  return { records, notes };
}

function holdsOne({ status }: LoadedCertificate): boolean {
  return status !== "Empty";
}
