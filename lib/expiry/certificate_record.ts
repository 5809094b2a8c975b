/**
 * The record of the certificates of one place: a file, or what a live endpoint sent.
 *
 * All faults are found, not only the first. What cannot be checked is UNKNOWN with the reason,
 * because a false OK is worse than no monitoring.
 */

import { startOf } from "../clip.ts";
import { isExpired } from "../cert/age.ts";
import { messageOf } from "../errors.ts";
import { formatRemaining } from "../time.ts";
import { authorityOf } from "../cert/age.ts";
import { ageFindings } from "./age_findings.ts";
import { type Certificate, nameOf, readCertificate, titleOf } from "../cert/certificate.ts";
import { chainFindings, lonelyFindings } from "./chain_findings.ts";
import { issuanceFindings } from "./issuance_findings.ts";
import type { Contents } from "./read_certificates.ts";
import { covers } from "../cert/coverage.ts";
import type { AlternativeName } from "../cert/names.ts";
import {
  type ChainFacts,
  type ExpiryFinding,
  type ExpiryRecord,
  type LeafFacts,
  STATES,
} from "./record.ts";
import { keyFindings } from "./key_findings.ts";
import { type CryptoCache, UNCACHED_CRYPTO } from "../cert/crypto_cache.ts";
import { asSpans, changesOf, type Thresholds } from "./thresholds.ts";

export interface Rules {
  now: Date;
  /** A clock that shows an earlier time is wrong. */
  earliestNow: Date;
  thresholds: Thresholds;
  /** Names, as parseSubjectName returns them, each of which every certificate must cover. */
  names: string[];
  /** Whether a chain that this runtime cannot check is UNKNOWN. @default true */
  unchecked?: boolean;
}

/** What tells a record from every other. */
export type Where = Pick<ExpiryRecord, "source" | "place" | "target" | "servername">;

/** The record of a file's content. */
export async function fileRecord(
  where: Where,
  { contents, rules, crypto = UNCACHED_CRYPTO }: {
    contents: Contents;
    rules: Rules;
    crypto?: CryptoCache;
  },
): Promise<ExpiryRecord> {
  const { certificates, leafKnown, keys, damage } = contents;
  const findings = damage.map((text): ExpiryFinding => ({
    state: "UNKNOWN",
    reason: "unreadable",
    text,
  }));
  if (certificates.length === 0) {
    return makeRecord(where, findings.length > 0 ? findings : [noCertificate(contents)]);
  }
  if (!leafKnown) {
    return makeRecord(where, [...findings, ...expiredBehind(certificates, rules.now)]);
  }
  if (keys.length === 0 && areAuthorities(certificates)) {
    const [first, ...others] = firstToExpire(certificates);
    const thresholds = asSpans(rules.thresholds, CA_LIFETIME_MS);
    const changes = changesOf(first, thresholds);
    findings.push(...ageFindings(first, { clock: rules, thresholds, changes }));
    findings.push(...nameFindings(first.names, rules.names));
    return await recordOf(where, { leaf: first, others, findings, thresholds, crypto });
  }
  findings.push(...await keyFindings(keys, { certificates, crypto }));
  if (keys.length > 0) findings.push(...lonelyFindings(certificates));
  return await chainRecord(where, { certificates, findings, rules, crypto });
}

/** The record of what an endpoint sent: DER, the leaf first. */
export async function servedRecord(
  where: Where,
  { chain, rules }: { chain: Uint8Array[]; rules: Rules },
): Promise<ExpiryRecord> {
  try {
    const certificates = chain.map(readCertificate);
    if (certificates.length === 0) throw new SyntaxError("there is none");
    const findings = lonelyFindings(certificates);
    return await chainRecord(where, { certificates, findings, rules, crypto: UNCACHED_CRYPTO });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const text = `the certificate that the server sends is damaged: ${messageOf(error)}`;
    return makeRecord(where, [{ state: "UNKNOWN", reason: "unreadable", text }]);
  }
}

/** A record with its findings, the worst first, and the state that follows from them. */
export function makeRecord(
  { source, place, target, servername }: Where,
  findings: ExpiryFinding[],
  facts: Pick<ExpiryRecord, "leaf" | "chain" | "warningFrom" | "criticalFrom"> = {},
): ExpiryRecord {
  const rank = ({ state }: ExpiryFinding) => STATES.indexOf(state);
  const sorted = findings.toSorted((a, b) => rank(b) - rank(a));
  const { leaf, chain, warningFrom, criticalFrom } = facts;
  return {
    source,
    place,
    ...target === undefined ? {} : { target },
    ...servername === undefined ? {} : { servername },
    state: sorted[0]?.state ?? "OK",
    findings: sorted,
    ...leaf ? { leaf, chain, warningFrom, criticalFrom } : {},
  };
}

