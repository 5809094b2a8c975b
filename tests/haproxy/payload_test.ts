import assert from "node:assert/strict";
import fc from "fast-check";
import { JobError } from "../../lib/errors.ts";
import { nameProblem, pemPayload } from "../../lib/haproxy/payload.ts";
import { issue } from "../cert/issue.ts";
import { pemOf } from "./real_haproxy.ts";

const BLOCK = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY = "-----BEGIN EC PRIVATE KEY-----\nAAAA\nBB==\n-----END EC PRIVATE KEY-----\n";

Deno.test("pemPayload() passes whole blocks, one below the other", async () => {
  const real = pemOf(await issue());
  for (const pem of [BLOCK, KEY + BLOCK, BLOCK + BLOCK + KEY, real, BLOCK.trimEnd()]) {
    assert.equal(pemPayload(pem), pem.endsWith("\n") ? pem : `${pem}\n`);
  }
});

Deno.test("pemPayload() refuses everything else, without repeating it", () => {
  const secret = "c2VjcmV0";
  const table: [what: string, pem: string, reason: RegExp][] = [
    ["nothing", "", /line 1|no whole block/],
    ["a blank line between blocks", `${BLOCK}\n${KEY}`, /line 4 is blank/],
    ["a blank line at the end", `${BLOCK}\n`, /line 4 is blank/],
    ["a blank line inside", BLOCK.replace("AAAA", "AAAA\n"), /line 3 is blank/],
    ["commands after a blank line", `${BLOCK}\nshow info\n`, /line 4 is blank/],
    ["commands without one", `${BLOCK}show info\n`, /line 4 is not PEM/],
    ["one word like base64 outside", `${BLOCK}quit\n`, /line 4 is not PEM/],
    ["a space only", `${BLOCK} \n${KEY}`, /line 4 is not PEM/],
    ["CRLF", BLOCK.replaceAll("\n", "\r\n"), /line 1 is not PEM/],
    ["a NUL", BLOCK.replace("AAAA", "AA\0A"), /line 2 is not PEM/],
    ["a byte order mark", `\uFEFF${BLOCK}`, /line 1 is not PEM/],
    ["a header", KEY.replace("\n", "\nProc-Type: 4,ENCRYPTED\n"), /line 2 is not PEM/],
    ["an encrypted key", KEY.replaceAll("EC PRIVATE", "ENCRYPTED PRIVATE"), /line 1 opens/],
    ["another label", BLOCK.replaceAll("CERTIFICATE", "PUBLIC KEY"), /line 1 opens a block of/],
    ["no END", `-----BEGIN CERTIFICATE-----\n${secret}\n`, /no whole block/],
    ["another END", BLOCK.replace("END CERTIFICATE", "END PRIVATE KEY"), /line 3 ends/],
    ["an empty block", BLOCK.replace("AAAA\n", ""), /line 2 ends/],
    ["a block in a block", `${BLOCK.slice(0, 28)}${BLOCK}`, /line 2 opens/],
    ["a long line", BLOCK.replace("AAAA", secret.repeat(10)), /line 2 is not PEM/],
    ["blocks joined", BLOCK.trimEnd() + BLOCK, /line 3 is not PEM/],
  ];
  for (const [what, pem, reason] of table) {
    assert.throws(() => pemPayload(pem), (error) => {
      assert.ok(error instanceof JobError, what);
      assert.match(error.message, reason, what);
      assert.ok(!error.message.includes(secret), what);
      return true;
    }, what);
  }
});

Deno.test("pemPayload() never contains a line that HAProxy could execute", () => {
  const piece = fc.oneof(
    fc.constantFrom(BLOCK, KEY, "\n", "\r\n", "show info\n", " \n", "\0", "-----", "QUJD\n"),
    fc.string({ unit: "binary", maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      let sent: string;
      try {
        sent = pemPayload(pieces.join(""));
      } catch (error) {
        assert.ok(error instanceof JobError);
        return;
      }
      assert.match(sent, /^(?:(?:-----(?:BEGIN|END) [A-Z ]+-----|[A-Za-z0-9+/]+={0,2})\n)+$/);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("nameProblem() accepts the names that HAProxy's configuration gives", () => {
  for (
    const name of [
      "/etc/haproxy/certs/service.example.pem",
      "certs/service.pem",
      "@store/alias",
      "/srv/*.example.pem",
      "/srv/a.pem.rsa",
      "/srv/bücher.example.pem",
      "/srv/a,b:c=d@e.pem",
      "/srv/key",
    ]
  ) assert.equal(nameProblem(name), undefined, name);
});

Deno.test("nameProblem() refuses names that turn into commands or mean something else", () => {
  for (
    const name of [
      "",
      "/srv/a.pem\nshow info",
      "/srv/a.pem;show info",
      "/srv/a b.pem",
      "/srv/a\tb.pem",
      "/srv/a\u00a0b.pem",
      "/srv/a\\ b.pem",
      "/srv/a.pem <<",
      "/srv/a.pem<<",
      '"/srv/a.pem"',
      "/srv/it's.pem",
      "/srv/a#b.pem",
      "/srv/a\0.pem",
      "/srv/a\x1b[31m.pem",
      "*/srv/a.pem",
      "/srv/a.pem.key",
      "/srv/a.pem.ocsp",
      "/srv/a.pem.issuer",
      "/srv/a.pem.sctl",
      `/${"x".repeat(1024)}`,
    ]
  ) assert.equal(typeof nameProblem(name), "string", JSON.stringify(name));
});
