/** One check of expiry: files, live endpoints and HAProxy's memory, each checked, then compared. */

import { boundFiles } from "../bounded_files.ts";
import { deadline } from "../time.ts";
import { compareWithDisk } from "./compare_served.ts";
import type { ExpiryRecord, ExpiryReport } from "./record.ts";
import { findLeftBehind } from "./stale_addresses.ts";
import { checkEndpoints, type Endpoint, type EndpointRules } from "./check_endpoints.ts";
import { checkFiles } from "./check_files.ts";
import { compareMemories, loadedPaths, readMemories } from "./check_loaded.ts";

export interface Places {
  /** Files, directories and patterns. */
  paths: string[];
  endpoints: Endpoint[];
  /** Of HAProxy's runtime API. The files that it has loaded are looked at as well. */
  sockets: string[];
  /** Patterns of what is left out, of files and of what HAProxy has loaded from them. */
  exclude?: string[];
}

interface PlaceRules extends Omit<EndpointRules, "deadline"> {
  /** For all endpoints together; a file has a quarter of it. */
  timeoutMs: number;
}

/** Checks everything at once. The records are in the order of their places. */
export async function checkPlaces(places: Places, rules: PlaceRules): Promise<ExpiryReport> {
  const { paths, sockets, exclude = [] } = places;
  const { timeoutMs } = rules;
  const sha1 = sockets.length > 0 ? new Map<string, string>() : undefined;
  using limit = deadline(timeoutMs);
  // Comparing and printing need time too, before the deadline of the caller.
  using hurry = deadline(timeoutMs * 3 / 4);
  const system = boundFiles({ patienceMs: timeoutMs / 4, hurry: hurry.signal });
  const [{ files, memories }, served] = await Promise.all([
    readMemories(sockets, { deadlineMs: timeoutMs / 4, exclude }).then(async (memories) => ({
      memories,
      files: await checkFiles([...paths, ...loadedPaths(memories)], rules, {
        ...{ files: system, exclude, sha1 },
      }),
    })),
    checkEndpoints(places.endpoints, { ...rules, deadline: limit.signal }),
  ]);
  const endpoints = findLeftBehind(compareWithDisk(served, files.records), rules.now);
  const loaded = compareMemories(memories, {
    ...{ files: files.records, sha1: sha1 ?? new Map(), rules },
  });
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
