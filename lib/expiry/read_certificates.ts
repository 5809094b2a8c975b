/**
 * What a file holds, PEM or DER: certificates in their order, and private keys.
 *
 * Read as OpenSSL and HAProxy read it: the first certificate is the leaf, and blocks of other kinds
 * are passed over. A block that cannot be read is recorded as damage and hides no other; but at the
 * place of the leaf, no other certificate is taken for the leaf.
 */

import { messageOf } from "../errors.ts";
import { type Certificate, readCertificate } from "../cert/certificate.ts";
import { readFirstDer } from "../cert/der.ts";
import { DER_CERTIFICATE, foreignForm, isDer } from "../cert/foreign_form.ts";
import { isCertificate, type PemBlock, type PemFault, scanPem } from "../cert/pem.ts";
import { isPrivateKey } from "../cert/private_key.ts";

export interface Contents {
  /** Those that can be read, in the order of the file. */
  certificates: Certificate[];
  /** Whether the first of {@link certificates} is the first of the file. */
  leafKnown: boolean;
  keys: PemBlock[];
  /** What cannot be read, a sentence each. */
  damage: string[];
  /** What else the file holds, as PEM calls it. */
  others: string[];
}

/** OpenSSL's own form: a certificate with what its owner trusts it for behind it. */
const TRUSTED = "TRUSTED CERTIFICATE";

/** Blocks in front of a leaf that never hold a certificate, and that OpenSSL passes over. */
const HARMLESS = /(?:^|[ .])(?:PARAMETERS|CERTIFICATE REQUEST|X509 CRL|PUBLIC KEY|PRIVATE KEY)$/;

/** @throws {SyntaxError} for a file that is in another form, with what it is and what to do */
export function readContents(bytes: Uint8Array): Contents {
  if (isDer(bytes)) return readDerFile(bytes);
  const contents: Contents = {
    certificates: [],
    leafKnown: true,
    keys: [],
    damage: [],
    others: [],
  };
  const { blocks, faults } = scanPem(bytes);
  const form = blocks.length + faults.length === 0 ? foreignForm(bytes) : undefined;
  if (form !== undefined) throw new SyntaxError(form);
  if (hasLoneReturns(bytes)) {
    contents.damage.push(
      "lines end with a carriage return alone, where HAProxy and OpenSSL see no end: save the " +
        "file with Unix line ends",
    );
  }
  // A block without END is noticed at the BEGIN of the next one, and comes before it.
  for (const part of [...faults, ...blocks].sort((a, b) => a.line - b.line)) {
    if ("text" in part) addDamage(contents, part);
    else if (isPrivateKey(part)) contents.keys.push(part);
    else if (isCertificate(part) || part.label === TRUSTED) addCertificate(contents, part);
    // `openssl ecparam -genkey` puts them before each key; the key says the same.
    else if (part.label !== "EC PARAMETERS") addOther(contents, part);
  }
  if (contents.certificates.length === 0) contents.leafKnown = true;
  return contents;
}

/** A boundary that only a reader more lenient than OpenSSL sees; CRLF is read by all. */
function hasLoneReturns(bytes: Uint8Array): boolean {
  return bytes.includes(0x0d) && /-----\r+[^\r\n]/.test(new TextDecoder("latin1").decode(bytes));
}

function addDamage(contents: Contents, { line, text, label }: PemFault): void {
  contents.damage.push(`line ${line}: ${text}`);
  if (label === undefined || !HARMLESS.test(label)) expectNoLeafBehind(contents);
}

function addOther(contents: Contents, { line, label }: PemBlock): void {
  contents.others.push(label);
  if (HARMLESS.test(label) || contents.certificates.length > 0) return;
  contents.damage.push(`line ${line}: ${label} is not read, and may hold the first certificate`);
  expectNoLeafBehind(contents);
}

function expectNoLeafBehind(contents: Contents): void {
  if (contents.certificates.length === 0) contents.leafKnown = false;
}

function addCertificate(contents: Contents, { der, line, label }: PemBlock): void {
  try {
    const certificate = label === TRUSTED ? readFirstDer(der).raw : der;
    contents.certificates.push(readCertificate(certificate));
  } catch (error) {
    contents.damage.push(`line ${line}: the certificate is damaged: ${messageOf(error)}`);
    expectNoLeafBehind(contents);
  }
}

function readDerFile(bytes: Uint8Array): Contents {
  try {
    const certificates = [readCertificate(bytes)];
    return { certificates, leafKnown: true, keys: [], damage: [], others: [] };
  } catch (error) {
    const form = foreignForm(bytes)!;
    throw new SyntaxError(
      form === DER_CERTIFICATE ? `is a damaged certificate: ${messageOf(error)}` : form,
    );
  }
}
