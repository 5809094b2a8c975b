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
import { findHaproxy } from "./haproxy_connection.ts";
import { reloadWhereNeeded } from "./reload_haproxy.ts";
import {
  attempt,
  isFailed,
  type SocketOutcome,
  type SwapJob,
  type SwapRequest,
  type SwapState,
} from "./swap_state.ts";
import { SwapFault } from "./swap_fault.ts";

/** How long a socket that gives no answer is looked at before that counts as its answer. */
const ABSENCE_MS = 2_000;

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
  const states: SwapState[] = [...new Set(request.sockets)].map((socket) => (
    { socket, outcome: "untouched", message: "" }
  ));
  let failed = true;
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

async function putFileBack(job: SwapJob, states: SwapState[]): Promise<void> {
  try {
    await job.putBack();
  } catch (error) {
    // Disk and memory are both new where the swap went well; undoing it would part them.
    const { socket, message } = states.find(isFailed) ?? states[0]!;
    throw new JobError(
      `${socket}: ${message}; and the old file could not be put back: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** Takes the states as far as they come; true when one failed. */
async function advance(states: SwapState[], job: SwapJob): Promise<boolean> {
  for (const state of states) await attempt(state, () => probe(state, job));
  if (states.some(isFailed)) return true;
  for (const state of states) {
    if (state.haproxy && !await attempt(state, () => changeMemory(state, job))) return true;
  }
  return !await reloadWhereNeeded(states, job);
}

/**
 * Finds the HAProxy. While a master reloads (in 2.6: parses), nobody listens at its socket, and
 * who had just connected is hung up on: this first question changes nothing, so it is put again.
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
      // Somebody was there: that is not the HAProxy that is down and reads the file as it starts.
      if (performance.now() >= until) throw hungUp ?? error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Takes back what was done, or may have been done, at one state. */
async function undo(state: SwapState): Promise<void> {
  if (!state.undo) return;
  const { undo, message } = state;
  const wasFine = !isFailed(state);
  try {
    await undo();
    if (wasFine) state.outcome = "rolled_back";
  } catch (error) {
    if (wasFine) state.outcome = "rollback_failed";
    const after = `it may still serve the new certificate, reload it: ${messageOf(error)}`;
    state.message = message === "" ? after : `${message}; ${after}`;
  }
}
