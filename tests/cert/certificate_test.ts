import assert from "node:assert/strict";
import fc from "fast-check";
import {
  fingerprint,
  fingerprintOfMany,
  readCertificate,
  titleOf,
} from "../../lib/cert/certificate.ts";
import { childrenOf, readDer, TAG } from "../../lib/cert/der.ts";
import { writeDer, writeSequence } from "../../lib/cert/der_writer.ts";
import { encodePem, parsePem } from "../../lib/cert/pem.ts";
import { extension, issue, issueChain, makeKey, NOW } from "./issue.ts";
import { openssl, opensslKey } from "./openssl.ts";

const text = (value: string) => new TextEncoder().encode(value);

/** A self-signed certificate made by openssl. */
async function fromOpenssl(key: string, ...args: string[]): Promise<string> {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, key);
  try {
    return await openssl(["req", "-x509", "-new", "-key", file, "-days", "30", ...args]);
  } finally {
    await Deno.remove(file);
  }
}

function read(pem: string) {
  return readCertificate(parsePem(text(pem))[0]!.der);
}

Deno.test("readCertificate agrees with openssl on every kind of key", async () => {
  const kinds: [name: string, algorithm: string, ...options: string[]][] = [
    ["RSA 2048", "RSA", "rsa_keygen_bits:2048"],
    ["RSA 3072", "RSA", "rsa_keygen_bits:3072"],
    ["RSA 1024", "RSA", "rsa_keygen_bits:1024"],
    ["P-256", "EC", "ec_paramgen_curve:P-256"],
    ["P-384", "EC", "ec_paramgen_curve:P-384"],
    ["P-521", "EC", "ec_paramgen_curve:P-521"],
    ["secp256k1", "EC", "ec_paramgen_curve:secp256k1"],
    ["Ed25519", "ED25519"],
    ["Ed448", "ED448"],
    ["RSA-PSS", "RSA-PSS", "rsa_keygen_bits:2048"],
  ];
  for (const [kind, algorithm, ...options] of kinds) {
    const key = await opensslKey(algorithm, ...options);
    const names = "subjectAltName=DNS:a.example,DNS:*.b.example,IP:192.0.2.1,IP:2001:db8::f001," +
      "email:ops@a.example,URI:https://a.example/";
    const pem = await fromOpenssl(key, "-subj", "/C=CH/O=A, B/CN=a.example", "-addext", names);
    const certificate = read(pem);
    const shown = await openssl([
      ...["x509", "-noout", "-serial", "-fingerprint", "-sha256", "-dateopt", "iso_8601"],
      ...["-startdate", "-enddate"],
    ], pem);
    const facts = Object.fromEntries(shown.trim().split("\n").map((line) => line.split("=")));
    assert.equal(certificate.serial, facts.serial, kind);
    const digest = facts["sha256 Fingerprint"].replaceAll(":", "");
    assert.equal(await fingerprint(certificate), digest);
    assert.equal(await fingerprintOfMany(certificate), digest);
    assert.equal(iso(certificate.notBefore), facts.notBefore, kind);
    assert.equal(iso(certificate.notAfter), facts.notAfter, kind);
    assert.equal(certificate.subject.text, "C=CH, O=A\\, B, CN=a.example", kind);
    assert.equal(certificate.key.name, kind);
    assert.equal(certificate.selfIssued, true);
    assert.equal(certificate.ca, true);
    assert.deepEqual(certificate.names, [
      { kind: "DNS", value: "a.example" },
      { kind: "DNS", value: "*.b.example" },
      { kind: "IP", value: "192.0.2.1" },
      { kind: "IP", value: "2001:db8::f001" },
      { kind: "email", value: "ops@a.example" },
      { kind: "URI", value: "https://a.example/" },
    ]);
    const publicKey = await openssl(["x509", "-noout", "-pubkey"], pem);
    assert.deepEqual(certificate.spki, parsePem(text(publicKey))[0]!.der, kind);
  }
});

Deno.test("fingerprint equals openssl's SHA-1 as HAProxy shows it", async () => {
  const { certificate, pem } = await issue();
  const shown = await openssl(["x509", "-noout", "-fingerprint", "-sha1"], pem);
  assert.equal(
    await fingerprint(certificate, "SHA-1"),
    shown.trim().split("=")[1]!.replaceAll(":", ""),
  );
});

