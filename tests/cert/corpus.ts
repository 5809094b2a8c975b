/**
 * A corpus of certificates for check-expiry: every kind of key at every age of every lifetime, in
 * the forms in which files hold them, and chains, repetitions, junk. Keys that WebCrypto cannot
 * make come from openssl; what each file should come to is not written here but asked of openssl.
 */

import { encodePem } from "../../lib/cert/pem.ts";
import { DAY, HOUR, issue, type Issued, type KeyPair, makeKey, NOW } from "./issue.ts";
import { openssl, opensslKey } from "./openssl.ts";

export interface Specimen {
  /** What it is, as file name. */
  name: string;
  /** The file as check-expiry gets it. */
  file: Uint8Array;
  /** The leaf alone, for openssl. */
  pem: string;
  /** In ms. */
  lifetime: number;
}

const LIFETIMES = {
  "6d": 160 * HOUR,
  "45d": 45 * DAY,
  "64d": 64 * DAY,
  "90d": 90 * DAY,
  "398d": 398 * DAY,
};

/** Seconds from a point of the life, given as its share. */
const AGES: [share: number, seconds: number][] = [
  [-0.01, 0],
  [0, -1],
  [0, 0],
  [0.01, 0],
  [0.5, 0],
  [0.75, -1],
  [0.75, 1],
  [0.875, -1],
  [0.875, 1],
  [1, -1],
  [1, 0],
  [1.1, 0],
];

const KINDS: [name: string, algorithm: string, ...options: string[]][] = [
  ["rsa2048", "RSA", "rsa_keygen_bits:2048"],
  ["rsa3072", "RSA", "rsa_keygen_bits:3072"],
  ["rsa4096", "RSA", "rsa_keygen_bits:4096"],
  ["p256", "EC", "ec_paramgen_curve:P-256"],
  ["p384", "EC", "ec_paramgen_curve:P-384"],
  ["p521", "EC", "ec_paramgen_curve:P-521"],
  ["ed25519", "ED25519"],
  ["ed448", "ED448"],
  ["rsapss", "RSA-PSS", "rsa_keygen_bits:2048"],
];

const text = (content: string) => new TextEncoder().encode(content);

const block = (label: string) => encodePem(label, Uint8Array.of(0x30, 0));

/**
 * One file of each form around a leaf; which one a specimen gets goes round. The twin is a second
 * certificate of the CA's key.
 */
const FORMS: [name: string, make: (leaf: Issued, ca: Issued, twin: Issued) => Uint8Array][] = [
  ["leaf", (leaf) => text(leaf.pem)],
  ["haproxy", (leaf, ca) => text(leaf.key.pem + leaf.pem + ca.pem)],
  ["key-last", (leaf, ca) => text(leaf.pem + ca.pem + leaf.key.pem)],
  ["der", (leaf) => leaf.certificate.der],
  ["crlf", (leaf) => text(`\ufeff${leaf.pem.replaceAll("\n", "\r\n")}`)],
  ["repeated", (leaf, ca) => text(leaf.pem + leaf.pem + ca.pem + ca.pem)],
  ["key-middle", (leaf, ca) => text(leaf.pem + leaf.key.pem + ca.pem)],
  ["twins", (leaf, ca, twin) => text(leaf.pem + twin.pem + ca.pem)],
  ["twins-turned", (leaf, ca, twin) => text(leaf.key.pem + leaf.pem + ca.pem + twin.pem)],
  ["dh-behind", (leaf, ca) => text(leaf.pem + ca.pem + block("X9.42 DH PARAMETERS"))],
  ["parameters-first", (leaf, ca) => text(block("EC PARAMETERS") + leaf.pem + ca.pem)],
  ["crl-between", (leaf, ca) => text(leaf.pem + block("X509 CRL") + ca.pem)],
  ["comment", (leaf, ca) => text(`# -----BEGIN CERTIFICATE----- of x\n${leaf.pem}${ca.pem}`)],
  ["marks", (leaf, ca) => text(`\ufeff${leaf.pem}\ufeff${ca.pem}`)],
  ["trusted", (leaf, ca) => text(encodePem("TRUSTED CERTIFICATE", leaf.certificate.der) + ca.pem)],
  ["old-label", (leaf, ca) => text(encodePem("X509 CERTIFICATE", leaf.certificate.der) + ca.pem)],
  ["junk", (leaf) => text(`subject=x\n\n${leaf.pem}\n-- junk \x00\xff --\n`)],
];

