/** One check of expiry: files, live endpoints and HAProxy's memory, each judged, then compared. */

import type { SocketAddress } from "../address.ts";
import { compareWithDisk } from "./compare_served.ts";
import type { ExpiryRecord, ExpiryReport } from "./record.ts";
import { findLeftBehind } from "./stale_addresses.ts";
import { checkEndpoints, type EndpointRules } from "./check_endpoints.ts";
import { checkFiles } from "./check_files.ts";
import { compareMemories, loadedPaths, readMemories } from "./check_loaded.ts";

export interface Places {
  /** Files, directories and patterns. */
  paths: string[];
  endpoints: SocketAddress[];
  /** Of HAProxy's runtime API. The files that it has loaded are looked at as well. */
  sockets: string[];
}

/** Looks at everything at once. The records stand in the order of their places. */
export async function checkPlaces(places: Places, rules: EndpointRules): Promise<ExpiryReport> {
  const sha1 = places.sockets.length > 0 ? new Map<string, string>() : undefined;
  const [{ files, memories }, served] = await Promise.all([
    readMemories(places.sockets).then(async (memories) => ({
      memories,
      files: await checkFiles([...places.paths, ...loadedPaths(memories)], rules, { sha1 }),
    })),
    checkEndpoints(places.endpoints, rules),
  ]);
  const endpoints = findLeftBehind(compareWithDisk(served, files.records), rules.now);
  const loaded = compareMemories(memories, { files: files.records, sha1: sha1 ?? new Map() });
  const records = [
    ...files.records,
    ...endpoints.map(({ record }) => record),
    ...loaded.records,
  ];
  return {
    now: rules.now,
    records: records.sort(byPlace),
    notes: [...files.notes, ...loaded.notes].sort(),
  };
}

/** By source and place in the order of code units, which no locale changes. */
function byPlace(a: ExpiryRecord, b: ExpiryRecord): number {
  const [one, other] = [a, b].map(({ source, place }) => `${source} ${place}`) as [string, string];
  return one < other ? -1 : one > other ? 1 : 0;
}
