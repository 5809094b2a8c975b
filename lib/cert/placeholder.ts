/**
 * The placeholder: a self-signed ECDSA P-256 certificate with which HAProxy can start before the
 * first issuance; it carries PLACEHOLDER_MARK, by which it is recognised.
 *
 * Written here and not with a library: it is seven fields and four extensions of RFC 5280, and the
 * library takes 80 ms to load at each start.
 */

import { PLACEHOLDER_MARK } from "./certificate.ts";
import {
  writeBitString,
  writeDer,
  writeEcdsaSignature,
  writeInteger,
  writeOid,
  writeSequence,
  writeTime,
  writeUtf8,
} from "./der_writer.ts";
import { TAG } from "./der.ts";
import { parseIp } from "./names.ts";

interface Placeholder {
  /** The certificate. */
  certificate: Uint8Array;
  /** Its private key, PKCS#8. */
  key: Uint8Array;
}

interface PlaceholderOptions {
  /** As parseSubjectName in coverage.ts returns them, at least one. */
  names: string[];
  now: Date;
  /** Days of validity from now. */
  days: number;
}

/** Clocks of clients may be behind ours. */
const BACKDATED_MS = 3600_000;
const DAY_MS = 86_400_000;

/** Makes a key and its certificate. */
export async function makePlaceholder(options: PlaceholderOptions): Promise<Placeholder> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const pair = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const [spki, key] = await Promise.all([
    crypto.subtle.exportKey("spki", pair.publicKey),
    crypto.subtle.exportKey("pkcs8", pair.privateKey),
  ]);
  const body = certificateBody(options, new Uint8Array(spki));
  const signature = await crypto.subtle.sign(algorithm, pair.privateKey, body.slice());
  const bits = writeBitString(writeEcdsaSignature(new Uint8Array(signature)));
  return { certificate: writeSequence(body, ecdsaWithSha256(), bits), key: new Uint8Array(key) };
}

function ecdsaWithSha256(): Uint8Array {
  return writeSequence(writeOid("1.2.840.10045.4.3.2"));
}

/*
 * TBSCertificate ::= SEQUENCE { [0] version, serialNumber, signature, issuer, validity, subject,
 *   subjectPublicKeyInfo, [3] extensions }                              RFC 5280 section 4.1
 */
function certificateBody({ names, now, days }: PlaceholderOptions, spki: Uint8Array): Uint8Array {
  const serial = crypto.getRandomValues(new Uint8Array(16));
  // Always sixteen bytes, never negative: openssl, HAProxy and people see the same digits.
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  const [first = ""] = names;
  const subject = writeSequence(
    relativeName("2.5.4.10", PLACEHOLDER_MARK),
    // RFC 5280 allows a common name 64 characters.
    ...(first.length <= 64 ? [relativeName("2.5.4.3", first)] : []),
  );
  const start = new Date(now.getTime() - BACKDATED_MS);
  const end = new Date(now.getTime() + days * DAY_MS);
  return writeSequence(
    writeDer(0xa0, writeInteger(Uint8Array.of(2))),
    writeInteger(serial),
    ecdsaWithSha256(),
    subject,
    writeSequence(writeTime(start), writeTime(end)),
    subject,
    spki,
    writeDer(0xa3, writeExtensions(names)),
  );
}

/** basicConstraints (not a CA), keyUsage (digitalSignature), serverAuth, and the names. */
function writeExtensions(names: string[]): Uint8Array {
  const critical = writeDer(TAG.boolean, Uint8Array.of(0xff));
  const octets = (value: Uint8Array) => writeDer(TAG.octetString, value);
  const usage = writeDer(TAG.bitString, Uint8Array.of(7, 0x80));
  const serverAuth = writeSequence(writeOid("1.3.6.1.5.5.7.3.1"));
  const alternatives = names.map((name) => {
    const address = parseIp(name);
    return address ? writeDer(0x87, address) : writeDer(0x82, new TextEncoder().encode(name));
  });
  return writeSequence(
    writeSequence(writeOid("2.5.29.19"), critical, octets(writeSequence())),
    writeSequence(writeOid("2.5.29.15"), critical, octets(usage)),
    writeSequence(writeOid("2.5.29.37"), octets(serverAuth)),
    writeSequence(writeOid("2.5.29.17"), octets(writeSequence(...alternatives))),
  );
}

function relativeName(oid: string, value: string): Uint8Array {
  return writeDer(TAG.set, writeSequence(writeOid(oid), writeUtf8(value)));
}
