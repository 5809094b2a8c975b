/** Instants as people read them. */

import { formatRemaining, isoSeconds } from "../time.ts";

/**
 * How long ago one is, always by the clock that told it: those of balancers may differ.
 * @param now what the same clock says now
 */
export function agoAt(at: string, { now }: { now: string }): string {
  const [then, told] = [new Date(at), new Date(now)];
  return then < told ? formatRemaining(told, then) : "just now";
}

/** `2026-11-25 12:00`, in UTC. */
export function toTheMinute(instant: Date): string {
  return isoSeconds(instant).slice(0, 16).replace("T", " ");
}
