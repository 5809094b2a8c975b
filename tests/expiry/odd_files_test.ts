/** Files that hold more than certificates, or less: which one speaks, and what is told besides. */

import assert from "node:assert/strict";
import { encodePem } from "../../lib/cert/pem.ts";
import { DAY, issue, issueChain, type Issued, NOW } from "../cert/issue.ts";
import { judge, summaryOf } from "../cert/judge.ts";
import { openssl } from "../cert/openssl.ts";

const inDays = (days: number) => new Date(NOW.getTime() + days * DAY);

/** A leaf that expired ten days ago and a good one, by the same intermediate. */
async function twoLeaves(): Promise<{ old: Issued; good: Issued; lower: Issued }> {
  const { leaf: good, lower } = await issueChain();
  const dates = { notBefore: inDays(-100), notAfter: inDays(-10) };
  return { good, lower, old: await issue({ issuer: lower, ...dates }) };
}

const BEGIN = "-----BEGIN CERTIFICATE-----";

/** What may stand behind a leaf, and whether that is damage. */
function behind(lower: Issued): Record<string, [text: string, damage: boolean]> {
  const other = (label: string) => encodePem(label, Uint8Array.of(48, 0));
  const { pem } = lower;
  return {
    "DH parameters": [pem + other("DH PARAMETERS"), false],
    "X9.42 DH parameters": [pem + other("X9.42 DH PARAMETERS"), false],
    "a CRL": [pem + other("X509 CRL"), false],
    "a request": [pem + other("CERTIFICATE REQUEST"), false],
    "a label of nobody": [pem + other("NOBODY KNOWS"), false],
    "PKCS #7": [pem + other("PKCS7"), false],
    "a comment that quotes BEGIN": [`# ${BEGIN} of the intermediate\n${pem}`, false],
    "a comment that quotes END": [`${pem}see: -----END CERTIFICATE-----\n`, false],
    "a byte order mark": [`\ufeff${pem}`, false],
    "CRLF": [pem.replaceAll("\n", "\r\n"), false],
    "a cut block": [pem.slice(0, 200), true],
    "no END, then another": [pem.slice(0, 200) + pem, true],
    "a damaged BEGIN": [pem.replace("-----BEGIN", "---BEGIN"), true],
    "a damaged END": [pem.replace("-----END", "--END"), true],
    "no base64": [pem.replace("\nM", "\n!"), true],
    "another END": [pem.replace("END CERTIFICATE", "END X509 CRL"), true],
    "no certificate inside": [pem + other("CERTIFICATE"), true],
    "no line break": [pem, true],
    "a damaged DH block": [`${pem}-----BEGIN DH PARAMETERS-----\nMIIB\n`, true],
  };
}

Deno.test("what stands behind a leaf never hides it: expired it is CRITICAL, and damage is told besides", async () => {
  const { old, good, lower } = await twoLeaves();
  for (const [what, [text, damage]] of Object.entries(behind(lower))) {
    for (const leaf of [old, good]) {
      const front = leaf.key.pem + leaf.pem;
      const file = what === "no line break" ? front.trimEnd() + text : front + text;
      const record = await judge(file);
      const states = record.findings.map(({ state, reason }) => `${state} ${reason}`);
      assert.deepEqual(record.leaf?.serial, leaf.certificate.serial, what);
      assert.deepEqual(states.includes("CRITICAL expired"), leaf === old, what);
      assert.deepEqual(states.includes("UNKNOWN unreadable"), damage, `${what}: ${states}`);
      if (!damage) assert.deepEqual(record.state, leaf === old ? "CRITICAL" : "OK", what);
    }
  }
});

Deno.test("lines that end with CR alone, which HAProxy does not read, are never OK", async () => {
  const { old, good, lower } = await twoLeaves();
  const bare = (text: string) => text.replaceAll("\n", "\r");
  const files: Record<string, [text: string, summary: string]> = {
    "everywhere": [bare(good.key.pem + good.pem + lower.pem), "UNKNOWN unreadable"],
    "in the chain": [good.key.pem + good.pem + bare(lower.pem), "UNKNOWN unreadable"],
    "of the key": [bare(good.key.pem) + good.pem + lower.pem, "UNKNOWN unreadable"],
    "expired": [bare(old.key.pem + old.pem + lower.pem), "CRITICAL expired, unreadable"],
    "CRLF": [(good.pem + lower.pem).replaceAll("\n", "\r\n"), "OK"],
    "CRLF twice": [(good.pem + lower.pem).replaceAll("\n", "\r\r\n"), "OK"],
    "in a comment": [`# a\rb\n${good.pem}${lower.pem}`, "OK"],
    "at the end": [`${good.pem}${lower.pem.trimEnd()}\r`, "OK"],
  };
  for (const [what, [text, summary]] of Object.entries(files)) {
    assert.deepEqual(summaryOf(await judge(text)), summary, what);
  }
});

