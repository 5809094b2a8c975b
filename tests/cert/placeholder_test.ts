import assert from "node:assert/strict";
import { readCertificate } from "../../lib/cert/certificate.ts";
import { issuedBy } from "../../lib/cert/issued_by.ts";
import { encodePem, parsePem } from "../../lib/cert/pem.ts";
import { makePlaceholder } from "../../lib/cert/placeholder.ts";
import { keyFits, readPrivateKey } from "../../lib/cert/private_key.ts";
import { DAY, HOUR, NOW } from "./issue.ts";
import { openssl } from "./openssl.ts";

const NAMES = ["service.example", "*.x.example", "192.0.2.1", "2001:db8::1"];

Deno.test("makePlaceholder makes a certificate that our reader and openssl take for what it is", async () => {
  const { certificate, key } = await makePlaceholder({ names: NAMES, now: NOW, days: 90 });
  const read = readCertificate(certificate);
  assert.equal(read.placeholder, true);
  assert.equal(read.ca, false);
  assert.deepEqual(read.names.map(({ value }) => value), NAMES);
  assert.equal(read.subject.text, "O=acme-lb placeholder, CN=service.example");
  assert.equal(read.notBefore.getTime(), NOW.getTime() - HOUR);
  assert.equal(read.notAfter.getTime(), NOW.getTime() + 90 * DAY);
  assert.equal(read.serial.length, 32);
  assert.deepEqual(await issuedBy(read, read), { answer: "yes" });
  const [block] = parsePem(new TextEncoder().encode(encodePem("PRIVATE KEY", key)));
  assert.equal(await keyFits(await readPrivateKey(block!), read), true);

  const pem = encodePem("CERTIFICATE", certificate);
  const shown = await openssl(["x509", "-noout", "-text", "-checkip", "2001:db8::1"], pem);
  assert.match(shown, /DNS:service\.example, DNS:\*\.x\.example, IP Address:192\.0\.2\.1/);
  assert.match(shown, /TLS Web Server Authentication/);
  assert.match(shown, /does match certificate/);
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, pem);
  const at = String(Math.floor(NOW.getTime() / 1000));
  assert.match(await openssl(["verify", "-attime", at, "-CAfile", file, file]), /OK/);
  await Deno.remove(file);
});

Deno.test("makePlaceholder never gives two certificates one serial or one key", async () => {
  const made = await Promise.all(
    Array.from({ length: 20 }, () => makePlaceholder({ names: ["a.example"], now: NOW, days: 1 })),
  );
  assert.equal(
    new Set(made.map(({ certificate }) => readCertificate(certificate).serial)).size,
    20,
  );
  assert.equal(new Set(made.map(({ key }) => key.toHex())).size, 20);
});

Deno.test("makePlaceholder leaves the common name out when it would be too long for X.509", async () => {
  const names = [`${"a".repeat(60)}.service.example`];
  const { certificate } = await makePlaceholder({ names, now: NOW, days: 1 });
  assert.equal(readCertificate(certificate).subject.text, "O=acme-lb placeholder");
  assert.match(
    await openssl(["x509", "-noout", "-text"], encodePem("CERTIFICATE", certificate)),
    /DNS:a/,
  );
});
