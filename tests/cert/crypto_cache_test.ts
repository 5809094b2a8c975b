import assert from "node:assert/strict";
import { parsePem } from "../../lib/cert/pem.ts";
import { createCryptoCache, UNCACHED_CRYPTO } from "../../lib/cert/crypto_cache.ts";
import { issue, issueChain, makeKey } from "./issue.ts";

Deno.test("createCryptoCache asks once for each key and each pair, and gives every one its own answer", async () => {
  let asked = 0;
  const questions = createCryptoCache({
    ...UNCACHED_CRYPTO,
    readPublicHalf: (block) => (asked++, UNCACHED_CRYPTO.readPublicHalf(block)),
    issuedBy: (one, other) => (asked++, UNCACHED_CRYPTO.issuedBy(one, other)),
  });
  const keys = [await makeKey(), await makeKey("Ed25519")];
  for (let round = 0; round < 3; round++) {
    for (const { pem, spki } of keys) {
      const [block] = parsePem(new TextEncoder().encode(pem));
      assert.deepEqual(await questions.readPublicHalf(block!), spki);
    }
  }
  assert.equal(asked, 2);
  const { leaf, lower, upper } = await issueChain();
  const forged = await issue({ issuer: { ...lower, key: upper.key } });
  for (let round = 0; round < 3; round++) {
    for (
      const [certificate, issuer, answer] of [
        [leaf, lower, "yes"],
        [lower, upper, "yes"],
        [leaf, upper, "no"],
        [forged, lower, "no"],
      ] as const
    ) {
      const issued = await questions.issuedBy(certificate.certificate, issuer.certificate);
      assert.equal(issued.answer, answer);
    }
  }
  assert.equal(asked, 2 + 4);
});