Deno.test("a first block that cannot be read promotes nobody", async () => {
  const { old, good, lower } = await twoLeaves();
  const { der } = good.certificate;
  const first: Record<string, string> = {
    "a label that may hold a certificate": encodePem("PKCS7", der),
    "another one": encodePem("CMS", der),
    "a label of nobody": encodePem("SERVER CERTIFICATE", der),
    "an attribute certificate": encodePem("ATTRIBUTE CERTIFICATE", der),
    "a cut certificate": encodePem("CERTIFICATE", der.slice(0, -1)),
    "a cut block": good.pem.slice(0, 300) + "\n",
    "a damaged BEGIN": good.pem.replace("-----BEGIN", "----BEGIN"),
    "an indented BEGIN": ` ${good.pem}`,
    "a damaged trusted one": encodePem("TRUSTED CERTIFICATE", der.slice(5)),
    "no base64": good.pem.replace("\nM", "\n!"),
  };
  for (const [what, block] of Object.entries(first)) {
    for (const key of ["", good.key.pem]) {
      const record = await judge(key + block + lower.pem);
      assert.deepEqual([record.state, record.leaf], ["UNKNOWN", undefined], what);
      assert.ok(record.findings.every(({ reason }) => reason === "unreadable"), what);
      const expired = await judge(block + old.pem);
      assert.deepEqual([expired.state, expired.leaf], ["CRITICAL", undefined], what);
      const text = expired.findings.map(({ text }) => text).join();
      assert.match(text, /service\.example .*which follows, expired 10d ago/, what);
    }
  }
});

Deno.test("what never holds a certificate may stand in front of the leaf", async () => {
  const { old, good, lower } = await twoLeaves();
  const other = (label: string) => encodePem(label, Uint8Array.of(48, 0));
  const front: Record<string, string> = {
    "EC parameters": other("EC PARAMETERS"),
    "DH parameters": other("X9.42 DH PARAMETERS"),
    "a request": other("NEW CERTIFICATE REQUEST"),
    "a CRL": other("X509 CRL"),
    "a public key": other("RSA PUBLIC KEY"),
    "a comment": `Bag Attributes\n  friendlyName: ${BEGIN}\n`,
    "a mark": "\ufeff",
  };
  for (const [what, text] of Object.entries(front)) {
    assert.deepEqual(summaryOf(await judge(text + good.pem + lower.pem)), "OK", what);
    assert.deepEqual(summaryOf(await judge(text + old.pem + lower.pem)), "CRITICAL expired", what);
  }
});

Deno.test("OpenSSL's TRUSTED CERTIFICATE is read as the certificate that it holds, wherever it stands", async () => {
  const { old, good, lower } = await twoLeaves();
  const trust = (pem: string, ...options: string[]) =>
    openssl(["x509", "-trustout", ...options], pem);
  const forms = [[], ["-addtrust", "serverAuth"], ["-addreject", "emailProtection"], [
    "-setalias",
    "x",
  ]];
  for (const options of forms) {
    const [expired, valid, above] = await Promise.all(
      [old, good, lower].map(({ pem }) => trust(pem, ...options)),
    );
    const table: [file: string, summary: string][] = [
      [expired! + lower.pem, "CRITICAL expired"],
      [expired! + lower.pem + old.key.pem, "CRITICAL expired"],
      [valid! + lower.pem + good.key.pem, "OK"],
      [good.key.pem + valid!, "OK"],
      [good.pem + above!, "OK"],
      [old.key.pem + valid!, "CRITICAL key_mismatch"],
    ];
    for (const [file, summary] of table) {
      const record = await judge(file);
      assert.deepEqual(summaryOf(record), summary, options.join(" "));
      assert.deepEqual(record.leaf!.title, "service.example");
    }
  }
});