/** The same record with more findings. */
export function addFindings(record: ExpiryRecord, more: ExpiryFinding[]): ExpiryRecord {
  return more.length === 0 ? record : makeRecord(record, [...record.findings, ...more], record);
}

function noCertificate({ keys, others }: Contents): ExpiryFinding {
  const held = [...keys.map(({ label }) => label), ...others];
  const text = held.length > 0
    ? `holds ${held.slice(0, 3).join(", ")}, but no certificate`
    : "holds no certificate";
  return { state: "UNKNOWN", reason: "no_certificate", text };
}

/** It is not known which of them is served, but an expired one is wrong in any place. */
function expiredBehind(certificates: Certificate[], now: Date): ExpiryFinding[] {
  return certificates.filter((one) => isExpired(one, now)).map((certificate) => ({
    state: certificate.ca ? "WARNING" : "CRITICAL",
    reason: "expired",
    text: `${titleOf(certificate)}, which follows, expired ` +
      formatRemaining(now, certificate.notAfter),
  }));
}

/**
 * A file with only a chain or a trust store: the first to expire decides. A share of its lifetime
 * would be years for a CA's certificate, so it gets the thresholds of a certificate of 90 days.
 */
const CA_LIFETIME_MS = 90 * 86_400_000;

/**
 * A single self-signed certificate with names may be a server's, even when it claims to be a CA's.
 * Version 1 cannot say that it is a CA's; its roots are self-signed.
 */
function areAuthorities(certificates: Certificate[]): boolean {
  const [first, ...more] = certificates;
  const named = first!.names.some(({ kind }) => kind === "DNS" || kind === "IP");
  return certificates.every(({ ca, version, selfIssued }) => ca || (version === 1 && selfIssued)) &&
    (more.length > 0 || !first!.selfIssued || !named);
}

function firstToExpire(certificates: Certificate[]): [Certificate, ...Certificate[]] {
  const first = certificates.reduce((a, b) => b.notAfter < a.notAfter ? b : a);
  return [first, ...certificates.filter((certificate) => certificate !== first)];
}

/** The record of a leaf with what follows it. */
async function chainRecord(
  where: Where,
  { certificates, findings, rules, crypto }: {
    certificates: Certificate[];
    findings: ExpiryFinding[];
    rules: Rules;
    crypto: CryptoCache;
  },
): Promise<ExpiryRecord> {
  const [leaf, ...others] = certificates as [Certificate, ...Certificate[]];
  const { now, thresholds, names, unchecked } = rules;
  const changes = changesOf(leaf, thresholds);
  const all = [
    ...ageFindings(leaf, { clock: rules, thresholds, changes }),
    ...findings,
    ...await chainFindings(certificates, { now, changes, crypto, unchecked }),
    ...nameFindings(leaf.names, names),
    ...issuanceFindings(certificates),
  ];
  return await recordOf(where, { leaf, others, findings: all, thresholds, crypto });
}

/** What is wrong when none of a certificate's names covers a wanted one. */
export function nameFindings(names: AlternativeName[], wanted: string[]): ExpiryFinding[] {
  const missing = wanted.filter((name) => !covers(names, name));
  if (missing.length === 0) return [];
  const shown = names.slice(0, 5).map(({ value }) => startOf(value, 100));
  const own = shown.join(", ") + (names.length > shown.length ? ", …" : "") || "none";
  const text = `is not for ${missing.join(", ")}; its names: ${own}`;
  return [{ state: "CRITICAL", reason: "name_missing", text }];
}

async function recordOf(
  where: Where,
  { leaf, others, findings, thresholds, crypto }: {
    leaf: Certificate;
    others: Certificate[];
    findings: ExpiryFinding[];
    thresholds: Thresholds;
    crypto: Pick<CryptoCache, "fingerprint">;
  },
): Promise<ExpiryRecord> {
  const chain = others.map((other): ChainFacts => {
    const { serial, notBefore, notAfter } = other;
    return { title: nameOf(other), serial, notBefore, notAfter };
  });
  const facts = await factsOf(leaf, crypto);
  return makeRecord(where, findings, { leaf: facts, chain, ...changesOf(leaf, thresholds) });
}

async function factsOf(
  leaf: Certificate,
  { fingerprint }: Pick<CryptoCache, "fingerprint">,
): Promise<LeafFacts> {
  const { serial, issuer, names, key, notBefore, notAfter, placeholder } = leaf;
  return {
    title: nameOf(leaf),
    serial,
    fingerprint: await fingerprint(leaf),
    issuer: issuer.text,
    authority: authorityOf(issuer),
    names: names.map(({ value }) => value),
    key: key.name,
    notBefore,
    notAfter,
    placeholder,
  };
}
