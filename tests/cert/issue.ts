/**
 * Certificates of every shape for tests, written with the project's own DER writer and signed by
 * WebCrypto. What other software makes of them is asked of openssl and HAProxy, not of this file.
 */

import { type Certificate, readCertificate } from "../../lib/cert/certificate.ts";
import { TAG } from "../../lib/cert/der.ts";
import {
  writeBitString,
  writeDer,
  writeEcdsaSignature,
  writeInteger,
  writeOid,
  writeSequence,
  writeTime,
  writeUtf8,
} from "../../lib/cert/der_writer.ts";
import { parseIp } from "../../lib/cert/names.ts";
import { encodePem } from "../../lib/cert/pem.ts";

export type KeyName = "P-256" | "P-384" | "Ed25519" | "RSA";

export interface KeyPair {
  kind: KeyName;
  pair: CryptoKeyPair;
  spki: Uint8Array;
  pkcs8: Uint8Array;
  /** PKCS#8. */
  pem: string;
}

export interface Issued {
  certificate: Certificate;
  key: KeyPair;
  pem: string;
}

export interface IssueOptions {
  /** DNS names and addresses. @default ["service.example"] */
  names?: string[];
  /** @default the first name */
  commonName?: string;
  key?: KeyPair;
  /** @default itself: self-signed */
  issuer?: Issued;
  ca?: boolean;
  /** @default an hour before {@link NOW} */
  notBefore?: Date;
  /** @default 89 days after {@link NOW} */
  notAfter?: Date;
  serial?: number[];
  organization?: string;
  /** X.509 version 1, which has no extensions. */
  v1?: boolean;
  /** Whole extensions, in place of the names and constraints. */
  extensions?: Uint8Array[];
}

/** Every test's clock: that of the machine, so that HAProxy and openssl see what is valid. */
export const NOW = new Date(Math.floor(Date.now() / 1000) * 1000);
export const HOUR = 3600_000;
export const DAY = 24 * HOUR;

const ALGORITHMS: Record<KeyName, { algorithm: AlgorithmIdentifier; oid: string }> = {
  "P-256": {
    algorithm: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as EcKeyGenParams,
    oid: "1.2.840.10045.4.3.2",
  },
  "P-384": {
    algorithm: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" } as EcKeyGenParams,
    oid: "1.2.840.10045.4.3.3",
  },
  "Ed25519": { algorithm: { name: "Ed25519" }, oid: "1.3.101.112" },
  "RSA": {
    algorithm: {
      name: "RSASSA-PKCS1-v1_5",
      hash: "SHA-256",
      modulusLength: 2048,
      publicExponent: Uint8Array.of(1, 0, 1),
    } as RsaHashedKeyGenParams,
    oid: "1.2.840.113549.1.1.11",
  },
};

export async function makeKey(kind: KeyName = "P-256"): Promise<KeyPair> {
  const { algorithm } = ALGORITHMS[kind];
  const usages: KeyUsage[] = ["sign", "verify"];
  const pair = await crypto.subtle.generateKey(algorithm, true, usages) as CryptoKeyPair;
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  return { kind, pair, spki, pkcs8, pem: encodePem("PRIVATE KEY", pkcs8) };
}

export async function issue(options: IssueOptions = {}): Promise<Issued> {
  const { names = ["service.example"], issuer } = options;
  const { commonName = names[0] ?? "", ca = false, organization } = options;
  const key = options.key ?? await makeKey();
  const subject = writeSequence(
    ...(organization ? [relativeName("2.5.4.10", organization)] : []),
    relativeName("2.5.4.3", commonName),
  );
  const signer = issuer?.key ?? key;
  const { algorithm, oid } = ALGORITHMS[signer.kind];
  const nullParameters = signer.kind === "RSA" ? [writeDer(TAG.null)] : [];
  const identifier = writeSequence(writeOid(oid), ...nullParameters);
  const serial = options.serial ?? [0x40, ...crypto.getRandomValues(new Uint8Array(15))];
  const body = writeSequence(
    ...options.v1 ? [] : [writeDer(0xa0, writeInteger(Uint8Array.of(2)))],
    writeInteger(Uint8Array.from(serial)),
    identifier,
    issuer?.certificate.subject.der ?? subject,
    writeSequence(
      writeTime(options.notBefore ?? new Date(NOW.getTime() - HOUR)),
      writeTime(options.notAfter ?? new Date(NOW.getTime() + 89 * DAY)),
    ),
    subject,
    key.spki,
    ...options.v1
      ? []
      : [writeDer(0xa3, writeSequence(...options.extensions ?? usualExtensions(names, ca)))],
  );
  const raw = await crypto.subtle.sign(algorithm, signer.pair.privateKey, body.slice());
  const bytes = new Uint8Array(raw);
  const signature = signer.kind.startsWith("P-") ? writeEcdsaSignature(bytes) : bytes;
  const der = writeSequence(body, identifier, writeBitString(signature));
  return { certificate: readCertificate(der), key, pem: encodePem("CERTIFICATE", der) };
}

/** Leaf, two intermediates and root, as a CA would deliver them. */
export async function issueChain(
  options: IssueOptions = {},
): Promise<{ leaf: Issued; lower: Issued; upper: Issued; root: Issued }> {
  const root = await issue({
    names: [],
    commonName: "Root",
    ca: true,
    key: await makeKey("P-384"),
  });
  const upper = await issue({ names: [], commonName: "Upper", ca: true, issuer: root });
  const lower = await issue({ names: [], commonName: "Lower", ca: true, issuer: upper });
  const leaf = await issue({ ...options, issuer: lower });
  return { leaf, lower, upper, root };
}

export function extension(oid: string, value: Uint8Array): Uint8Array {
  return writeSequence(writeOid(oid), writeDer(TAG.octetString, value));
}

function usualExtensions(names: string[], ca: boolean): Uint8Array[] {
  const constraints = ca ? [writeDer(TAG.boolean, Uint8Array.of(0xff))] : [];
  const alternatives = names.map((name) => {
    const address = parseIp(name);
    return address ? writeDer(0x87, address) : writeDer(0x82, new TextEncoder().encode(name));
  });
  return [
    extension("2.5.29.19", writeSequence(...constraints)),
    ...(names.length > 0 ? [extension("2.5.29.17", writeSequence(...alternatives))] : []),
  ];
}

function relativeName(oid: string, value: string): Uint8Array {
  return writeDer(TAG.set, writeSequence(writeOid(oid), writeUtf8(value)));
}
