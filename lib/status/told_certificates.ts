/** The certificates of this balancer as it tells them: the worst, within the bounds. */

import { dueFirst } from "../expiry/due_order.ts";
import type { ExpiryRecord } from "../expiry/record.ts";
import { isoSeconds } from "../time.ts";
import { clip } from "../clip.ts";
import { BOUNDS, type ToldCertificate } from "./balancer_report.ts";

/** The worst first, then what expires first; the text is that of the worst finding. */
export function toldCertificates(records: ExpiryRecord[]): ToldCertificate[] {
  return dueFirst({ records, now: new Date(0), notes: [] }).slice(0, BOUNDS.certificates)
    .map(({ place, state, findings, leaf }) => ({
      place: clip(place, BOUNDS.word),
      names: leaf?.names.slice(0, BOUNDS.names).map((name) => clip(name, BOUNDS.word)) ?? [],
      serial: leaf ? leaf.serial.slice(0, 64) : null,
      issuer: leaf ? clip(leaf.issuer, BOUNDS.word) : null,
      not_before: leaf ? isoSeconds(leaf.notBefore) : null,
      not_after: leaf ? isoSeconds(leaf.notAfter) : null,
      verdict: state,
      text: clip(findings[0]?.text ?? "", BOUNDS.text),
    }));
}