Deno.test("readCertificate shows a serial in whole bytes when it begins with a zero or a high bit", async () => {
  const table: [number[], string][] = [[[0], "00"], [[5], "05"], [[0x0a, 0xbc], "0ABC"], [
    [0xff, 1],
    "FF01",
  ]];
  for (const [serial, shown] of table) {
    const { certificate, pem } = await issue({ serial });
    assert.equal(certificate.serial, shown);
    assert.equal((await openssl(["x509", "-noout", "-serial"], pem)).trim(), `serial=${shown}`);
  }
});

Deno.test("readCertificate refuses when bytes follow the certificate", async () => {
  const { certificate } = await issue();
  const longer = new Uint8Array([...certificate.der, 0]);
  assert.throws(() => readCertificate(longer), /1 bytes follow/);
  assert.throws(() => readCertificate(certificate.der.slice(0, -1)), /cut short/);
});

Deno.test("readCertificate refuses when the outer and inner signature algorithms differ", async () => {
  const { certificate } = await issue();
  const hex = certificate.der.toHex();
  // ecdsa-with-SHA256 to ecdsa-with-SHA384, in the second place only.
  const at = hex.lastIndexOf("2a8648ce3d040302");
  const altered = hex.slice(0, at) + "2a8648ce3d040303" + hex.slice(at + 16);
  assert.throws(() => readCertificate(Uint8Array.fromHex(altered)), /do not belong together/);
});

Deno.test("readCertificate refuses when an extension occurs twice", async () => {
  const twice = extension("2.5.29.19", writeSequence());
  await assert.rejects(issue({ extensions: [twice, twice] }), /2\.5\.29\.19 occurs twice/);
  const unknown = extension("1.2.3.4", Uint8Array.of(1));
  await assert.rejects(issue({ extensions: [unknown, unknown] }), /1\.2\.3\.4 occurs twice/);
});

Deno.test("readCertificate keeps one name one when it is made to look like two", async () => {
  const san = (tag: number, value: string) => writeDer(tag, text(value));
  const hostile = writeSequence(
    san(0x82, "c.d, DNS:evil.example"),
    san(0x82, "nul.example\0.evil.example"),
    san(0x82, "esc\x1b[31m"),
    san(0x82, "back\\x2cslash"),
    san(0x86, "https://a\n/"),
    writeDer(0xa0, text("")),
    writeDer(0x88, Uint8Array.of(0x2a)),
  );
  const { certificate } = await issue({ extensions: [extension("2.5.29.17", hostile)] });
  assert.deepEqual(certificate.names.map(({ value }) => value), [
    "c.d,\\x20DNS:evil.example",
    "nul.example\\x00.evil.example",
    "esc\\x1b[31m",
    "back\\x5cx2cslash",
    "https://a\\x0a/",
    "[0]",
    "[8]",
  ]);
});

Deno.test("readCertificate escapes a subject when it holds controls or separators", async () => {
  const { certificate } = await issue({ commonName: "good.example\nO=Injected, CN=\u202eelpmaxe" });
  assert.equal(certificate.subject.attributes.length, 1);
  assert.equal(certificate.subject.text, "CN=good.example\\x0aO\\=Injected\\, CN\\=\\u202eelpmaxe");
});

Deno.test("readCertificate refuses an IP address of the wrong length and an unknown kind of name", async () => {
  for (
    const name of [writeDer(0x87, new Uint8Array(5)), writeDer(TAG.integer, new Uint8Array(1))]
  ) {
    await assert.rejects(
      issue({ extensions: [extension("2.5.29.17", writeSequence(name))] }),
      SyntaxError,
    );
  }
});

Deno.test("readCertificate marks a placeholder when it is self-issued and carries the mark", async () => {
  const mark = "acme-lb placeholder";
  const root = await issue({ ca: true, commonName: "CA" });
  assert.equal((await issue({ organization: mark })).certificate.placeholder, true);
  assert.equal((await issue({ organization: mark, issuer: root })).certificate.placeholder, false);
  assert.equal((await issue({ organization: `${mark}!` })).certificate.placeholder, false);
  assert.equal((await issue({ commonName: mark })).certificate.placeholder, false);
});

Deno.test("titleOf names the first DNS name or address, else the subject, and stays short", async () => {
  const { certificate } = await issue({ names: ["a.example", "b.example"], serial: [1, 2] });
  assert.equal(titleOf(certificate), "a.example (serial 0102)");
  const nameless = await issue({ names: [], commonName: "x".repeat(500), serial: [1] });
  assert.ok(titleOf(nameless.certificate).length < 130);
});

