import assert from "node:assert/strict";
import fc from "fast-check";
import { orderChain, unique } from "../../lib/cert/chain.ts";
import { issue, issueChain, type Issued, makeKey } from "./issue.ts";

const certificatesOf = (issued: Issued[]) => issued.map(({ certificate }) => certificate);
const serials = (issued: Issued[]) => issued.map(({ certificate }) => certificate.serial);

Deno.test("orderChain gives one order when the candidates come in any, repeated, with the root", async () => {
  const { leaf, lower, upper, root } = await issueChain();
  const all = [lower, upper, root, leaf];
  const shuffled = fc.shuffledSubarray([...all, lower, upper, root], { minLength: 7 });
  await fc.assert(
    fc.asyncProperty(shuffled, async (candidates) => {
      const chain = await orderChain(leaf.certificate, certificatesOf(candidates));
      assert.deepEqual(chain.refusals, []);
      assert.equal(chain.rooted, true);
      assert.deepEqual(chain.intermediates.map(({ serial }) => serial), serials([lower, upper]));
    }),
    { numRuns: 60 },
  );
});

Deno.test("orderChain refuses when a link is missing below what was given", async () => {
  const { leaf, lower, upper, root } = await issueChain();
  const table: [Issued[], number, number][] = [
    [[], 0, 0],
    [[lower], 1, 0],
    [[lower, root], 1, 1],
    [[upper], 0, 1],
    [[upper, root], 0, 2],
    [[root], 0, 1],
  ];
  for (const [given, kept, refused] of table) {
    const chain = await orderChain(leaf.certificate, certificatesOf(given));
    assert.equal(chain.refusals.length, refused, serials(given).join());
    assert.equal(chain.intermediates.length, kept);
    for (const refusal of chain.refusals) assert.match(refusal, /does not belong to the chain/);
  }
});

Deno.test("orderChain refuses a certificate with the right name when it did not sign", async () => {
  const { leaf, upper } = await issueChain();
  const impostor = await issue({ names: [], commonName: "Lower", ca: true, issuer: upper });
  const chain = await orderChain(leaf.certificate, [impostor.certificate]);
  assert.equal(chain.refusals.length, 1);
  assert.match(chain.refusals[0]!, /CN=Lower \(serial .*\) does not belong to the chain/);
});

Deno.test("orderChain keeps the cross-signed certificate when the root of the same key comes too", async () => {
  // As Let's Encrypt had it: ISRG Root X1 by itself, and by DST Root CA X3.
  const old = await issue({ names: [], commonName: "Old Root", ca: true });
  const key = await makeKey("P-384");
  const root = await issue({ names: [], commonName: "New Root", ca: true, key });
  const crossed = await issue({ names: [], commonName: "New Root", ca: true, key, issuer: old });
  const lower = await issue({ names: [], commonName: "R3", ca: true, issuer: root });
  const leaf = await issue({ issuer: lower });
  for (
    const given of [[lower, crossed, root], [root, crossed, lower], [old, crossed, root, lower]]
  ) {
    const chain = await orderChain(leaf.certificate, certificatesOf(given));
    assert.deepEqual(chain.refusals, []);
    assert.deepEqual(chain.intermediates.map(({ serial }) => serial), serials([lower, crossed]));
  }
});

Deno.test("orderChain refuses to choose when two intermediates signed the same certificate", async () => {
  const key = await makeKey();
  const [one, two] = await Promise.all(["Root A", "Root B"].map(async (commonName) => {
    const issuer = await issue({ names: [], commonName, ca: true });
    return await issue({ names: [], commonName: "Lower", ca: true, key, issuer });
  }));
  const leaf = await issue({ issuer: one! });
  const chain = await orderChain(leaf.certificate, certificatesOf([one!, two!]));
  assert.match(
    chain.refusals.join(),
    /the chain is ambiguous: .* and .* both signed service.example/,
  );
});

Deno.test("orderChain ends when CAs have signed each other in a circle", async () => {
  const [keyA, keyB] = [await makeKey(), await makeKey()];
  const selfA = await issue({ names: [], commonName: "A", ca: true, key: keyA });
  const selfB = await issue({ names: [], commonName: "B", ca: true, key: keyB });
  const aByB = await issue({ names: [], commonName: "A", ca: true, key: keyA, issuer: selfB });
  const bByA = await issue({ names: [], commonName: "B", ca: true, key: keyB, issuer: selfA });
  const leaf = await issue({ issuer: selfA });
  const chain = await orderChain(leaf.certificate, certificatesOf([bByA, aByB]));
  assert.deepEqual(chain.refusals, []);
  assert.deepEqual(chain.intermediates.map(({ serial }) => serial), serials([aByB, bByA]));
});

Deno.test("orderChain adds nothing to a self-signed leaf, and refuses what comes with it", async () => {
  const leaf = await issue();
  const stranger = await issue({ commonName: "Root", ca: true });
  assert.deepEqual(await orderChain(leaf.certificate, [leaf.certificate]), {
    intermediates: [],
    rooted: false,
    refusals: [],
  });
  const chain = await orderChain(leaf.certificate, [stranger.certificate]);
  assert.equal(chain.refusals.length, 1);
});

Deno.test("unique keeps the first of each certificate, by bytes", async () => {
  const [a, b] = [await issue(), await issue()];
  const list = certificatesOf([a, b, a, b, b]);
  assert.deepEqual(unique(list), certificatesOf([a, b]));
});
