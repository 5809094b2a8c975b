import assert from "node:assert/strict";
import { writeDer, writeOid, writeSequence } from "../../lib/cert/der_writer.ts";
import { encodePem } from "../../lib/cert/pem.ts";
import { servedRecord } from "../../lib/expiry/certificate_record.ts";
import {
  DAY,
  extension,
  HOUR,
  issue,
  issueChain,
  type Issued,
  makeKey,
  NOW,
} from "../cert/issue.ts";
import { judge, rulesAt, summaryOf } from "../cert/judge.ts";
import { openssl, opensslKey } from "../cert/openssl.ts";

const inDays = (days: number) => new Date(NOW.getTime() + days * DAY);
const pemOf = (...issued: Issued[]) => issued.map(({ pem }) => pem).join("");

/** Each file with what it comes to. */
async function table(files: Record<string, [file: string | Uint8Array, summary: string]>) {
  for (const [what, [file, summary]] of Object.entries(files)) {
    assert.equal(summaryOf(await judge(file)), summary, what);
  }
}

Deno.test("fileRecord finds nothing wrong with good files of every form", async () => {
  const { leaf, lower, upper, root } = await issueChain();
  const all = leaf.key.pem + pemOf(leaf, lower, upper);
  const self = await issue();
  await table({
    "HAProxy's form": [all, "OK"],
    "a key in the middle": [leaf.pem + leaf.key.pem + pemOf(lower, upper), "OK"],
    "a leaf alone": [leaf.pem, "OK"],
    "with the root": [all + root.pem, "OK"],
    "with repetitions": [pemOf(leaf, leaf, lower, upper, lower, root, root), "OK"],
    "a chain alone": [pemOf(lower, upper), "OK"],
    "a trust store": [pemOf(root, (await issueChain()).root), "OK"],
    "self-signed": [self.key.pem + self.pem, "OK"],
    "DER": [leaf.certificate.der, "OK"],
    "BOM, CRLF and comments": [`\ufeff# x\r\n${all.replaceAll("\n", "\r\n")}`, "OK"],
    "DH parameters behind": [all + encodePem("DH PARAMETERS", Uint8Array.of(48, 0)), "OK"],
  });
});

Deno.test("fileRecord says what is wrong with a key, and never passes over one that it cannot read", async () => {
  const { leaf, lower, upper } = await issueChain();
  const chain = pemOf(leaf, lower, upper);
  const encrypted = await openssl(["pkcs8", "-topk8", "-passout", "pass:x"], leaf.key.pem);
  const spelled = ["-param_enc", "explicit"];
  const traditional = await openssl(["ec", ...spelled], leaf.key.pem);
  const explicit = await openssl(["pkey", "-ec_param_enc", "explicit"], leaf.key.pem);
  const damaged = leaf.key.pkcs8.slice();
  damaged[40]! ^= 1;
  await table({
    "another's": [(await makeKey()).pem + chain, "CRITICAL key_mismatch"],
    "of another kind": [(await makeKey("Ed25519")).pem + chain, "CRITICAL key_mismatch"],
    "an intermediate's": [lower.key.pem + chain, "CRITICAL key_mismatch"],
    "damaged": [encodePem("PRIVATE KEY", damaged) + chain, "CRITICAL key_mismatch"],
    "no key at all inside": [
      encodePem("PRIVATE KEY", Uint8Array.of(48, 0)) + chain,
      "CRITICAL key_mismatch",
    ],
    "the second one": [(await makeKey()).pem + leaf.key.pem + chain, "CRITICAL key_mismatch"],
    "encrypted": [encrypted + chain, "UNKNOWN unsupported"],
    "with its curve spelled out": [explicit + chain, "UNKNOWN unsupported"],
    "the same, traditional": [traditional + chain, "UNKNOWN unsupported"],
  });
  const [finding] = (await judge(lower.key.pem + chain)).findings;
  assert.match(finding!.text, /belongs to Lower|belongs to CN=Lower.*must come first/);
});

Deno.test("fileRecord gives dates and a verdict for every kind of key, and says what it cannot compare", async () => {
  const kinds: [algorithm: string, options: string[], shown: string, summary: string][] = [
    ["RSA", ["rsa_keygen_bits:1024"], "RSA 1024", "WARNING weak_key"],
    ["EC", ["ec_paramgen_curve:P-521"], "P-521", "OK"],
    ["EC", ["ec_paramgen_curve:secp256k1"], "secp256k1", "OK"],
    ["ED448", [], "Ed448", "OK"],
    ["RSA-PSS", [], "RSA-PSS", "OK"],
    [
      "EC",
      ["ec_paramgen_curve:brainpoolP256r1"],
      "curve 1.3.36.3.3.2.8.1.1.7",
      "UNKNOWN unsupported",
    ],
  ];
  for (const [algorithm, options, shown, summary] of kinds) {
    const key = await opensslKey(algorithm, ...options);
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, key);
    const pem = await openssl(["req", "-x509", "-key", file, "-subj", "/CN=a", "-days", "90"]);
    await Deno.remove(file);
    const record = await judge(key + pem, { now: new Date() });
    assert.equal(summaryOf(record), summary, shown);
    assert.equal(record.leaf!.key, shown);
    const late = await judge(pem, { now: new Date(Date.now() + 85 * DAY) });
    assert.equal(summaryOf(late), "CRITICAL expires_soon", shown);
    assert.notEqual((await judge((await makeKey()).pem + pem, { now: new Date() })).state, "OK");
  }
});

