/** A socket on its way to its outcome: what the steps of swap.ts hand to each other. */
import type { Haproxy } from "./process.ts";
import type { Identity, Inventory } from "./replies.ts";
import type { SocketOutcome, SwapRequest } from "./swap.ts";
import { SwapFault } from "./swap_fault.ts";

/** A request whose PEM and name have been found fit to be sent. */
export interface SwapJob extends SwapRequest {
  payload: string;
  identity: Identity;
}

export interface Station extends SocketOutcome {
  /** Set when somebody answered. */
  haproxy?: Haproxy;
  inventory?: Inventory;
  /** Memory cannot be changed; this is told when there is no master socket to reload with. */
  needsReload?: SwapFault;
  /** Takes back what may have been done. */
  undo?: () => Promise<void>;
}

const FINE = new Set(["untouched", "down", "current", "swapped", "added", "reloaded"]);

export function isFailed({ outcome }: Station): boolean {
  return !FINE.has(outcome);
}

/** Whether `step` went well; if not, the station says why. */
export async function attempt(station: Station, step: () => Promise<void>): Promise<boolean> {
  try {
    await step();
    return true;
  } catch (error) {
    if (!(error instanceof SwapFault)) throw error;
    // Nobody there at the first question is no failure; gone in the middle is one.
    station.outcome = error.kind === "down" && station.haproxy ? "broken" : error.kind;
    station.message = error.message;
    return false;
  }
}
