/** A socket on its way to its outcome: what the steps of swap.ts hand to each other. */
import type { Haproxy } from "./haproxy_connection.ts";
import type { Identity, Inventory } from "./replies.ts";
import { type FaultKind, SwapFault } from "./swap_fault.ts";

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

/** A request whose PEM and name have been found fit to be sent. */
export interface SwapJob extends SwapRequest {
  payload: string;
  identity: Identity;
}

export interface SwapState extends SocketOutcome {
  /** Set when somebody answered. */
  haproxy?: Haproxy;
  inventory?: Inventory;
  /** Memory cannot be changed; this is told when there is no master socket to reload with. */
  needsReload?: SwapFault;
  /** Takes back what may have been done. */
  undo?: () => Promise<void>;
}

const FINE = new Set(["untouched", "down", "current", "swapped", "added", "reloaded"]);

export function isFailed({ outcome }: SwapState): boolean {
  return !FINE.has(outcome);
}

/** Whether `step` went well; if not, the state says why. */
export async function attempt(state: SwapState, step: () => Promise<void>): Promise<boolean> {
  try {
    await step();
    return true;
  } catch (error) {
    if (!(error instanceof SwapFault)) throw error;
    // Nobody there at the first question is no failure; gone in the middle is one.
    state.outcome = error.kind === "down" && state.haproxy ? "broken" : error.kind;
    state.message = error.message;
    return false;
  }
}
