/** Who reaches whom, by what the balancers told and by the questions of this moment. */

import type { BalancerRow } from "./fleet.ts";

/** What a balancer is said to have answered when it told of itself. */
const ANSWERS = "answers";

/**
 * What came of the last question of one balancer to another: of this very moment when it is the one
 * that asks here, else as it told. Undefined when it asked none yet.
 */
export function outcomeOf(from: BalancerRow, to: BalancerRow): string | undefined {
  if (from.here) return to.report ? ANSWERS : to.silence;
  return from.report?.peers.find(({ peer }) => peer === to.address)?.outcome;
}

/** Whether the outcome is that of a peer that does as it should. */
export function isReached(outcome: string): boolean {
  return [ANSWERS, "found", "absent"].includes(outcome);
}
