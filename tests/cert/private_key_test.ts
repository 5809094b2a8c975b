import assert from "node:assert/strict";
import fc from "fast-check";
import { readCertificate } from "../../lib/cert/certificate.ts";
import { encodePem, parsePem } from "../../lib/cert/pem.ts";
import { isPrivateKey, keyFits, readPrivateKey } from "../../lib/cert/private_key.ts";
import { issue, type KeyName, makeKey } from "./issue.ts";
import { openssl, opensslKey } from "./openssl.ts";

const blocksOf = (pem: string) => parsePem(new TextEncoder().encode(pem));
const keyBlock = (pem: string) => blocksOf(pem).find(isPrivateKey)!;

const KINDS: [name: string, algorithm: string, ...options: string[]][] = [
  ["RSA 2048", "RSA", "rsa_keygen_bits:2048"],
  ["P-256", "EC", "ec_paramgen_curve:P-256"],
  ["P-384", "EC", "ec_paramgen_curve:P-384"],
  ["Ed25519", "ED25519"],
];

Deno.test("readPrivateKey reads PKCS#8, PKCS#1 and SEC1 when openssl wrote them", async () => {
  for (const [kind, algorithm, ...options] of KINDS) {
    const pkcs8 = await opensslKey(algorithm, ...options);
    const spki = blocksOf(await openssl(["pkey", "-pubout"], pkcs8))[0]!.der;
    const forms = [pkcs8];
    if (algorithm === "RSA") forms.push(await openssl(["rsa", "-traditional"], pkcs8));
    // `openssl ec` writes SEC1, `openssl ecparam -genkey` puts an EC PARAMETERS block before it.
    if (algorithm === "EC") {
      const sec1 = await openssl(["ec"], pkcs8);
      forms.push(sec1, await openssl(["ecparam", "-name", "secp384r1"]) + sec1);
    }
    for (const form of forms) {
      const block = keyBlock(form);
      const key = await readPrivateKey(block);
      assert.equal(key.kind.name, kind, block.label);
      assert.deepEqual(key.spki, spki, `${kind} ${block.label}`);
    }
  }
});

Deno.test("readPrivateKey refuses, with what to do, when the key is encrypted", async () => {
  const rsa = await opensslKey("RSA", "rsa_keygen_bits:2048");
  const forms = [
    await openssl(["pkcs8", "-topk8", "-passout", "pass:secret"], rsa),
    await openssl(["rsa", "-traditional", "-aes256", "-passout", "pass:secret"], rsa),
  ];
  assert.match(forms[0]!, /BEGIN ENCRYPTED PRIVATE KEY/);
  assert.match(forms[1]!, /Proc-Type: 4,ENCRYPTED/);
  for (const form of forms) {
    await assert.rejects(readPrivateKey(keyBlock(form)), /is encrypted; .* so decrypt it first/);
  }
});

Deno.test("readPrivateKey refuses kinds that HAProxy or the signature checks cannot do with", async () => {
  const table: [RegExp, string, ...string[]][] = [
    [/RSA 1024: .* below 2048/, "RSA", "rsa_keygen_bits:1024"],
    [/P-521: use RSA, P-256/, "EC", "ec_paramgen_curve:P-521"],
    [/secp256k1: use RSA/, "EC", "ec_paramgen_curve:secp256k1"],
    [/Ed448|not supported/, "ED448"],
    [/RSA-PSS|not supported/, "RSA-PSS", "rsa_keygen_bits:2048"],
  ];
  for (const [reason, algorithm, ...options] of table) {
    const block = keyBlock(await opensslKey(algorithm, ...options));
    await assert.rejects(readPrivateKey(block), { name: "SyntaxError", message: reason });
  }
});

