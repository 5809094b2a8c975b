import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { encodePem, parsePem, type PemBlock } from "../../lib/cert/pem.ts";
import { isPrivateKey } from "../../lib/cert/private_key.ts";
import { type KeyFormat, publicHalfOf } from "../../lib/cert/public_half.ts";
import { randomNumbers } from "../random_numbers.ts";
import { openssl, opensslKey } from "./openssl.ts";

const FORMATS: Record<string, KeyFormat> = {
  "PRIVATE KEY": "pkcs8",
  "RSA PRIVATE KEY": "pkcs1",
  "EC PRIVATE KEY": "sec1",
};

const keyBlock = (pem: string): PemBlock =>
  parsePem(new TextEncoder().encode(pem)).find(isPrivateKey)!;

/** Every spelling that openssl has for a key of the kind. */
async function spellings(algorithm: string, option: string): Promise<PemBlock[]> {
  const pkcs8 = await opensslKey(algorithm, option);
  if (algorithm === "RSA") {
    return [pkcs8, await openssl(["rsa", "-traditional"], pkcs8)].map(keyBlock);
  }
  return [
    pkcs8,
    await openssl(["ec"], pkcs8),
    await openssl(["ec", "-conv_form", "compressed"], pkcs8),
    await openssl(["ec", "-no_public"], pkcs8),
    await openssl(["ec", "-param_enc", "explicit"], pkcs8),
  ].map(keyBlock);
}

const KINDS: [algorithm: string, option: string][] = [
  ["RSA", "rsa_keygen_bits:2048"],
  ["RSA", "rsa_keygen_bits:3072"],
  ["EC", "ec_paramgen_curve:P-256"],
  ["EC", "ec_paramgen_curve:P-384"],
];

/** What node:crypto makes of a key, undefined when it refuses it. */
function byNode({ der, label }: PemBlock): Uint8Array | undefined {
  try {
    const key = createPrivateKey({ key: der as never, format: "der", type: FORMATS[label]! });
    return new Uint8Array(createPublicKey(key as never).export({ type: "spki", format: "der" }));
  } catch {
    return undefined;
  }
}

Deno.test("publicHalfOf gives what openssl gives, or leaves the key to others", async () => {
  for (const [algorithm, option] of KINDS) {
    let read = 0;
    for (const [index, { der, label }] of (await spellings(algorithm, option)).entries()) {
      const half = await publicHalfOf(der, FORMATS[label]!);
      if (!half) continue;
      read++;
      const pem = await openssl(["pkey", "-pubout"], encodePem(label, der));
      assert.deepEqual(half, parsePem(new TextEncoder().encode(pem))[0]!.der, `${option} ${index}`);
    }
    assert.equal(read, 2, `${option}: both usual spellings`);
  }
});

Deno.test("publicHalfOf tells of no damaged key a half that node:crypto does not tell", async () => {
  const random = randomNumbers(20_261_125);
  let told = 0;
  for (const [algorithm, option] of KINDS) {
    for (const block of (await spellings(algorithm, option)).slice(0, 2)) {
      for (let i = 0; i < 250; i++) {
        const der = block.der.slice();
        der[random(der.length)]! ^= 1 << random(8);
        const half = await publicHalfOf(der, FORMATS[block.label]!).catch((error) => {
          assert.ok(error instanceof SyntaxError, `${error}`);
          return undefined;
        });
        if (!half) continue;
        told++;
        assert.deepEqual(half, byNode({ ...block, der }), `${option} ${der.toHex()}`);
      }
    }
  }
  // Nearly every bit matters.
  assert.ok(told < 100, `${told}`);
});

Deno.test("publicHalfOf leaves other kinds to others, and refuses what is no key", async () => {
  for (const algorithm of ["ED25519", "ED448", "X25519"]) {
    const { der } = keyBlock(await opensslKey(algorithm));
    assert.equal(await publicHalfOf(der, "pkcs8"), undefined, algorithm);
  }
  const curves = ["P-521", "secp256k1", "prime192v1"];
  for (const curve of curves) {
    const { der } = keyBlock(await opensslKey("EC", `ec_paramgen_curve:${curve}`));
    assert.equal(await publicHalfOf(der, "pkcs8"), undefined, curve);
  }
  for (const bytes of [[], [0x30, 0], [0x30, 1, 2], [0x04, 0], [0x30, 3, 2, 1, 0]]) {
    for (const format of ["pkcs8", "pkcs1", "sec1"] as const) {
      const half = await publicHalfOf(Uint8Array.from(bytes), format).catch((error) => error);
      assert.ok(half === undefined || half instanceof SyntaxError, `${format} ${bytes}`);
    }
  }
});