export interface Corpus {
  ca: Issued;
  specimens: Specimen[];
}

export async function makeCorpus(): Promise<Corpus> {
  const century = { notBefore: new Date(0), notAfter: new Date(NOW.getTime() + 36_500 * DAY) };
  const ca = await issue({ names: [], commonName: "Corpus CA", ca: true, ...century });
  const twin = await issue({
    names: [],
    commonName: "Corpus CA",
    ca: true,
    key: ca.key,
    ...century,
  });
  const specimens: Specimen[] = [];
  for (const [kind, algorithm, ...options] of KINDS) {
    const key = await keyOf(await opensslKey(algorithm, ...options));
    for (const [lifetimeName, lifetime] of Object.entries(LIFETIMES)) {
      for (const [index, [share, seconds]] of AGES.entries()) {
        const age = Math.round(share * lifetime / 1000) * 1000 + seconds * 1000;
        const notBefore = new Date(NOW.getTime() - age);
        const notAfter = new Date(notBefore.getTime() + lifetime);
        const leaf = await issue({ issuer: ca, key, notBefore, notAfter });
        const [form, make] = FORMS[(specimens.length + index) % FORMS.length]!;
        const sign = seconds < 0 ? "-" : seconds > 0 ? "+" : "";
        specimens.push({
          name: `${kind}-${lifetimeName}-${share}${sign}-${form}`,
          file: make(leaf, ca, twin),
          pem: leaf.pem,
          lifetime,
        });
      }
    }
  }
  return { ca, specimens };
}

/** A key from openssl as issue() takes it for a subject; it cannot sign. */
async function keyOf(pem: string): Promise<KeyPair> {
  const publicPem = await openssl(["pkey", "-pubout"], pem);
  const body = publicPem.split("\n").filter((line) => !line.startsWith("-----")).join("");
  const { kind, pair } = await makeKey();
  return { kind, pair, spki: Uint8Array.fromBase64(body), pkcs8: new Uint8Array(), pem };
}

/** Files that hold no certificate that anybody could read. */
export async function makeJunk(): Promise<Record<string, Uint8Array>> {
  const { pem, key, certificate: { der } } = await issue();
  const cut = der.slice(0, der.length >> 1);
  return {
    "empty": new Uint8Array(),
    "blank": text(" \n\n"),
    "zeros": new Uint8Array(4096),
    "text": text("global\n  daemon\n"),
    "random": crypto.getRandomValues(new Uint8Array(4096)),
    "random-der": Uint8Array.of(0x30, 0x82, 4, 0, ...crypto.getRandomValues(new Uint8Array(1024))),
    "cut-der": cut,
    "cut-pem": text(pem.slice(0, pem.length >> 1)),
    "cut-inside": text(encodePem("CERTIFICATE", cut)),
    "no-begin": text(pem.slice(pem.indexOf("\n") + 1)),
    "wrong-label": text(encodePem("CERTIFICATE REQUEST", der)),
    "key-as-certificate": text(encodePem("CERTIFICATE", key.pkcs8)),
    "certificate-as-key": text(encodePem("PRIVATE KEY", der)),
    "not-base64": text(pem.replace("\nM", "\n!")),
    "utf-16": Uint8Array.from([0xff, 0xfe, ...[...text(pem)].flatMap((byte) => [byte, 0])]),
    "key-alone": text(key.pem),
  };
}
