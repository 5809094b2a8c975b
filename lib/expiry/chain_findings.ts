/**
 * Findings about the chain behind a leaf: who signed it, who signed those, how long they are valid,
 * and whether every client accepts their order.
 *
 * The certificate that signed another is its issuer, at any position. Trust in the last one is not
 * checked; a self-signed certificate there is useless, but harmless while it is valid.
 */

import { isExpired, isYetToCome } from "../cert/age.ts";
import { formatRemaining, isoSeconds } from "../time.ts";
import { type Certificate, sameBytes, titleOf } from "../cert/certificate.ts";
import { unique } from "../cert/chain.ts";
import type { CryptoCache } from "../cert/crypto_cache.ts";
import type { ExpiryFinding } from "./record.ts";
import type { Changes } from "./thresholds.ts";

/** Each costs the check of a signature, and a server may send any number. */
const MAX_CERTIFICATES = 20;

interface ChainRules {
  now: Date;
  changes: Changes;
  crypto: Pick<CryptoCache, "issuedBy">;
  /** Whether a signature that this runtime cannot check is reported. @default true */
  unchecked?: boolean;
}

/** Findings about the certificates behind the first; none when there is only one. */
export async function chainFindings(
  certificates: Certificate[],
  { now, changes, crypto, unchecked = true }: ChainRules,
): Promise<ExpiryFinding[]> {
  const [leaf, ...others] = unique(certificates.slice(0, MAX_CERTIFICATES));
  if (!leaf || others.length === 0) return [];
  const links = await findLinks([leaf, ...others], crypto);
  const findings = [
    ...orderFindings([leaf, ...others], links),
    ...endFindings(leaf, { others, links, now, changes }),
  ];
  if (unchecked && links.uncheckedText !== undefined) {
    findings.push({ state: "UNKNOWN", reason: "unsupported", text: links.uncheckedText });
  }
  if (certificates.length > MAX_CERTIFICATES) {
    const text =
      `${certificates.length} certificates, of which only ${MAX_CERTIFICATES} were looked at`;
    findings.push({ state: "WARNING", reason: "chain_broken", text });
  }
  return findings;
}

/**
 * A server that sends only a leaf. It is a finding only if the leaf says where its issuer's
 * certificate can be downloaded, as those of all public CAs do: any other may be signed by a root
 * that clients have.
 */
export function lonelyFindings([leaf, ...others]: Certificate[]): ExpiryFinding[] {
  if (!leaf?.issuerPublished || leaf.selfIssued || others.length > 0) return [];
  const text = `no intermediate follows ${titleOf(leaf)}: clients that do not know ` +
    `${leaf.issuer.text} will refuse it; use the client's fullchain`;
  return [{ state: "WARNING", reason: "chain_broken", text }];
}

interface Links {
  /** Who signed each certificate, by name and signature, or by name where no signature is checked. */
  issuers: Map<Certificate, Certificate[]>;
  /** The first signature on the way up that could not be checked, in one sentence. */
  uncheckedText?: string;
}

/** Signatures are checked only where the names match, so unrelated certificates cost nothing. */
async function findLinks(
  all: Certificate[],
  crypto: Pick<CryptoCache, "issuedBy">,
): Promise<Links> {
  const links: Links = { issuers: new Map() };
  for (const certificate of all) {
    const issuers: Certificate[] = [];
    const uncheckedIssuers: { issuer: Certificate; reason: string }[] = [];
    const candidates = certificate.selfIssued
      ? []
      : all.filter((other) =>
        other !== certificate && sameBytes(certificate.issuer.der, other.subject.der)
      );
    for (const issuer of candidates) {
      const issued = await crypto.issuedBy(certificate, issuer);
      if (issued.answer === "yes") issuers.push(issuer);
      if (issued.answer === "unknown") uncheckedIssuers.push({ issuer, reason: issued.reason });
    }
    const [first] = uncheckedIssuers;
    if (issuers.length === 0 && first) {
      issuers.push(...uncheckedIssuers.map(({ issuer }) => issuer));
      links.uncheckedText ??= `cannot check whether ${titleOf(first.issuer)} signed ` +
        `${titleOf(certificate)}: ${first.reason}; check it with openssl verify, and switch this ` +
        "off with --unchecked-chain ok";
    }
    links.issuers.set(certificate, issuers);
  }
  return links;
}

