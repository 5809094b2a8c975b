/**
 * The facts of one certificate (RFC 5280 section 4.1), read by a strict reader of our own.
 *
 * The runtime's X509Certificate joins names into text that can be forged, takes bytes after the
 * certificate into its fingerprints, and throws from getters; see the tests. Whether a signature
 * is right is another question: issued_by.ts.
 */

import { authorityOf, type Issuance } from "./age.ts";
import {
  childrenOf,
  type Element,
  expectTag,
  readAlgorithm,
  readBitString,
  readBoolean,
  readDer,
  readInteger,
  readOid,
  readSequence,
  readTime,
  TAG,
} from "./der.ts";
import { type KeyKind, readKeyKind } from "./key_kind.ts";
import {
  type AlternativeName,
  type DistinguishedName,
  readAlternativeNames,
  readDistinguishedName,
} from "./names.ts";

export interface Certificate {
  /** Exactly the certificate's SEQUENCE. */
  der: Uint8Array;
  /** 1 has no extensions, so it cannot say whether it is a CA's (RFC 5280 section 4.1.2.1). */
  version: number;
  /** Upper-case hex of whole bytes, as `openssl x509 -serial` and HAProxy print it. */
  serial: string;
  issuer: DistinguishedName;
  subject: DistinguishedName;
  notBefore: Date;
  notAfter: Date;
  names: AlternativeName[];
  /** BasicConstraints says that it may issue certificates. */
  ca: boolean;
  /** It says where its issuer's certificate can be downloaded (RFC 5280 section 4.2.2.1). */
  issuerPublished: boolean;
  key: KeyKind;
  /** The SubjectPublicKeyInfo, to compare with a private key's. */
  spki: Uint8Array;
  /** Subject and issuer are the same name; the signature has not been looked at. */
  selfIssued: boolean;
  /** Made by `acme-lb self-signed`, so that HAProxy could start: see {@link PLACEHOLDER_MARK}. */
  placeholder: boolean;
  signature: { algorithm: string; signed: Uint8Array; value: Uint8Array };
}

/**
 * The organisation in the subject and issuer of a placeholder. No publicly trusted CA puts an
 * organisation that it has not verified into a certificate, browsers and openssl show it, and it
 * needs no registered object identifier.
 */
export const PLACEHOLDER_MARK = "acme-lb placeholder";

/**
 * Reads a DER certificate.
 * @throws {SyntaxError} for anything but exactly one well-formed certificate
 */
export function readCertificate(der: Uint8Array): Certificate {
  const whole = readDer(der);
  const [body, outerAlgorithm, signatureBits, ...rest] = readSequence(whole, "certificate");
  const fields = readSequence(body, "certificate body");
  const version = fields[0]?.tag === 0xa0 ? readVersion(fields.shift()!) : 1;
  const [serial, algorithm, issuerName, validity, subjectName, spki, ...optional] = fields;
  const signatureAlgorithm = expectTag(outerAlgorithm, TAG.sequence, "signature algorithm");
  if (rest.length > 0 || !sameBytes(signatureAlgorithm.raw, algorithm?.raw)) {
    throw new SyntaxError("the certificate's body and signature do not belong together");
  }
  const issuer = readDistinguishedName(issuerName, "issuer");
  const subject = readDistinguishedName(subjectName, "subject");
  const [notBefore, notAfter, ...others] = readSequence(validity, "validity");
  if (others.length > 0) throw new SyntaxError("the validity has too many fields");
  const extensions = readExtensions(optional, version);
  const alternativeNames = extensions.get("2.5.29.17");
  const constraints = extensions.get("2.5.29.19");
  const access = extensions.get("1.3.6.1.5.5.7.1.1");
  const selfIssued = sameBytes(subject.der, issuer.der);
  return {
    der: whole.raw,
    version,
    serial: readInteger(serial, "serial number").magnitude.toHex().toUpperCase(),
    issuer,
    subject,
    notBefore: readTime(notBefore, "start of validity"),
    notAfter: readTime(notAfter, "end of validity"),
    names: alternativeNames ? readAlternativeNames(readDer(alternativeNames)) : [],
    ca: constraints ? readAuthority(readDer(constraints)) : false,
    issuerPublished: access ? readAccess(readDer(access)) : false,
    key: readKeyKind(spki),
    spki: spki!.raw,
    selfIssued,
    placeholder: selfIssued &&
      subject.attributes.some(({ type, value }) => type === "O" && value === PLACEHOLDER_MARK),
    signature: {
      algorithm: readAlgorithm(signatureAlgorithm, "signature algorithm").oid,
      signed: body!.raw,
      value: readBitString(signatureBits, "signature"),
    },
  };
}

