/**
 * The configured certificates at the metrics port of `serve`, in the words of check-expiry.
 *
 * Files are looked at when somebody scrapes, at most every half minute, and what does the looking
 * is loaded only then: a server that nobody scrapes pays nothing. A slow disk delays a scrape
 * for a moment at most, and everything else not at all. Private keys that a file holds are not
 * looked at: port 80 is no place for them.
 */

import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { boundFiles } from "../bounded_files.ts";
import { createFreshLook } from "../fresh_look.ts";
import { SYSTEM_CLOCK } from "../time.ts";
import { EARLIEST_NOW } from "../version.ts";
import type { ExpiryRecord } from "./record.ts";

/** For how long what was read counts as fresh. */
const FRESH_MS = 30_000;

/** Threads that a dead disk may cost the server, whose webroots need the others. */
const MAX_SILENT = 4;

export interface CertificateMetricsOptions {
  /** Files, directories and patterns. */
  paths: string[];
  log: Log;
  /** Looks at the paths. @default what check-expiry does, without keys */
  look?: (paths: string[]) => Promise<string>;
  /** Milliseconds. @default performance.now */
  now?: () => number;
  /** For how long a scrape waits. @default 2000 */
  patienceMs?: number;
}

/**
 * A function that gives the metrics, in the text format; "" without paths, and as long as the first
 * look takes longer than a scrape waits. It never rejects.
 */
export function createCertificateMetrics(
  options: CertificateMetricsOptions,
): () => Promise<string> {
  const { paths, log, look = lookAt(), now = () => performance.now(), patienceMs = 2000 } = options;
  if (paths.length === 0) return () => Promise.resolve("");
  return createFreshLook({
    look: () => look(paths),
    initial: "",
    freshMs: FRESH_MS,
    patienceMs,
    onError: (error) => log.error("defect", { reason: `certificates: ${messageOf(error)}` }),
    clock: { ...SYSTEM_CLOCK, monotonic: now },
  });
}

/** What is silent is remembered from one look to the next. */
function lookAt(): (paths: string[]) => Promise<string> {
  const files = boundFiles({ maxSilent: MAX_SILENT });
  return async (paths) => {
    const [{ DEFAULT_THRESHOLDS }, { checkFiles }, { formatPrometheus }] = await Promise.all([
      import("./thresholds.ts"),
      import("./check_files.ts"),
      import("./format_prometheus.ts"),
    ]);
    const now = new Date();
    const rules = { now, earliestNow: EARLIEST_NOW, thresholds: DEFAULT_THRESHOLDS, names: [] };
    const { records, ...rest } = await checkFiles(paths, rules, { files, keys: false });
    return formatPrometheus({ now, ...rest, records: records.filter(isPermitted) });
  };
}

/**
 * The unit hides directories of keys from the server, and what lies in them is for the hourly check,
 * which may read it: an UNKNOWN here would be an alarm that nothing can end.
 */
function isPermitted({ findings }: ExpiryRecord): boolean {
  return !findings.some(({ reason, text }) => reason === "unreadable" && /\(EACCES\)/.test(text));
}
