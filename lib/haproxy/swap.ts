/**
 * Brings a certificate into every running HAProxy, or into none.
 *
 * The order: every socket is asked first, then the file is written, then each HAProxy is changed
 * and its answer checked, then those that cannot be changed in memory are reloaded through a master
 * socket, and at last other certificates for the same names are looked for. At the first failure
 * the file goes back, then the memory of each HAProxy that had been changed. Leaves out: reading and
 * writing the file, and what may be in it.
 */
import { JobError, messageOf } from "../errors.ts";
import { delay } from "../time.ts";
import { changeMemory } from "./change_memory.ts";
import { lockSockets } from "./lock_sockets.ts";
import { nameProblem, pemPayload } from "./payload.ts";
import { findHaproxy } from "./haproxy_connection.ts";
import { reloadWhereNeeded } from "./reload_haproxy.ts";
import { askForRivals, type Rival } from "./rivals.ts";
import { loadedFrom } from "./same_file.ts";
import {
  attempt,
  isFailed,
  type SocketOutcome,
  type SwapJob,
  type SwapRequest,
  type SwapState,
} from "./swap_state.ts";
import { SwapFault } from "./swap_fault.ts";

/** How long a socket is tried again before it counts as not answering. */
const ABSENCE_MS = 2_000;

/**
 * - `served`: every HAProxy serves the certificate
 * - `down`: nothing failed, but at least one socket has no HAProxy behind it. The file stays:
 *   HAProxy reads it when it starts, and the old one might expire before the next run
 * - `failed`: the old file is back, and so is the old certificate wherever the new one had arrived
 */
export interface SwapResult {
  state: "served" | "down" | "failed";
  /** In the order of the sockets given. */
  outcomes: SocketOutcome[];
  /** Looked for where the request tells what the leaf is, and nothing failed. */
  rivals: (Rival & { socket: string })[];
}

/**
 * Swaps the certificate in, or undoes everything that can be undone. The next call repairs what a
 * crash leaves: an open transaction, a certificate without a crt-list, a file newer than the
 * memory.
 *
 * @throws {JobError} when the content or `name` may not be sent, when `install` refuses, when the
 * old file cannot be put back, or when another run holds the sockets' lock for too long
 */
export async function swapCertificate(request: SwapRequest): Promise<SwapResult> {
  let held: Disposable | undefined;
  let failed = true;
  let job: SwapJob;
  const states: SwapState[] = [...new Set(request.sockets)].map((socket) => (
    { socket, outcome: "untouched", message: "", loaded: [], undo: [], rivals: [] }
  ));
  try {
    job = prepare(request);
    held = await lockSockets(request.sockets, { waitMs: request.timing?.lockMs });
  } catch (error) {
    await request.putBack();
    throw error;
  }
  using _ = held;
  try {
    failed = await advance(states, job);
  } finally {
    if (failed) {
      await putFileBack(job, states);
      for (const state of states.toReversed()) await undo(state);
    }
  }
  const down = states.some(({ outcome }) => outcome === "down");
  return {
    state: failed ? "failed" : down ? "down" : "served",
    outcomes: states.map(({ socket, outcome, message }) => ({ socket, outcome, message })),
    rivals: states.flatMap(({ socket, rivals }) => rivals.map((rival) => ({ socket, ...rival }))),
  };
}

/** @throws {JobError} */
function prepare(request: SwapRequest): SwapJob {
  const problem = nameProblem(request.name);
  if (problem) {
    throw new JobError(`no name for HAProxy: ${JSON.stringify(request.name)}: ${problem}`);
  }
  return { ...request, payload: pemPayload(request.content.pem), written: "written" };
}

async function putFileBack(job: SwapJob, states: SwapState[]): Promise<void> {
  try {
    await job.putBack();
  } catch (error) {
    // Disk and memory are both new where the swap succeeded; undoing it would make them differ.
    const { socket, message } = states.find(isFailed) ?? states[0]!;
    throw new JobError(
      `${socket}: ${message}; and the old file could not be put back: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** Advances the states; true when one failed. */
async function advance(states: SwapState[], job: SwapJob): Promise<boolean> {
  for (const state of states) await attempt(state, () => probe(state, job));
  if (states.some(isFailed)) return true;
  for (const state of states) {
    if (state.haproxy && !await attempt(state, () => survey(state, job))) return true;
  }
  const running = states.filter(({ haproxy }) => haproxy);
  if (job.install) job.written = await job.install(running);
  for (const state of running) {
    if (!await attempt(state, () => changeMemory(state, job))) return true;
  }
  if (!await reloadWhereNeeded(states, job)) return true;
  for (const state of running) await findOthers(state, job);
  return false;
}

async function survey(state: SwapState, job: SwapJob): Promise<void> {
  state.loaded = await loadedFrom(state.haproxy!, state.inventory!.names, job);
}

/** The certificate is served now, so a HAProxy that does not list the others is no failure. */
async function findOthers(state: SwapState, job: SwapJob): Promise<void> {
  if (!job.leaf) return;
  try {
    const { haproxy, inventory } = await findHaproxy(state.socket, job.timing);
    const loaded = await loadedFrom(haproxy, inventory.names, job);
    state.rivals = await askForRivals(haproxy, {
      ...job.leaf,
      fingerprint: job.content.fingerprint,
      loadedAs: loaded.map(({ name }) => name),
    });
  } catch (error) {
    if (!(error instanceof SwapFault)) throw error;
    const note = `other certificates for its names could not be looked for: ${error.message}`;
    state.message = state.message === "" ? note : `${state.message}; ${note}`;
  }
}

/**
 * Finds the HAProxy. While a master reloads (in 2.6: parses), its socket is not served, and a new
 * connection is closed: this first command changes nothing, so it is sent again.
 */
async function probe(state: SwapState, { timing }: SwapJob): Promise<void> {
  const until = performance.now() + ABSENCE_MS;
  let hungUp: SwapFault | undefined;
  for (;;) {
    try {
      Object.assign(state, await findHaproxy(state.socket, timing));
      return;
    } catch (error) {
      if (!(error instanceof SwapFault)) throw error;
      if (error.kind === "silent") hungUp = error;
      else if (error.kind !== "down") throw error;
      // A process answered before, so it is not a stopped HAProxy that will load the file when it
      // starts.
      if (performance.now() >= until) throw hungUp ?? error;
    }
    await delay(100);
  }
}

/** Undoes what was done, or may have been done, at one state. */
async function undo(state: SwapState): Promise<void> {
  const { message } = state;
  const wasFine = !isFailed(state);
  for (const step of state.undo.toReversed()) {
    try {
      await step();
      if (wasFine && state.outcome !== "rollback_failed") state.outcome = "rolled_back";
    } catch (error) {
      if (wasFine) state.outcome = "rollback_failed";
      const after = `it may still serve the new certificate; reload it: ${messageOf(error)}`;
      state.message = message === "" ? after : `${message}; ${after}`;
    }
  }
}
