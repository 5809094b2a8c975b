/**
 * The webroots of this machine, read in parallel, on file systems that may stop answering.
 *
 * A read from an NFS server that is down cannot be cancelled; it keeps one of the runtime's 32
 * threads for blocking work until the server is back. So each webroot has few reads in progress,
 * each read has a deadline, and a webroot that misses it is only tried again from time to time. No
 * request waits for it in that time.
 */

import { FairSemaphore } from "../fair_semaphore.ts";
import { type Log, printable } from "../log.ts";
import { type Clock, deadline, orAborted, SYSTEM_CLOCK } from "../time.ts";
import type { HealthCheck } from "./health.ts";
import { type IgnoredFile, prepareReading, readTokenFile, type TokenFile } from "./token_file.ts";

/** For one token in one webroot: less than the time that another balancer waits for this one. */
const READ_TIME_MS = 1_000;
/** Until a webroot that does not answer is tried again. */
const RETRY_MS = 10_000;
/** Threads for all webroots together, and those with which silent ones are tried. */
const THREADS = 12;
const RETRY_THREADS = 4;

/** How often the state of a webroot is checked, and with which token. */
const LOOK_MS = 5_000;
const NO_TOKEN = "acme-lb-looks-here";
const NO_SOURCE = "";

/** Why a webroot is not used at present. */
type WebrootFault = "silent" | "unreadable";

/** What the webroots have; `unreadable` where one could not be looked at. */
export type OwnFile =
  | { kind: "found"; body: string; path: string }
  | { kind: "absent" | "unreadable" | "silent"; faults: IgnoredFile[] };

interface WebrootsOptions {
  log: Pick<Log, "info" | "warn">;
  clock?: Clock;
  /** @default {@link readTokenFile} */
  read?: (webroot: string, token: string) => Promise<TokenFile>;
}

/** All webroots of a process; their state is kept when the configuration is reloaded. */
export class Webroots {
  #known = new Map<string, Webroot>();
  #retries = new FairSemaphore({ limit: () => RETRY_THREADS });

  constructor(private readonly options: WebrootsOptions) {}

  /** The webroots of a configuration. */
  of(paths: readonly string[]): readonly Webroot[] {
    const known = this.#known;
    const options = { ...this.options, retries: this.#retries };
    this.#known = new Map(
      paths.map((path) => [path, known.get(path) ?? new Webroot(path, options)]),
    );
    const webroots = [...this.#known.values()];
    const threads = Math.max(1, Math.floor(THREADS / webroots.length));
    for (const webroot of webroots) {
      webroot.threads = threads;
      webroot.look();
    }
    return webroots;
  }

  /** For /healthz: tokens of the other balancers still pass through here, so this is no failure. */
  readonly check: HealthCheck = () => ({
    notes: this.states().flatMap(({ path, fault }) =>
      fault ? [`the webroot ${printable(path)} ${WORDS[fault]}`] : []
    ),
  });

  /** Those of the last configuration, with their present faults. Waits for none. */
  states(): { path: string; fault: WebrootFault | undefined }[] {
    return [...this.#known.values()].map((webroot) => {
      webroot.look();
      return { path: webroot.path, fault: webroot.fault };
    });
  }
}

/** What /healthz says of each, after its path. */
const WORDS: Record<WebrootFault, string> = {
  silent: "does not answer; see its server and mount",
  unreadable: "cannot be read; see webroot_unreadable in the log",
};

export class Webroot {
  /** How many reads may be under way. */
  threads = 1;
  #slots: FairSemaphore;
  #silentSince: number | undefined;
  #retryAt = 0;
  #unreadable = false;
  #lookedAt = -Infinity;

  constructor(
    readonly path: string,
    private readonly options: WebrootsOptions & { retries: FairSemaphore },
  ) {
    this.#slots = new FairSemaphore({ limit: () => this.threads, queue: 1024, queueOfKey: 64 });
  }

