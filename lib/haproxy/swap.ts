/**
 * Brings a certificate that is already on disk into every running HAProxy, or into none.
 *
 * The order: every socket is asked first, then each HAProxy is changed and its answer checked,
 * then those that cannot be changed in memory are reloaded through a master socket. At the first
 * failure the file goes back, then the memory of each HAProxy that had been changed. Leaves out:
 * reading and writing the file, and what may be in it.
 */
import { JobError, messageOf } from "../errors.ts";
import { changeMemory } from "./change_memory.ts";
import { lockSockets } from "./lock_sockets.ts";
import { leafFingerprint, nameProblem, pemPayload } from "./payload.ts";
import { findHaproxy } from "./process.ts";
import { reloadWhereNeeded } from "./reload_fallback.ts";
import { attempt, isFailed, type Station, type SwapJob } from "./station.ts";
import { type FaultKind, SwapFault } from "./swap_fault.ts";

/** How long a socket that gives no answer is looked at before that counts as its answer. */
const ABSENCE_MS = 2_000;

/** One certificate for one or several HAProxy processes. */
export interface SwapRequest {
  /** Paths of UNIX sockets, or HOST:PORT. Worker and master are told apart by asking. */
  sockets: readonly string[];
  /** The name HAProxy knows it by: the path of the file as written in its configuration. */
  name: string;
  /** What the file holds now: key, leaf, chain as PEM blocks without blank lines. */
  pem: string;
  /** The leaf's serial number in hexadecimal; case, colons and leading zeros do not matter. */
  serial: string;
  /** What the file held before, of the same form; undefined when it is new or was no PEM. */
  previousPem?: string;
  /** The crt-list that a new name is added to. @default the directory that `name` is in */
  crtList?: string;
  /** The file held this already: a HAProxy that serves this leaf then needs nothing, and nothing is rolled back. @default false */
  unchanged?: boolean;
  /** Brings the old file back. Called at most once, on failure, before anything else is undone. */
  putBack: () => Promise<void>;
  /** For tests and slow machines, in milliseconds. */
  timing?: {
    /** For each command. @default 5000 */
    deadlineMs?: number;
    /** For another client's transaction to end, before it counts as abandoned. @default 10_000 */
    patienceMs?: number;
    /** For a reload. @default 60_000 */
    reloadMs?: number;
    /** For the lock that keeps one acme-lb at a time at each socket. @default 60_000 */
    lockMs?: number;
  };
}

/**
 * What became of one socket:
 *
 * - `swapped`, `added`, `reloaded`: the certificate is served since now; `current`: it was before
 * - `down`: nobody listens
 * - `rolled_back`: it was fine, but another one failed, so its old certificate is back
 * - `rollback_failed`: it may serve the new certificate although the old file is back
 * - `untouched`: another one failed first
 * - any other word: why this one failed
 */
export type Outcome =
  | "swapped"
  | "added"
  | "reloaded"
  | "current"
  | "rolled_back"
  | "rollback_failed"
  | "untouched"
  | FaultKind;

export interface SocketOutcome {
  socket: string;
  outcome: Outcome;
  /** One line for the operator that continues the socket's name; empty when all is said. */
  message: string;
}

/**
 * - `served`: every HAProxy serves the certificate
 * - `down`: nothing failed, but at least one socket has no HAProxy behind it. The file stays:
 *   HAProxy reads it when it starts, and the old one might expire before anybody runs us again
 * - `failed`: the old file is back, and so is the old certificate wherever the new one had arrived
 */
export interface SwapResult {
  state: "served" | "down" | "failed";
  /** In the order of the sockets given. */
  outcomes: SocketOutcome[];
}

/**
 * Swaps the certificate in; nothing is left half done that HAProxy still lets us undo. What a
 * crash leaves (an open transaction, a certificate without a crt-list, a file newer than the
 * memory) the next call puts right.
 *
 * @throws {JobError} when `pem` or `name` may not be sent (the file is back then), when the old
 * file cannot be put back, or when another run holds the sockets' lock for too long
 */
export async function swapCertificate(request: SwapRequest): Promise<SwapResult> {
  let job: SwapJob;
  let held: Disposable;
  try {
    job = await prepare(request);
    held = await lockSockets(request.sockets, { waitMs: request.timing?.lockMs });
  } catch (error) {
    await request.putBack();
    throw error;
  }
  using _ = held;
  const stations: Station[] = [...new Set(request.sockets)].map((socket) => (
    { socket, outcome: "untouched", message: "" }
  ));
  let failed = true;
  try {
    failed = await advance(stations, job);
  } finally {
    if (failed) {
      await putFileBack(job, stations);
      for (const station of stations.toReversed()) await undo(station);
    }
  }
  const down = stations.some(({ outcome }) => outcome === "down");
  return {
    state: failed ? "failed" : down ? "down" : "served",
    outcomes: stations.map(({ socket, outcome, message }) => ({ socket, outcome, message })),
  };
}

async function prepare(request: SwapRequest): Promise<SwapJob> {
  const problem = nameProblem(request.name);
  if (problem) {
    throw new JobError(`no name for HAProxy: ${JSON.stringify(request.name)}: ${problem}`);
  }
  const payload = pemPayload(request.pem);
  const fingerprint = await leafFingerprint(payload);
  if (!fingerprint) throw new JobError("refused to send PEM to HAProxy: it holds no certificate");
  return { ...request, payload, identity: { fingerprint, serial: request.serial } };
}

async function putFileBack(job: SwapJob, stations: Station[]): Promise<void> {
  try {
    await job.putBack();
  } catch (error) {
    // Disk and memory are both new where the swap went well; undoing it would part them.
    const { socket, message } = stations.find(isFailed) ?? stations[0]!;
    throw new JobError(
      `${socket}: ${message}; and the old file could not be put back: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** Takes the stations as far as they come; true when one failed. */
async function advance(stations: Station[], job: SwapJob): Promise<boolean> {
  for (const station of stations) await attempt(station, () => probe(station, job));
  if (stations.some(isFailed)) return true;
  for (const station of stations) {
    if (station.haproxy && !await attempt(station, () => changeMemory(station, job))) return true;
  }
  return !await reloadWhereNeeded(stations, job);
}

/**
 * Finds the HAProxy. While a master reloads (in 2.6: parses), nobody listens at its socket, and
 * who had just connected is hung up on: this first question changes nothing, so it is put again.
 */
async function probe(station: Station, { timing }: SwapJob): Promise<void> {
  const until = performance.now() + ABSENCE_MS;
  let hungUp: SwapFault | undefined;
  for (;;) {
    try {
      Object.assign(station, await findHaproxy(station.socket, timing));
      return;
    } catch (error) {
      if (!(error instanceof SwapFault)) throw error;
      if (error.kind === "silent") hungUp = error;
      else if (error.kind !== "down") throw error;
      // Somebody was there: that is not the HAProxy that is down and reads the file as it starts.
      if (performance.now() >= until) throw hungUp ?? error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Takes back what was done, or may have been done, at one station. */
async function undo(station: Station): Promise<void> {
  if (!station.undo) return;
  const { undo, message } = station;
  const wasFine = !isFailed(station);
  try {
    await undo();
    if (wasFine) station.outcome = "rolled_back";
  } catch (error) {
    if (wasFine) station.outcome = "rollback_failed";
    const after = `it may still serve the new certificate, reload it: ${messageOf(error)}`;
    station.message = message === "" ? after : `${message}; ${after}`;
  }
}