/** Whether each certificate signed one before it, as old and small clients need it. */
function orderFindings([leaf, ...others]: Certificate[], { issuers }: Links): ExpiryFinding[] {
  const broken = (state: "WARNING" | "CRITICAL", text: string): ExpiryFinding[] => [
    { state, reason: "chain_broken", text },
  ];
  if (!leaf!.selfIssued && issuers.get(leaf!)!.length === 0) {
    return broken(
      "CRITICAL",
      `no certificate behind ${titleOf(leaf!)} signed it: clients will refuse it; ` +
        "assemble the file again with the chain that came with the certificate",
    );
  }
  const signers = new Set([...issuers.values()].flat());
  const strangers = others.filter((certificate) => !signers.has(certificate));
  if (strangers.length > 0) {
    const titles = strangers.map(titleOf).join(", ");
    return broken(
      "WARNING",
      strangers.length === 1
        ? `${titles} does not belong to the chain: it signed none of it`
        : `${titles} do not belong to the chain: they signed none of it`,
    );
  }
  const inOrder = others.every((certificate, i) =>
    [leaf!, ...others.slice(0, i)].some((before) => issuers.get(before)!.includes(certificate))
  );
  if (inOrder) return [];
  const titles = wayUp(leaf!, issuers).map(titleOf).join(", then ");
  return broken("WARNING", `the chain is out of order: ${titles} should follow`);
}

/** One way up from the leaf, each certificate once. */
function wayUp(leaf: Certificate, issuers: Links["issuers"]): Certificate[] {
  const way: Certificate[] = [];
  let next: Certificate | undefined = leaf;
  while ((next = issuers.get(next)!.find((issuer) => !way.includes(issuer) && issuer !== leaf))) {
    way.push(next);
  }
  return way;
}

/**
 * The certificates that end too early. Without a valid issuer of its own no client accepts the
 * leaf; higher up, clients may know another way to a root (a cross-signed certificate that has
 * expired is common there). A certificate that has a valid twin is not needed.
 */
function endFindings(
  leaf: Certificate,
  { others, links: { issuers }, now, changes }: {
    others: Certificate[];
    links: Links;
    now: Date;
    changes: Changes;
  },
): ExpiryFinding[] {
  const lasts = (one: Certificate) =>
    !isYetToCome(one, now) && !isExpired(one, now) && one.notAfter >= leaf.notAfter;
  const findings: ExpiryFinding[] = [];
  const told = new Set<Certificate>();
  for (const certificate of [leaf, ...others]) {
    const found = issuers.get(certificate)!.filter((issuer) => issuer !== leaf);
    const spare = found.find(lasts);
    const needed = spare ?? latest(found, now);
    for (const issuer of found) {
      if (lasts(issuer) || told.has(issuer)) continue;
      told.add(issuer);
      if (issuer !== needed) findings.push(...extraFindings(issuer, now));
      else findings.push(endFinding(issuer, { leaf, now, changes, direct: certificate === leaf }));
    }
  }
  return findings;
}

/** The best one for a client: valid now before others, then the last to end. */
function latest(certificates: Certificate[], now: Date): Certificate | undefined {
  const rank = ({ notBefore, notAfter }: Certificate) => notBefore > now ? -1 : notAfter.getTime();
  return certificates.toSorted((a, b) => rank(b) - rank(a))[0];
}

function extraFindings(certificate: Certificate, now: Date): ExpiryFinding[] {
  if (now < certificate.notAfter) return [];
  const text = `${titleOf(certificate)} in the chain expired ` +
    `${formatRemaining(now, certificate.notAfter)}; another one replaces it: leave it out`;
  return [{ state: "WARNING", reason: "chain_expires_first", text }];
}

function endFinding(
  certificate: Certificate,
  { leaf, now, changes, direct }: {
    leaf: Certificate;
    now: Date;
    changes: Changes;
    direct: boolean;
  },
): ExpiryFinding {
  const { notBefore, notAfter } = certificate;
  const title = titleOf(certificate);
  if (isYetToCome(certificate, now)) {
    const text = `${title} in the chain is not valid before ${isoSeconds(notBefore)}`;
    return { state: direct ? "CRITICAL" : "WARNING", reason: "not_yet_valid", text };
  }
  const marginMs = leaf.notAfter.getTime() - changes.criticalFrom.getTime();
  const late = now.getTime() >= notAfter.getTime() - marginMs;
  const verb = isExpired(certificate, now) ? "expired" : "expires in";
  const text = `${title} in the chain ${verb} ${formatRemaining(now, notAfter)}, before the ` +
    "certificate itself: renew to get another chain";
  return { state: direct && late ? "CRITICAL" : "WARNING", reason: "chain_expires_first", text };
}
