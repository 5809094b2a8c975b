/**
 * The verdict on the certificates of one place: a file, or what a live endpoint sent.
 *
 * Everything that is wrong is found, not only the first thing. What cannot be checked is UNKNOWN
 * with the reason: a false OK is worse than no monitor.
 */

import { messageOf } from "../errors.ts";
import { judgeAge } from "./validity.ts";
import { type Certificate, nameOf, readCertificate } from "../cert/certificate.ts";
import { judgeChain, judgeLonely } from "./chain_verdict.ts";
import type { Contents } from "./read_certificates.ts";
import { covers } from "../cert/coverage.ts";
import { type ExpiryRecord, type Finding, type LeafFacts, STATES } from "./record.ts";
import { judgeKey } from "./key_verdict.ts";
import { type CryptoCache, UNCACHED_CRYPTO } from "../cert/crypto_cache.ts";
import { asSpans, changesOf, type Thresholds } from "./thresholds.ts";

export interface Rules {
  now: Date;
  /** No right clock shows an earlier time. */
  earliestNow: Date;
  thresholds: Thresholds;
  /** Names, as parseSubjectName returns them, each of which the leaf must cover. */
  names: string[];
}

type Where = Pick<ExpiryRecord, "source" | "place">;

/** The record of a file's content. */
export async function judgeContents(
  where: Where,
  { contents, rules, questions = UNCACHED_CRYPTO }: {
    contents: Contents;
    rules: Rules;
    questions?: CryptoCache;
  },
): Promise<ExpiryRecord> {
  const { certificates, keys, damage, others } = contents;
  if (certificates.length === 0) {
    const held = [...keys.map(({ label }) => label), ...others];
    const text = held.length > 0
      ? `holds ${held.slice(0, 3).join(", ")}, but no certificate`
      : "holds no certificate";
    return makeRecord(where, [{ state: "UNKNOWN", reason: "no_certificate", text }]);
  }
  const findings = [
    ...damage.map((text): Finding => ({ state: "UNKNOWN", reason: "unreadable", text })),
    ...await judgeKey(keys, { certificates, questions }),
  ];
  if (keys.length === 0 && isOfCas(certificates)) {
    return await judgeCertificates(where, {
      certificates: [firstToExpire(certificates)],
      findings,
      rules: { ...rules, names: [], thresholds: asSpans(rules.thresholds, CA_LIFETIME_MS) },
      questions,
    });
  }
  if (keys.length > 0) findings.push(...judgeLonely(certificates));
  return await judgeCertificates(where, { certificates, findings, rules, questions });
}

/**
 * A chain or a trust store of its own, of which the first to expire speaks for all. Nobody renews
 * a CA's certificate by the share of years that is left of it; it gets the days that a
 * certificate of 90 days gets.
 */
const CA_LIFETIME_MS = 90 * 86_400_000;

/** A single self-signed certificate may be a server's own, whatever it says of itself. */
function isOfCas(certificates: Certificate[]): boolean {
  const [first, ...more] = certificates;
  return certificates.every(({ ca }) => ca) && (more.length > 0 || !first!.selfIssued);
}

/** The record of what an endpoint sent: DER, the leaf first. */
export async function judgeServed(
  where: Where,
  { chain, rules }: { chain: Uint8Array[]; rules: Rules },
): Promise<ExpiryRecord> {
  try {
    const certificates = chain.map(readCertificate);
    return await judgeCertificates(where, {
      certificates,
      findings: judgeLonely(certificates),
      rules,
      questions: UNCACHED_CRYPTO,
    });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const text = `the certificate that it sends is damaged: ${messageOf(error)}`;
    return makeRecord(where, [{ state: "UNKNOWN", reason: "unreadable", text }]);
  }
}

/** A record with its findings, the worst first, and the state that follows from them. */
export function makeRecord(
  where: Where,
  findings: Finding[],
  facts: Pick<ExpiryRecord, "leaf" | "warningFrom" | "criticalFrom"> = {},
): ExpiryRecord {
  const rank = ({ state }: Finding) => STATES.indexOf(state);
  const sorted = findings.toSorted((a, b) => rank(b) - rank(a));
  return { ...where, state: sorted[0]?.state ?? "OK", findings: sorted, ...facts };
}

/** The same record with more findings. */
export function addFindings(record: ExpiryRecord, more: Finding[]): ExpiryRecord {
  const { source, place, findings, leaf, warningFrom, criticalFrom } = record;
  return makeRecord({ source, place }, [...findings, ...more], { leaf, warningFrom, criticalFrom });
}

async function judgeCertificates(
  where: Where,
  { certificates, findings, rules, questions }: {
    certificates: Certificate[];
    findings: Finding[];
    rules: Rules;
    questions: CryptoCache;
  },
): Promise<ExpiryRecord> {
  const leaf = certificates[0];
  if (!leaf) throw new SyntaxError("there is none");
  const { now, thresholds } = rules;
  const changes = changesOf(leaf, thresholds);
  const all = [
    ...judgeAge(leaf, { clock: rules, thresholds, changes }),
    ...findings,
    ...await judgeChain(certificates, { now, changes, questions }),
    ...judgeNames(leaf, rules.names),
  ];
  if (leaf.placeholder) {
    const text = "is the placeholder of acme-lb self-signed, never replaced by a real certificate";
    all.push({ state: "WARNING", reason: "placeholder", text });
  }
  return makeRecord(where, all, { leaf: await factsOf(leaf, questions), ...changes });
}

function judgeNames(leaf: Certificate, names: string[]): Finding[] {
  const missing = names.filter((name) => !covers(leaf.names, name));
  if (missing.length === 0) return [];
  const shown = leaf.names.slice(0, 5).map(({ value }) => value.slice(0, 100));
  const own = shown.join(", ") + (leaf.names.length > shown.length ? ", …" : "") || "none";
  const text = `is not for ${missing.join(", ")}; its names: ${own}`;
  return [{ state: "CRITICAL", reason: "name_missing", text }];
}

function firstToExpire(certificates: Certificate[]): Certificate {
  return certificates.reduce((first, next) => next.notAfter < first.notAfter ? next : first);
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
    names: names.map(({ value }) => value),
    key: key.name,
    notBefore,
    notAfter,
    placeholder,
  };
}
