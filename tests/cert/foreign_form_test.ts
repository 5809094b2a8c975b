/** Files of other forms, made by the programs that make them in the field. */

import assert from "node:assert/strict";
import { makeBundle } from "../../lib/cert/bundle.ts";
import { foreignForm } from "../../lib/cert/foreign_form.ts";
import { readContents } from "../../lib/expiry/read_certificates.ts";
import { issueChain, NOW } from "./issue.ts";
import { openssl } from "./openssl.ts";

Deno.test("a file of another form is named, with the way to convert it, by hook and monitor alike", async () => {
  const { leaf, lower } = await issueChain();
  const all = leaf.key.pem + leaf.pem + lower.pem;
  const folder = await Deno.makeTempDir();
  async function made(args: string[], stdin = ""): Promise<Uint8Array> {
    await openssl([...args, "-out", `${folder}/out`], stdin);
    return await Deno.readFile(`${folder}/out`);
  }
  const utf16 = (text: string) => Uint8Array.from([...text].flatMap((c) => [c.charCodeAt(0), 0]));
  const encrypting = ["-topk8", "-passout", "pass:x", "-outform", "DER"];
  const pkcs7 = ["crl2pkcs7", "-nocrl", "-certfile", `${folder}/all`, "-outform", "DER"];
  await Deno.writeTextFile(`${folder}/all`, all);
  const gzip = await new Response(
    new Blob([all]).stream().pipeThrough(new CompressionStream("gzip")),
  ).bytes();
  const table: Record<string, [bytes: Uint8Array, said: RegExp]> = {
    "PKCS#12": [await made(["pkcs12", "-export", "-passout", "pass:"], all), /PKCS#12.*pkcs12/],
    "PKCS#7": [await made(pkcs7), /PKCS#7.*pkcs7/],
    "PKCS#8": [leaf.key.pkcs8, /private key in DER.*pkey/],
    "SEC1": [await made(["ec", "-outform", "DER"], leaf.key.pem), /private key in DER.*pkey/],
    "encrypted": [await made(["pkcs8", ...encrypting], leaf.key.pem), /encrypted private key/],
    "a public key": [await made(["pkey", "-pubout", "-outform", "DER"], leaf.key.pem), /is DER/],
    "UTF-16": [utf16(all), /UTF-16.*UTF-8/],
    "UTF-16 with a mark": [utf16(`\ufeff${all}`).with(0, 0xff).with(1, 0xfe), /UTF-16.*UTF-8/],
    "UTF-16, big end first": [Uint8Array.of(0xfe, 0xff, 0, 0x2d), /UTF-16.*UTF-8/],
    "gzip": [gzip, /compressed.*gunzip/],
    "bare base64": [new TextEncoder().encode(leaf.key.pkcs8.toBase64()), /base64 without BEGIN/],
  };
  for (const [what, [bytes, said]] of Object.entries(table)) {
    assert.throws(() => readContents(bytes), said, what);
    const file = { name: "a.pem", bytes };
    const result = await makeBundle({ key: file, certificates: [file], now: NOW });
    assert.ok(!result.ok && result.refusals.every((text) => said.test(text)), what);
  }
  assert.match(foreignForm(leaf.certificate.der)!, /certificate in DER.*x509/);
  for (const text of ["", "hello\n", all, "MIT License\n", "<html>"]) {
    assert.equal(foreignForm(new TextEncoder().encode(text)), undefined, text);
  }
  await Deno.remove(folder, { recursive: true });
});
