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
import { tryToRead } from "../read_input.ts";
import { EARLIEST_NOW } from "../version.ts";

/** Milliseconds for which what was read counts as fresh, and for which a scrape waits. */
const FRESH = 30_000;
const PATIENCE = 2_000;

export interface CertificateMetricsOptions {
  /** Files, directories and patterns. */
  paths: string[];
  log: Log;
  /** Looks at the paths. @default what check-expiry does, without keys */
  look?: (paths: string[]) => Promise<string>;
  /** Milliseconds. @default performance.now */
  now?: () => number;
  /** @default 2000 */
  patience?: number;
}

/**
 * A function that gives the metrics, in the text format; "" without paths, and as long as the first
 * look takes longer than a scrape waits. It never rejects.
 */
export function createCertificateMetrics(
  options: CertificateMetricsOptions,
): () => Promise<string> {
  const { paths, log, look = lookAt, now = () => performance.now(), patience = PATIENCE } = options;
  let text = "";
  let lookedAt = -Infinity;
  let looking: Promise<void> | undefined;

  async function lookAgain(): Promise<void> {
    try {
      text = await look(paths);
    } catch (error) {
      log.error("defect", { reason: `certificates: ${messageOf(error)}` });
    }
    lookedAt = now();
    looking = undefined;
  }

  return async () => {
    if (paths.length === 0) return "";
    if (now() - lookedAt > FRESH) looking ??= lookAgain();
    if (looking) await atMost(patience, looking);
    return text;
  };
}

async function lookAt(paths: string[]): Promise<string> {
  const [{ DEFAULT_THRESHOLDS }, { checkFiles }, { formatPrometheus }] = await Promise.all([
    import("./thresholds.ts"),
    import("./check_files.ts"),
    import("./format_prometheus.ts"),
  ]);
  const now = new Date();
  const rules = {
    now,
    earliestNow: EARLIEST_NOW,
    thresholds: DEFAULT_THRESHOLDS,
    names: [],
  };
  // A disk that hangs must not hold up those who wait for an answer.
  const found = await checkFiles(paths, rules, { keys: false, read: tryToRead });
  return formatPrometheus({ now, ...found });
}

async function atMost(ms: number, promise: Promise<void>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
