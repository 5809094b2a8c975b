/** The verdict on the text of a file, with the defaults of check-expiry and the tests' clock. */

import { readContents } from "../../lib/expiry/read_certificates.ts";
import type { ExpiryRecord } from "../../lib/expiry/record.ts";
import { DEFAULT_THRESHOLDS } from "../../lib/expiry/thresholds.ts";
import { fileRecord, type Rules } from "../../lib/expiry/certificate_record.ts";
import { NOW } from "./issue.ts";

export function rulesAt(now: Date, more: Partial<Rules> = {}): Rules {
  return { now, earliestNow: new Date(0), thresholds: DEFAULT_THRESHOLDS, names: [], ...more };
}

/** @throws {SyntaxError} for a file that cannot be read, which check-expiry makes UNKNOWN */
export async function judge(
  file: string | Uint8Array,
  more: Partial<Rules> = {},
): Promise<ExpiryRecord> {
  const bytes = typeof file === "string" ? new TextEncoder().encode(file) : file;
  return await fileRecord({ source: "file", place: "a.pem" }, {
    contents: readContents(bytes),
    rules: rulesAt(NOW, more),
  });
}

/** State and reasons, as in `WARNING placeholder, expires_soon`; `OK` alone without any. */
export function summaryOf({ state, findings }: ExpiryRecord): string {
  return [state, findings.map(({ reason }) => reason).join(", ")].filter(Boolean).join(" ");
}