Deno.test("readPrivateKey refuses when the label is not that of its content", async () => {
  const { der } = keyBlock(await opensslKey("EC", "ec_paramgen_curve:P-256"));
  for (const label of ["RSA PRIVATE KEY", "EC PRIVATE KEY"]) {
    await assert.rejects(readPrivateKey(keyBlock(encodePem(label, der))), /damaged/);
  }
  await assert.rejects(
    readPrivateKey(keyBlock(encodePem("DSA PRIVATE KEY", der))),
    /DSA PRIVATE KEY/,
  );
  const trailing = encodePem("PRIVATE KEY", new Uint8Array([...der, 0]));
  await assert.rejects(readPrivateKey(keyBlock(trailing)), /1 bytes follow/);
});

Deno.test("keyFits holds for exactly the pairs that belong together", async () => {
  const kinds: KeyName[] = ["P-256", "P-384", "Ed25519", "RSA", "P-256"];
  const issued = await Promise.all(kinds.map(async (kind) => issue({ key: await makeKey(kind) })));
  for (const [i, { key }] of issued.entries()) {
    const privateKey = await readPrivateKey(keyBlock(key.pem));
    for (const [j, { certificate }] of issued.entries()) {
      assert.equal(keyFits(privateKey, certificate), i === j, `${kinds[i]} ${kinds[j]}`);
    }
  }
});

Deno.test("readPrivateKey and keyFits catch a private half that is not the public half's", async () => {
  // Where the private number stands in openssl's PKCS#8, by its neighbours.
  const places: [algorithm: string, option: string[], before: RegExp, bytes: number][] = [
    // One in some hundred is so small that its length takes one byte.
    ["RSA", ["rsa_keygen_bits:2048"], /020301000102(?:81..|82....)/, 240],
    ["EC", ["ec_paramgen_curve:P-256"], /0201010420/, 32],
    ["EC", ["ec_paramgen_curve:P-384"], /0201010430/, 48],
    ["ED25519", [], /04220420/, 32],
  ];
  for (const [algorithm, options, before, length] of places) {
    const block = keyBlock(await opensslKey(algorithm, ...options));
    const spki = (await readPrivateKey(block)).spki;
    const found = before.exec(block.der.toHex());
    assert.ok(found, algorithm);
    const at = (found.index + found[0].length) / 2;
    for (let offset = 2; offset < length; offset += 16) {
      const der = block.der.slice();
      der[at + offset]! ^= 0x10;
      const outcome = await readPrivateKey({ ...block, der }).then(
        (key) => key.spki,
        () => undefined,
      );
      assert.notDeepEqual(outcome, spki, `${algorithm} ${offset}`);
    }
  }
});

Deno.test("readPrivateKey fails by SyntaxError without a byte of the key when keys are mutated", async () => {
  const keys = await Promise.all(KINDS.map(([, ...rest]) => opensslKey(...rest as [string])));
  const blocks = keys.map(keyBlock);
  const input = fc.tuple(fc.constantFrom(...blocks), fc.nat(), fc.integer({ min: 1, max: 255 }));
  const { certificate } = await issue();
  await fc.assert(
    fc.asyncProperty(input, async ([block, at, change]) => {
      const der = block.der.slice();
      der[at % der.length]! ^= change;
      try {
        keyFits(await readPrivateKey({ ...block, der }), certificate);
      } catch (error) {
        assert.equal((error as Error).name, "SyntaxError", (error as Error).stack);
        assert.ok(!/[0-9a-f]{16}|[A-Za-z0-9+/]{24}/.test((error as Error).message));
      }
    }),
    { numRuns: 400 },
  );
});

Deno.test("readPrivateKey gives the certificate's public key when openssl made the pair", async () => {
  for (const [kind, algorithm, ...options] of KINDS) {
    const key = await opensslKey(algorithm, ...options);
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, key);
    const pem = await openssl(["req", "-x509", "-key", file, "-subj", "/CN=x"]);
    await Deno.remove(file);
    const certificate = readCertificate(blocksOf(pem)[0]!.der);
    assert.equal(keyFits(await readPrivateKey(keyBlock(key)), certificate), true, kind);
  }
});
