/**
 * The configured certificates at the metrics port of `serve`, with the metrics of check-expiry.
 *
 * Files are read on a scrape, at most every half minute, and the code for it is loaded only then:
 * without scrapes it costs nothing. A slow disk delays a scrape by a bounded time, and nothing
 * else. Private keys in the files are not read: the server on port 80 must not hold them.
 */

import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { boundFiles } from "../bounded_files.ts";
import { createFreshLook } from "../fresh_look.ts";
import { SYSTEM_CLOCK } from "../time.ts";
import { EARLIEST_NOW } from "../version.ts";
import type { ExpiryRecord } from "./record.ts";

/** How long a result counts as fresh. */
const FRESH_MS = 30_000;

/** Threads that a dead disk may block; the webroots need the others. */
const MAX_SILENT = 4;

/** The metrics of the certificates at the paths. */
export type CertificateLook = (paths: string[]) => Promise<string>;

export interface CertificateMetricsOptions {
  /** Files, directories and patterns. */
  paths: string[];
  log: Log;
  /** Looks at the paths. */
  look: CertificateLook;
  /** Milliseconds. @default performance.now */
  now?: () => number;
  /** How long a scrape waits. @default 2000 */
  patienceMs?: number;
}

/**
 * A function that gives the metrics, in the text format; "" without paths, and as long as the first
 * look takes longer than a scrape waits. It never rejects.
 */
export function createCertificateMetrics(
  options: CertificateMetricsOptions,
): () => Promise<string> {
  const { paths, log, look, now = () => performance.now(), patienceMs = 2000 } = options;
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

/**
 * Looks as check-expiry does, without keys. Made once for a process: paths that did not answer are
 * remembered from one scrape to the next, and over a reload.
 */
export function createCertificateLook(): CertificateLook {
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
 * The unit hides directories with keys from the server; the hourly check, which may read them,
 * watches the certificates there. An UNKNOWN here would be an alarm that no operator can clear.
 */
function isPermitted({ findings }: ExpiryRecord): boolean {
  return !findings.some(({ reason, text }) => reason === "unreadable" && /\(EACCES\)/.test(text));
}
