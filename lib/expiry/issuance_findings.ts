/**
 * Findings about the issuance of a certificate: by a trusted CA, and with a key and a signature that
 * clients accept?
 */

import { type Certificate, titleOf } from "../cert/certificate.ts";
import type { ExpiryFinding } from "./record.ts";

/** The test CAs of public ACME services, which no client trusts. */
const TEST_ISSUER = /\(STAGING\)|\bFake LE |\bhappy hacker fake CA\b|^Buypass Class \d Test\d/i;

/** Broken digests, by signature algorithm. */
const WEAK_DIGESTS = new Map([
  ["1.2.840.113549.1.1.4", "MD5"],
  ["1.2.840.113549.1.1.5", "SHA-1"],
  ["1.2.840.10040.4.3", "SHA-1"],
  ["1.2.840.10045.4.1", "SHA-1"],
]);

/** Of a certificate that acme-lb self-signed made. */
export const PLACEHOLDER_FINDING: ExpiryFinding = {
  state: "WARNING",
  reason: "placeholder",
  text: "is the placeholder of acme-lb self-signed, never replaced by a real certificate",
};

/** Of the leaf, which is the first, and what follows it. */
export function issuanceFindings(certificates: Certificate[]): ExpiryFinding[] {
  const [leaf] = certificates;
  const findings: ExpiryFinding[] = [];
  if (leaf?.placeholder) findings.push(PLACEHOLDER_FINDING);
  const test = leaf?.issuer.attributes.find(({ value }) => TEST_ISSUER.test(value));
  if (test) {
    const text = `comes from ${leaf!.issuer.text}, a test CA that no client trusts: order it ` +
      "again from the CA's production directory";
    findings.push({ state: "WARNING", reason: "test_issuer", text });
  }
  if (leaf?.key.family === "RSA" && leaf.key.bits! < 2048) {
    const text =
      `has a key of ${leaf.key.name}: browsers refuse it, and HAProxy may not start with ` +
      "it; order a certificate for a key of 2048 bits or more";
    findings.push({ state: "WARNING", reason: "weak_key", text });
  }
  for (const certificate of certificates) {
    const digest = WEAK_DIGESTS.get(certificate.signature.algorithm);
    if (digest === undefined || certificate.selfIssued) continue;
    const text =
      `${titleOf(certificate)} is signed with ${digest}: browsers refuse it, and HAProxy ` +
      "before 3.0 does not load it; have it issued again";
    findings.push({ state: "WARNING", reason: "weak_signature", text });
  }
  return findings;
}
