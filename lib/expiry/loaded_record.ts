/**
 * Compares the certificates in a running HAProxy with the files on disk.
 *
 * A certificate in memory that differs from its file is replaced by the file's at the next start:
 * that is the remedy when the file is newer, and a loss when the one in memory is newer.
 */

import type { LoadedCertificate } from "../haproxy/loaded_certificates.ts";
import { ageFindings } from "./age_findings.ts";
import { isOlder } from "../cert/age.ts";
import { PLACEHOLDER_MARK } from "../cert/certificate.ts";
import { asAlternativeNames } from "../cert/coverage.ts";
import { makeRecord, nameFindings, type Rules } from "./certificate_record.ts";
import { PLACEHOLDER_FINDING } from "./issuance_findings.ts";
import type { ExpiryFinding, ExpiryRecord, LeafFacts, Reason } from "./record.ts";
import { changesOf } from "./thresholds.ts";

export interface Loaded {
  /** `NAME at SOCKET`. */
  place: string;
  /** What HAProxy tells. */
  loaded: LoadedCertificate;
  /** The record of the file that it was loaded from, or that holds the same certificate. */
  file: ExpiryRecord | undefined;
  /** Whether the file's first certificate is the one that is loaded. */
  same: boolean;
}

/** The facts that a certificate itself holds. */
const OWN_REASONS: Reason[] = [
  "expired",
  "expires_soon",
  "not_yet_valid",
  "clock",
  "placeholder",
  "test_issuer",
  "name_missing",
];

/** The record of a loaded certificate. */
export function loadedRecord({ place, loaded, file, same }: Loaded, rules: Rules): ExpiryRecord {
  const where = { source: "haproxy" as const, place };
  if (same && file?.leaf) {
    const own = file.findings.filter(({ reason }) => OWN_REASONS.includes(reason));
    return makeRecord(where, own, file);
  }
  if (loaded.unasked !== undefined) {
    const text = `HAProxy cannot be asked about it by this name: ${loaded.unasked}: rename it`;
    return makeRecord(where, [{ state: "UNKNOWN", reason: "unsupported", text }]);
  }
  const leaf = leafOf(loaded);
  const findings = file ? [differenceFinding(loaded, file)] : [];
  if (!leaf) {
    if (file) return makeRecord(where, findings);
    const text = `holds serial ${loaded.serial ?? "unknown"}, of which nothing else is known: no ` +
      "file that was checked holds it";
    return makeRecord(where, [{ state: "UNKNOWN", reason: "unsupported", text }]);
  }
  const { thresholds, names } = rules;
  const changes = changesOf(leaf, thresholds);
  findings.push(
    ...ageFindings(leaf, { clock: rules, thresholds, changes }),
    ...nameFindings(asAlternativeNames(leaf.names), names),
    ...leaf.placeholder ? [PLACEHOLDER_FINDING] : [],
  );
  return makeRecord(where, findings, { leaf, ...changes });
}

function differenceFinding(
  loaded: LoadedCertificate,
  { leaf, place }: ExpiryRecord,
): ExpiryFinding {
  const serial = loaded.serial ?? "unknown";
  if (!leaf) {
    const text = `holds serial ${serial}, and ${place} cannot be read to compare`;
    return { state: "UNKNOWN", reason: "unsupported", text };
  }
  if (wouldGoBack(loaded, leaf)) {
    const text = `HAProxy holds serial ${serial} in memory only, and ${place} the older serial ` +
      `${leaf.serial}, which its next start would serve: bring the memory to disk with acme-lb ` +
      "assemble-pem --from-haproxy";
    return { state: "WARNING", reason: "memory_only", text };
  }
  const text = `HAProxy holds serial ${serial}, but ${place} holds serial ` +
    `${leaf.serial}: reload HAProxy, or swap the file in`;
  return { state: "CRITICAL", reason: "not_served", text };
}

/**
 * Whether a start of HAProxy would exchange what it holds for something worse. A placeholder is, also
 * one that begins later: CAs date back, Let's Encrypt by an hour.
 */
function wouldGoBack(loaded: LoadedCertificate, file: LeafFacts): boolean {
  const { notBefore, notAfter, authority = "", organisation } = loaded;
  if (!notBefore || !notAfter) return false;
  if (file.placeholder) return organisation !== PLACEHOLDER_MARK;
  return isOlder(file, { notBefore, notAfter, authority }) === "older";
}

/** HAProxy's facts about a certificate, if they include its dates. */
function leafOf(loaded: LoadedCertificate): LeafFacts | undefined {
  const { name, serial = "", notBefore, notAfter, names, key = "unknown", authority = "" } = loaded;
  if (!notBefore || !notAfter) return undefined;
  const placeholder = loaded.organisation === PLACEHOLDER_MARK;
  const title = names[0] ?? name;
  const issuer = authority;
  return { title, serial, issuer, authority, names, key, notBefore, notAfter, placeholder };
}
