/**
 * Let's Encrypt's limit on duplicate certificates, for balancers that each order their own: five
 * for one exact set of names in seven days, given back one every 34 hours, over all accounts.
 * Renewals that name the certificate they replace (ARI, RFC 9773) are exempt.
 */

import { renewalShare } from "../ca_rules.ts";
import { formatDuration } from "../time.ts";
import type { SelfTestFinding } from "./findings.ts";

const DAY_MS = 86_400_000;
const LIMIT = 5;
const REFILL_MS = 34 * 3_600_000;

/** The arithmetic in one line; a warning where the limit is too low. */
export function weeklyLimitFinding(
  { balancers, lifetimeMs }: { balancers: number; lifetimeMs: number },
): SelfTestFinding {
  const share = renewalShare(lifetimeMs);
  const left = share === 1 / 2 ? "half" : "a third";
  const perWeek = (balancers * 7 * DAY_MS) / (lifetimeMs * (1 - share));
  const sum = `${balancers} ${balancers === 1 ? "balancer" : "balancers"}, certificates of ` +
    `${formatDuration(lifetimeMs)} renewed with ${left} left: ${rounded(perWeek)} orders a week ` +
    `against the limit of ${LIMIT} for the same names (renewals with ARI are exempt)`;
  const finding = { rule: "weekly_limit", about: "Let's Encrypt" } as const;
  if (perWeek > 7 * DAY_MS / REFILL_MS) {
    const text =
      `${sum}; use clients with ARI, longer lifetimes, or one more name for each balancer`;
    return { ...finding, level: "warn", text };
  }
  if (balancers > LIMIT) {
    const text =
      `${sum}; but the first ${balancers} orders at once are too many: after ${LIMIT}, ` +
      "one every 34 h";
    return { ...finding, level: "warn", text };
  }
  return { ...finding, level: "note", text: sum };
}

function rounded(perWeek: number): string {
  return perWeek < 10 ? perWeek.toFixed(1) : String(Math.round(perWeek));
}
