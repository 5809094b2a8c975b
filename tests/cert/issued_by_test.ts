import assert from "node:assert/strict";
import { readCertificate } from "../../lib/cert/certificate.ts";
import { issuedBy } from "../../lib/cert/issued_by.ts";
import { parsePem } from "../../lib/cert/pem.ts";
import { issue, type KeyName, makeKey } from "./issue.ts";
import { openssl, opensslKey } from "./openssl.ts";

Deno.test("issuedBy says yes for every kind of CA key, and no when only the name is right", async () => {
  for (const kind of ["P-256", "P-384", "Ed25519", "RSA"] as KeyName[]) {
    const ca = { commonName: "CA", names: [], ca: true };
    const issuer = await issue({ ...ca, key: await makeKey(kind) });
    const namesake = await issue({ ...ca, key: await makeKey(kind) });
    const { certificate } = await issue({ issuer });
    assert.deepEqual(await issuedBy(certificate, issuer.certificate), { answer: "yes" }, kind);
    assert.deepEqual(await issuedBy(certificate, namesake.certificate), { answer: "no" }, kind);
    assert.deepEqual(await issuedBy(issuer.certificate, certificate), { answer: "no" }, kind);
  }
});

Deno.test("issuedBy says no when a bit of the certificate or its signature has changed", async () => {
  const issuer = await issue({ commonName: "CA", ca: true });
  const { certificate } = await issue({ issuer });
  for (const offset of [certificate.der.length - 1, certificate.der.length - 40]) {
    const der = certificate.der.slice();
    der[offset]! ^= 1;
    assert.equal((await issuedBy(readCertificate(der), issuer.certificate)).answer, "no");
  }
});

Deno.test("issuedBy judges SHA-1 with RSA, which old roots of a company still use", async () => {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, await opensslKey("RSA", "rsa_keygen_bits:2048"));
  const pem = await openssl(["req", "-x509", "-key", file, "-sha1", "-subj", "/CN=x"]);
  await Deno.remove(file);
  const { der } = parsePem(new TextEncoder().encode(pem))[0]!;
  const certificate = readCertificate(der);
  assert.equal((await issuedBy(certificate, certificate)).answer, "yes");
  der[der.length - 1]! ^= 1;
  assert.equal((await issuedBy(readCertificate(der), certificate)).answer, "no");
});

Deno.test("issuedBy says unknown, never yes or no, when it cannot judge the signature", async () => {
  // Deno 2.9.6 calls right signatures by the first two wrong, and throws for the others.
  const table: [reason: RegExp, digest: string, algorithm: string, ...options: string[]][] = [
    [/P-521/, "-sha256", "EC", "ec_paramgen_curve:P-521"],
    [/secp256k1/, "-sha256", "EC", "ec_paramgen_curve:secp256k1"],
    [/1\.2\.840\.113549\.1\.1\.10/, "-sha256", "RSA-PSS", "rsa_keygen_bits:2048"],
    [/1\.3\.101\.113/, "-sha256", "ED448"],
    [/1\.2\.840\.10045\.4\.1 /, "-sha1", "EC", "ec_paramgen_curve:P-384"],
  ];
  for (const [reason, digest, algorithm, ...options] of table) {
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, await opensslKey(algorithm, ...options));
    const pem = await openssl(["req", "-x509", "-key", file, digest, "-subj", "/CN=x"]);
    await Deno.remove(file);
    const certificate = readCertificate(parsePem(new TextEncoder().encode(pem))[0]!.der);
    const issued = await issuedBy(certificate, certificate);
    assert.equal(issued.answer, "unknown", algorithm);
    assert.match(issued.answer === "unknown" ? issued.reason : "", reason);
  }
});