/** When it was issued and by whom, to be compared with another. */
export function issuanceOf({ notBefore, notAfter, issuer }: Certificate): Issuance {
  return { notBefore, notAfter, authority: authorityOf(issuer) };
}

/** The name of a certificate in a message: its first name, else its subject, and its serial. */
export function titleOf(certificate: Certificate): string {
  return `${nameOf(certificate)} (serial ${certificate.serial})`;
}

/** Its first name, else its subject. */
export function nameOf({ names, subject }: Certificate): string {
  const name = names.find(({ kind }) => kind === "DNS" || kind === "IP")?.value ?? subject.text;
  return name.slice(0, 100) || "a certificate without a name";
}

/** Digest of the certificate as `openssl x509 -fingerprint` shows it, upper-case hex, no colons. */
export async function fingerprint(
  { der }: Certificate,
  algorithm: "SHA-256" | "SHA-1" = "SHA-256",
): Promise<string> {
  const digest = await crypto.subtle.digest(algorithm, der as BufferSource);
  return new Uint8Array(digest).toHex().toUpperCase();
}

/** The same with node:crypto: slower to load, but ten times faster for each of thousands. */
export async function fingerprintOfMany(
  { der }: Certificate,
  algorithm: "SHA-256" | "SHA-1" = "SHA-256",
): Promise<string> {
  const { createHash } = await import("node:crypto");
  return createHash(algorithm.replace("-", "")).update(der).digest("hex").toUpperCase();
}

export function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  if (a.length !== b?.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function readVersion(tagged: Element): number {
  const { magnitude, negative } = readInteger(childrenOf(tagged)[0], "version");
  const version = magnitude[0]! + 1;
  if (negative || magnitude.length !== 1 || version < 2 || version > 3) {
    throw new SyntaxError("the certificate's version is unknown");
  }
  return version;
}

/** The extensions' values by identifier; unique identifiers ([1], [2]), bits, are passed over. */
function readExtensions(optional: Element[], version: number): Map<string, Uint8Array> {
  const values = new Map<string, Uint8Array>();
  let last = 0xa0;
  for (const element of optional) {
    const bits = [0x81, 0x82].includes(element.tag) && element.content[0]! < 8;
    if ((!bits && element.tag !== 0xa3) || (element.tag & 3) <= (last & 3)) {
      throw new SyntaxError("the certificate has unknown fields after its public key");
    }
    last = element.tag;
  }
  const tagged = optional.find(({ tag }) => tag === 0xa3);
  if (!tagged) return values;
  if (version !== 3) throw new SyntaxError("the certificate has extensions but is not version 3");
  const [list, ...rest] = childrenOf(tagged);
  if (rest.length > 0) throw new SyntaxError("the certificate has several lists of extensions");
  for (const extension of readSequence(list, "extensions")) {
    const [identifier, ...parts] = readSequence(extension, "extension");
    const oid = readOid(identifier, "extension identifier");
    const value = expectTag(parts.pop(), TAG.octetString, `extension ${oid}`);
    if (parts.length > 0) readBoolean(parts.pop(), `criticality of extension ${oid}`);
    if (parts.length > 0) throw new SyntaxError(`extension ${oid} has too many fields`);
    if (values.has(oid)) throw new SyntaxError(`extension ${oid} occurs twice`);
    values.set(oid, value.content);
  }
  return values;
}

function readAuthority(constraints: Element): boolean {
  const [flag] = readSequence(constraints, "basic constraints");
  return flag?.tag === TAG.boolean && readBoolean(flag, "basic constraints");
}

/** Whether authority information access names caIssuers among its ways. */
function readAccess(access: Element): boolean {
  return readSequence(access, "authority information access").some((description) =>
    readOid(readSequence(description, "access description")[0], "access method") ===
      "1.3.6.1.5.5.7.48.2"
  );
}
