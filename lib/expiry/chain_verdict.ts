/**
 * What follows a leaf: is each certificate the issuer of the one before, and does it last?
 *
 * Whether anybody trusts the top is not asked. A self-signed certificate at the top is sent for
 * nothing and harms nobody.
 */

import { formatRemaining, isoSeconds } from "../time.ts";
import { type Certificate, titleOf } from "../cert/certificate.ts";
import { orderChain, unique } from "../cert/chain.ts";
import type { Finding } from "./record.ts";
import type { CryptoCache } from "../cert/crypto_cache.ts";
import type { Changes } from "./thresholds.ts";

/** Each costs the check of a signature; a server may send what it likes. */
const MAX_CERTIFICATES = 20;

type NonEmpty = [Certificate, ...Certificate[]];

export async function judgeChain(
  certificates: Certificate[],
  { now, changes, questions }: {
    now: Date;
    changes: Changes;
    questions: Pick<CryptoCache, "issuedBy">;
  },
): Promise<Finding[]> {
  if (certificates.length < 2) return [];
  const [leaf, ...above] = unique(certificates.slice(0, MAX_CERTIFICATES)) as NonEmpty;
  const findings = await judgeOrder(leaf, { above, questions });
  if (certificates.length > MAX_CERTIFICATES) {
    const text =
      `${certificates.length} certificates, of which only ${MAX_CERTIFICATES} were looked at`;
    findings.push({ state: "WARNING", reason: "chain_broken", text });
  }
  for (const [index, certificate] of above.entries()) {
    if (certificate.selfIssued) continue;
    findings.push(...judgeEnd(certificate, { leaf, now, changes, indispensable: index === 0 }));
  }
  return findings;
}

/**
 * A leaf alone where a server sends it. Only one that says where its issuer's certificate can be
 * had is blamed, as all of public CAs do: another may well be signed by a root that clients have.
 */
export function judgeLonely([leaf, ...above]: Certificate[]): Finding[] {
  if (!leaf?.issuerPublished || leaf.selfIssued || above.length > 0) return [];
  const text = `no intermediate follows ${titleOf(leaf)}: clients that do not know ` +
    `${leaf.issuer.text} will refuse it; use the client's fullchain`;
  return [{ state: "WARNING", reason: "chain_broken", text }];
}

async function judgeOrder(
  leaf: Certificate,
  { above, questions }: { above: Certificate[]; questions: Pick<CryptoCache, "issuedBy"> },
): Promise<Finding[]> {
  let last = leaf;
  for (const next of above) {
    const issued = await questions.issuedBy(last, next);
    if (issued.answer === "unknown") {
      const text = `cannot check whether ${titleOf(next)} signed ${
        titleOf(last)
      }: ${issued.reason}`;
      return [{ state: "UNKNOWN", reason: "unsupported", text }];
    }
    if (issued.answer === "no") return [await explain(leaf, above)];
    last = next;
  }
  return [];
}

/** What is wrong with a chain that is not in order. */
async function explain(leaf: Certificate, above: Certificate[]): Promise<Finding> {
  const { intermediates, rooted, refusals: [refusal] } = await orderChain(leaf, above);
  if (intermediates.length === 0 && !rooted && !leaf.selfIssued) {
    const text = `no certificate behind ${titleOf(leaf)} signed it: clients will refuse it; ` +
      "assemble the file anew with the chain that came with the certificate";
    return { state: "CRITICAL", reason: "chain_broken", text };
  }
  const text = refusal ??
    `the chain is out of order: ${intermediates.map(titleOf).join(", then ")} should follow`;
  return { state: "WARNING", reason: "chain_broken", text };
}

/**
 * Without the leaf's own issuer no client accepts the leaf; higher up, clients may know another
 * way to a root (a cross-signed certificate that has expired is common there).
 */
function judgeEnd(
  certificate: Certificate,
  { leaf, now, changes, indispensable }: {
    leaf: Certificate;
    now: Date;
    changes: Changes;
    indispensable: boolean;
  },
): Finding[] {
  const { notBefore, notAfter } = certificate;
  const title = titleOf(certificate);
  if (now < notBefore) {
    const text = `${title} in the chain is not valid before ${isoSeconds(notBefore)}`;
    return [{ state: indispensable ? "CRITICAL" : "WARNING", reason: "not_yet_valid", text }];
  }
  if (notAfter >= leaf.notAfter) return [];
  const margin = leaf.notAfter.getTime() - changes.criticalFrom.getTime();
  const late = now.getTime() >= notAfter.getTime() - margin;
  const verb = now >= notAfter ? "expired" : "expires in";
  const text = `${title} in the chain ${verb} ${formatRemaining(now, notAfter)}, before the ` +
    "certificate itself: renew to get another chain";
  return [{
    state: indispensable && late ? "CRITICAL" : "WARNING",
    reason: "chain_expires_first",
    text,
  }];
}
