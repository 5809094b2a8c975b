/**
 * What a running HAProxy holds against what lies on the disk.
 *
 * HAProxy tells serial and fingerprint, no more; so a certificate that is the file's is as good as
 * the file, and one that is not is CRITICAL whichever is newer: the next reload changes what is
 * served.
 */

import type { ExpiryRecord, Reason } from "./record.ts";
import { makeRecord } from "./certificate_record.ts";

export interface Loaded {
  /** `NAME at SOCKET`. */
  place: string;
  /** What HAProxy shows; undefined when it shows none. */
  serial: string | undefined;
  /** The record of the file that it was loaded from, or that holds the same certificate. */
  file: ExpiryRecord | undefined;
  /** Whether the file's first certificate is the one that is loaded. */
  same: boolean;
}

/** What a certificate says of itself, wherever it is. */
const OWN_REASONS: Reason[] = [
  "expired",
  "expires_soon",
  "not_yet_valid",
  "clock",
  "placeholder",
  "name_missing",
];

export function loadedRecord({ place, serial, file, same }: Loaded): ExpiryRecord {
  const where = { source: "haproxy" as const, place };
  if (!file?.leaf) {
    const text = `holds serial ${serial ?? "unknown"}, and ` +
      (file ? `${file.place} cannot be read to compare` : "no file that was checked holds it");
    return makeRecord(where, [{ state: "UNKNOWN", reason: "unsupported", text }]);
  }
  const { leaf, findings, warningFrom, criticalFrom } = file;
  if (same) {
    const own = findings.filter(({ reason }) => OWN_REASONS.includes(reason));
    return makeRecord(where, own, { leaf, warningFrom, criticalFrom });
  }
  const text = `HAProxy holds serial ${serial ?? "unknown"}, but ${file.place} holds serial ` +
    `${leaf.serial}: reload HAProxy, or swap the file in`;
  return makeRecord(where, [{ state: "CRITICAL", reason: "not_served", text }]);
}
