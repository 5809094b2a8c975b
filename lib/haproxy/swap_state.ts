/** The state of one socket, which the steps of swap.ts pass to each other. */
import type { Haproxy } from "./haproxy_connection.ts";
import type { LoadedCertificate } from "./loaded_certificates.ts";
import type { Identity, Inventory } from "./replies.ts";
import type { Rival } from "./rivals.ts";
import { type FaultKind, SwapFault } from "./swap_fault.ts";

/** Key, leaf and chain as lib/cert makes them, and how HAProxy will tell of them. */
export interface Content extends Identity {
  /** PEM blocks, one below the other. */
  pem: string;
}

/** One certificate for one or several HAProxy processes. */
export interface SwapRequest {
  /** As parseRuntimeAddress returns them. Worker and master are told apart by asking. */
  sockets: readonly string[];
  /** The name HAProxy knows it by: the path of the file as written in its configuration. */
  name: string;
  /**
   * The file itself, links followed: what HAProxy loaded from it is replaced however its
   * configuration spells it. @default only certificates of that name
   */
  file?: string;
  content: Content;
  /** What the file held before; undefined when it is new or held nothing to go back to. */
  previous?: Content;
  /** The names that the leaf answers for and the kind of its key, to find {@link Rival}s. */
  leaf?: Pick<LoadedCertificate, "names" | "key">;
  /** The crt-list that a new name is added to. @default the directory that `name` is in */
  crtList?: string;
  /**
   * Called when every HAProxy has answered and before any is changed, to write the file. If it
   * throws, the run ends. @default the file has been written before
   */
  install?: (running: readonly Running[]) => Promise<Written>;
  /** Brings the old file back. Called at most once, on failure, before anything else is undone. */
  putBack: () => Promise<void>;
  /** For tests and slow machines, in milliseconds. */
  timing?: {
    /** For each command. @default 5000 */
    deadlineMs?: number;
    /** How long a command waits while certificates are locked. @default 11_000 */
    lockedMs?: number;
    /**
     * How long another client's transaction may stay open before it counts as abandoned. @default
     * 10_000
     */
    patienceMs?: number;
    /** For a reload. @default 60_000 */
    reloadMs?: number;
    /** For the lock that keeps one acme-lb at a time at each socket. @default 60_000 */
    lockMs?: number;
  };
}

/**
 * `unchanged`: the file held this already. A HAProxy that serves this leaf then needs nothing, and
 * nothing is rolled back.
 */
export type Written = "written" | "unchanged";

/** A HAProxy that answered, before it is changed. */
export interface Running {
  socket: string;
  /** What it has loaded from the file. */
  loaded: LoadedCertificate[];
}

/**
 * The outcome for one socket:
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
  written: Written;
}

export interface SwapState extends SocketOutcome {
  /** Set when a HAProxy answered. */
  haproxy?: Haproxy;
  inventory?: Inventory;
  /** What it has loaded from the file. */
  loaded: LoadedCertificate[];
  /** Memory cannot be changed; this is told when there is no master socket to reload with. */
  needsReload?: SwapFault;
  /** Undo what may have been done, the latest first. */
  undo: (() => Promise<void>)[];
  rivals: Rival[];
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
    // It is no failure when the first command finds no HAProxy; it is one when HAProxy disappears
    // later.
    state.outcome = error.kind === "down" && state.haproxy ? "broken" : error.kind;
    state.message = error.message;
    return false;
  }
}
