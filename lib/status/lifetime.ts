/** The instants of a certificate's life that a picture of it marks. */

import { renewalShare } from "../ca_rules.ts";
import { changesOf, DEFAULT_THRESHOLDS } from "../expiry/thresholds.ts";

export interface Lifetime {
  notBefore: Date;
  notAfter: Date;
  renewalFrom: Date;
  warningFrom: Date;
  criticalFrom: Date;
}

/** With the thresholds that `serve` judges by. */
export function lifetimeOf(notBefore: Date, notAfter: Date): Lifetime {
  const length = notAfter.getTime() - notBefore.getTime();
  return {
    notBefore,
    notAfter,
    renewalFrom: new Date(notAfter.getTime() - Math.round(renewalShare(length) * length)),
    ...changesOf({ notBefore, notAfter }, DEFAULT_THRESHOLDS),
  };
}

/** Where an instant lies in the life, from 0 to 1; what lies outside is at the end near to it. */
export function shareOfLife(instant: Date, { notBefore, notAfter }: Lifetime): number {
  const length = notAfter.getTime() - notBefore.getTime();
  if (length <= 0) return 1;
  return Math.min(1, Math.max(0, (instant.getTime() - notBefore.getTime()) / length));
}