  get fault(): WebrootFault | undefined {
    if (this.#silentSince !== undefined) return "silent";
    return this.#unreadable ? "unreadable" : undefined;
  }

  /** Checks the state again, in the background, unless that was done a moment ago. */
  look(): void {
    const { clock = SYSTEM_CLOCK } = this.options;
    if (clock.monotonic() < this.#lookedAt + LOOK_MS) return;
    this.#lookedAt = clock.monotonic();
    // Afterwards, so that the start has not to wait for it.
    void this.find(NO_TOKEN, NO_SOURCE).then(prepareReading);
  }

  /**
   * The token's file; `silent` when the file system did not answer in time, or did not lately.
   * Never rejects.
   * @param source the source of the request, for its share of the reads
   */
  async find(token: string, source: string): Promise<OwnFile> {
    const { clock = SYSTEM_CLOCK } = this.options;
    if (this.#silentSince !== undefined) return await this.#retry(token);
    using limit = deadline(READ_TIME_MS, { clock, whileRunning: true });
    if (!await this.#slots.acquire(source, limit.signal)) return SILENT;
    return await this.#read(token, {
      signal: limit.signal,
      release: () => this.#slots.release(source),
    });
  }

  /** One read at a time, with a pause between them, on a thread reserved for this. */
  async #retry(token: string): Promise<OwnFile> {
    const { clock = SYSTEM_CLOCK, retries } = this.options;
    if (clock.monotonic() < this.#retryAt || !retries.tryAcquire(this.path)) return SILENT;
    // While this read hangs, no other begins.
    this.#retryAt = Infinity;
    using limit = deadline(READ_TIME_MS, { clock, whileRunning: true });
    return await this.#read(token, {
      signal: limit.signal,
      release: () => {
        this.#retryAt = 0;
        retries.release(this.path);
      },
    });
  }

  async #read(
    token: string,
    { signal, release }: { signal: AbortSignal; release: () => void },
  ): Promise<OwnFile> {
    const { read = readTokenFile } = this.options;
    const reading = read(this.path, token).finally(release);
    // An answer, however late, means that the file system is back.
    reading.then((file) => this.#answered(file), () => {});
    try {
      return await orAborted(reading, signal);
    } catch {
      this.#missed();
      return SILENT;
    }
  }

  #answered(file: TokenFile): void {
    const { clock = SYSTEM_CLOCK, log } = this.options;
    // The mode of one token file says nothing about the webroot; both layouts together do.
    const blind = file.kind === "unreadable"
      ? file.faults.filter(({ fault }) => fault === "unreadable")
      : [];
    const unreadable = blind.length > 1;
    if (unreadable && !this.#unreadable) {
      const { reason = "unknown" } = blind[0]!;
      log.warn("webroot_unreadable", {
        webroot: this.path,
        reason: /\(EACCES\)/.test(reason)
          ? `${reason}; the user that acme-lb runs as must be able to enter it`
          : reason,
      });
    }
    this.#unreadable = unreadable;
    if (this.#silentSince === undefined) return;
    const seconds = Math.round((clock.monotonic() - this.#silentSince) / 1000);
    this.#silentSince = undefined;
    log.info("webroot_answers", { webroot: this.path, after_s: seconds });
  }

  #missed(): void {
    const { clock = SYSTEM_CLOCK, log } = this.options;
    if (this.#retryAt !== Infinity) this.#retryAt = clock.monotonic() + RETRY_MS;
    if (this.#silentSince !== undefined) return;
    this.#silentSince = clock.monotonic();
    log.warn("webroot_silent", {
      webroot: this.path,
      reason: `its file system did not answer within ${READ_TIME_MS} ms; see its server and mount`,
      again_s: RETRY_MS / 1000,
    });
  }
}

const SILENT: OwnFile = { kind: "silent", faults: [] };

/**
 * What the webroots have for the token: the first file that is found, however long the others take;
 * else what all came to.
 */
export async function findInWebroots(
  webroots: readonly Webroot[],
  { token, source }: { token: string; source: string },
): Promise<OwnFile> {
  return await new Promise((resolve) => {
    const results: OwnFile[] = [];
    const take = (result: OwnFile) => {
      if (result.kind === "found") return resolve(result);
      results.push(result);
      if (results.length < webroots.length) return;
      const kinds = results.map(({ kind }) => kind);
      const kind = (["silent", "unreadable"] as const).find((one) => kinds.includes(one));
      const faults = results.flatMap((one) => one.kind === "found" ? [] : one.faults);
      resolve({ kind: kind ?? "absent", faults });
    };
    if (webroots.length === 0) return resolve({ kind: "absent", faults: [] });
    for (const webroot of webroots) void webroot.find(token, source).then(take);
  });
}