Deno.test("readCertificate throws SyntaxError or nothing when real certificates are mutated", async () => {
  const { leaf, root } = await issueChain({ names: ["a.example", "192.0.2.1", "2001:db8::1"] });
  const rsa = read(
    await fromOpenssl(await opensslKey("RSA", "rsa_keygen_bits:2048"), "-subj", "/CN=r"),
  );
  const ed25519 = await issue({ key: await makeKey("Ed25519") });
  const originals = [leaf.certificate, root.certificate, rsa, ed25519.certificate].map(({ der }) =>
    der
  );
  const change = fc.record({
    at: fc.nat(),
    kind: fc.constantFrom("flip", "set", "drop", "insert", "cut"),
    byte: fc.integer({ min: 0, max: 255 }),
  });
  const input = fc.tuple(
    fc.constantFrom(...originals),
    fc.array(change, { minLength: 1, maxLength: 4 }),
  );
  let whole = 0;
  fc.assert(
    fc.property(input, ([original, changes]) => {
      let bytes = [...original];
      for (const { at, kind, byte } of changes) {
        const index = at % Math.max(1, bytes.length);
        if (kind === "flip") bytes[index]! ^= 1 << (byte % 8);
        else if (kind === "set") bytes[index] = byte;
        else if (kind === "drop") bytes.splice(index, 1);
        else if (kind === "insert") bytes.splice(index, 0, byte);
        else bytes = bytes.slice(0, index);
      }
      try {
        const certificate = readCertificate(Uint8Array.from(bytes));
        titleOf(certificate);
        whole++;
      } catch (error) {
        assert.equal((error as Error).name, "SyntaxError", (error as Error).stack);
      }
    }),
    { numRuns: 30_000 },
  );
  assert.ok(whole > 1000, `only ${whole} mutations were read at all: the fuzz proves little`);
});

Deno.test("readCertificate refuses what OpenSSL, and with it HAProxy, refuses", async () => {
  const key = await makeKey();
  const issuer = await issue({ ca: true });
  const { certificate: { der } } = await issue({ issuer, key, commonName: "NAME" });
  const name = text("NAME");
  const at = der.findIndex((_, i) => name.every((byte, j) => der[i + j] === byte));
  const changed = (offset: number, byte: number) => {
    const copy = der.slice();
    copy[at + offset] = byte;
    return copy;
  };
  const withKey = async (spki: Uint8Array) => {
    const { certificate } = await issue({ issuer, key: { ...key, spki } });
    return certificate.der;
  };
  const [algorithm, bits] = childrenOf(readDer(key.spki)).map(({ raw }) => raw);
  const curve = childrenOf(readDer(algorithm!))[0]!.raw;
  const table: Record<string, () => Uint8Array | Promise<Uint8Array>> = {
    "text that is not UTF-8": () => changed(0, 0xff),
    "a name in an OCTET STRING": () => changed(-2, TAG.octetString),
    "a third field in a public key": () => withKey(writeSequence(algorithm!, bits!, curve)),
    "a third field in an algorithm": () =>
      withKey(writeSequence(writeSequence(curve, curve, curve), bits!)),
    "parameters of an unknown kind": () =>
      withKey(writeSequence(writeSequence(curve, writeDer(0x2a)), bits!)),
    "an identifier that breaks off": () =>
      withKey(
        writeSequence(writeSequence(curve, writeDer(TAG.oid, Uint8Array.of(0x2a, 0x80))), bits!),
      ),
  };
  for (const [what, make] of Object.entries(table)) {
    await assert.rejects(async () => readCertificate(await make()), SyntaxError, what);
  }
  for (const made of [changed(0, 0xff), changed(-2, TAG.octetString)]) {
    await assert.rejects(openssl(["x509", "-noout"], encodePem("CERTIFICATE", made)));
  }
});

Deno.test("readCertificate reads dates when they lie beyond 2049", async () => {
  const notAfter = new Date("9999-12-31T23:59:59Z");
  const { certificate } = await issue({ notBefore: NOW, notAfter });
  assert.deepEqual([certificate.notBefore, certificate.notAfter], [NOW, notAfter]);
});

function iso(date: Date): string {
  return date.toISOString().replace("T", " ").replace(".000", "");
}