Deno.test("fileRecord judges the chain in the order of the file", async () => {
  const { leaf, lower, upper, root } = await issueChain();
  const { lower: stranger } = await issueChain();
  await table({
    "out of order": [pemOf(leaf, upper, lower), "WARNING chain_broken"],
    "root before intermediates": [pemOf(leaf, root, lower, upper), "WARNING chain_broken"],
    "a gap": [pemOf(leaf, upper), "CRITICAL chain_broken"],
    "another CA of the same name": [pemOf(leaf, stranger), "CRITICAL chain_broken"],
    "a stranger behind": [pemOf(leaf, lower, stranger), "WARNING chain_broken"],
    "a stranger behind a self-signed one": [pemOf(root, leaf), "WARNING chain_broken"],
    "more than make sense": [
      pemOf(leaf, lower, upper) +
      pemOf(...await Promise.all(Array.from({ length: 20 }, () => issue()))),
      "WARNING chain_broken, chain_broken",
    ],
  });
});

Deno.test("fileRecord calls a chain UNKNOWN when its signatures cannot be checked", async () => {
  const directory = await Deno.makeTempDir();
  const at = (name: string) => `${directory}/${name}`;
  await Deno.writeTextFile(at("ca.key"), await opensslKey("EC", "ec_paramgen_curve:P-521"));
  await Deno.writeTextFile(at("key"), await opensslKey("EC", "ec_paramgen_curve:P-256"));
  const ca = ["-key", at("ca.key"), "-subj", "/CN=CA", "-days", "90"];
  await Deno.writeTextFile(at("ca"), await openssl(["req", "-x509", ...ca]));
  const request = await openssl(["req", "-new", "-key", at("key"), "-subj", "/CN=a"]);
  const signed = ["x509", "-req", "-CA", at("ca"), "-CAkey", at("ca.key"), "-days", "60"];
  const leaf = await openssl(signed, request);
  const record = await judge(leaf + await Deno.readTextFile(at("ca")), { now: new Date() });
  assert.equal(summaryOf(record), "UNKNOWN unsupported");
  assert.match(record.findings[0]!.text, /cannot check whether CN=CA .* signed CN=a .*P-521/);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("fileRecord sees an intermediate that ends before its leaf, and a trust store's first end", async () => {
  const root = await issue({ names: [], commonName: "Root", ca: true });
  const judgeWith = async (intermediateEnds: number, start = -1) => {
    const lower = await issue({
      ...{ names: [], commonName: "Lower", ca: true, issuer: root },
      notBefore: inDays(start),
      notAfter: inDays(intermediateEnds),
    });
    const leaf = await issue({ issuer: lower, notBefore: inDays(-10), notAfter: inDays(80) });
    return summaryOf(await judge(pemOf(leaf, lower)));
  };
  assert.equal(await judgeWith(80), "OK");
  assert.equal(await judgeWith(79), "WARNING chain_expires_first");
  assert.equal(await judgeWith(12), "WARNING chain_expires_first");
  assert.equal(await judgeWith(11), "CRITICAL chain_expires_first");
  assert.equal(await judgeWith(-0.5), "CRITICAL chain_expires_first");
  assert.equal(await judgeWith(90, 1), "CRITICAL not_yet_valid");

  const { leaf, lower, upper } = await issueChain();
  const crossSigned = await issue({
    ...{ names: [], commonName: "Upper", ca: true, issuer: root, key: upper.key },
    notBefore: inDays(-20),
    notAfter: inDays(-10),
  });
  // Clients that know the other certificate of that CA go on; the file is to be mended all the same.
  assert.equal(
    summaryOf(await judge(pemOf(leaf, lower, crossSigned))),
    "WARNING chain_expires_first",
  );
  assert.equal(summaryOf(await judge(pemOf(root, crossSigned))), "CRITICAL expired");
});

Deno.test("fileRecord gives CA certificates alone days, not a share of their years, and asks them for the names too", async () => {
  const { root, lower } = await issueChain();
  const years = { notBefore: inDays(-1000), notAfter: inDays(24) };
  const old = await issue({ names: [], commonName: "Old", ca: true, issuer: root, ...years });
  const at = async (days: number, pem: string, names: string[] = []) =>
    summaryOf(await judge(pem, { now: inDays(days), names }));
  assert.equal(await at(0, old.pem), "OK");
  assert.equal(await at(0, old.pem, ["a.example"]), "CRITICAL name_missing");
  assert.equal(await at(2, lower.pem + old.pem), "WARNING expires_soon");
  assert.equal(await at(13, old.pem), "CRITICAL expires_soon");
  assert.equal(await at(25, old.pem), "CRITICAL expired");
  // A self-signed server certificate, as `openssl req -x509` marks it.
  const self = await issue({ ca: true, ...years });
  assert.equal(await at(0, self.pem), "CRITICAL expires_soon");
  assert.equal(await at(-500, self.pem, ["b.example"]), "CRITICAL name_missing");
});

Deno.test("a leaf of a public CA without its intermediate is a WARNING where it is served, not in a client's file", async () => {
  const { lower } = await issueChain();
  const names = writeSequence(writeDer(0x82, new TextEncoder().encode("a.example")));
  const url = writeDer(0x86, new TextEncoder().encode("http://ca.example/lower.der"));
  const access = (method: string) =>
    extension("1.3.6.1.5.5.7.1.1", writeSequence(writeSequence(writeOid(method), url)));
  const issueWith = (...more: Uint8Array[]) =>
    issue({ issuer: lower, extensions: [extension("2.5.29.17", names), ...more] });
  const leaf = await issueWith(access("1.3.6.1.5.5.7.48.2"));
  const served = async (...chain: Issued[]) =>
    summaryOf(
      await servedRecord({ source: "endpoint", place: "x" }, {
        chain: chain.map(({ certificate }) => certificate.der),
        rules: rulesAt(NOW),
      }),
    );
  assert.equal(await served(leaf), "WARNING chain_broken");
  assert.equal(await served(leaf, lower), "OK");
  await table({
    "with its key": [leaf.key.pem + leaf.pem, "WARNING chain_broken"],
    "with key and intermediate": [leaf.key.pem + leaf.pem + lower.pem, "OK"],
    "alone": [leaf.pem, "OK"],
  });
  const privately = await issueWith();
  assert.equal(await served(privately), "OK");
  assert.equal(await served(await issueWith(access("1.3.6.1.5.5.7.48.1"))), "OK");
});

Deno.test("fileRecord wants each name covered, and tells a placeholder from a certificate", async () => {
  const { pem } = await issue({ names: ["a.example", "*.b.example", "2001:db8::1"] });
  assert.equal(summaryOf(await judge(pem, { names: ["x.b.example", "2001:db8::1"] })), "OK");
  const record = await judge(pem, { names: ["a.example", "c.example", "b.example"] });
  assert.equal(summaryOf(record), "CRITICAL name_missing");
  assert.equal(
    record.findings[0]!.text,
    "is not for c.example, b.example; its names: a.example, *.b.example, 2001:db8::1",
  );
  const placeholder = await issue({ organization: "acme-lb placeholder" });
  assert.equal(
    summaryOf(await judge(placeholder.key.pem + placeholder.pem)),
    "WARNING placeholder",
  );
});

Deno.test("fileRecord puts the worst finding first and keeps the others", async () => {
  const expired = await issue({
    ...{ organization: "acme-lb placeholder" },
    notBefore: inDays(-9),
    notAfter: new Date(NOW.getTime() - HOUR),
  });
  const record = await judge((await makeKey()).pem + expired.pem, { names: ["x.example"] });
  assert.equal(summaryOf(record), "CRITICAL expired, key_mismatch, name_missing, placeholder");
});

Deno.test("fileRecord has one record for files without a certificate, and for damage behind the leaf", async () => {
  const { leaf, lower } = await issueChain();
  const broken = encodePem("CERTIFICATE", lower.certificate.der.slice(0, -1));
  await table({
    "nothing": ["", "UNKNOWN no_certificate"],
    "text": ["global\n", "UNKNOWN no_certificate"],
    "a key": [leaf.key.pem, "UNKNOWN no_certificate"],
    "a request": [encodePem("CERTIFICATE REQUEST", Uint8Array.of(48, 0)), "UNKNOWN no_certificate"],
    "a damaged chain": [leaf.pem + broken, "UNKNOWN unreadable"],
  });
  for (const file of [leaf.certificate.der.slice(0, -1), leaf.key.pkcs8]) {
    await assert.rejects(judge(file), SyntaxError);
  }
  const longer = Uint8Array.of(...leaf.certificate.der, 0x0a);
  await assert.rejects(judge(longer), SyntaxError);
});

Deno.test("servedRecord has one record for whatever is sent", async () => {
  const { leaf, lower, upper } = await issueChain();
  const where = { source: "endpoint" as const, place: "[::1]:443" };
  const served = async (...chain: Uint8Array[]) =>
    summaryOf(await servedRecord(where, { chain, rules: rulesAt(NOW) }));
  const [a, b, c] = [leaf, lower, upper].map(({ certificate }) => certificate.der);
  assert.equal(await served(a!, b!, c!), "OK");
  assert.equal(await served(a!, c!), "CRITICAL chain_broken");
  assert.equal(await served(a!.slice(1), b!), "UNKNOWN unreadable");
  assert.equal(await served(), "UNKNOWN unreadable");
});
