import assert from "node:assert/strict";
import fc from "fast-check";
import type { Reply } from "../../lib/http/ask.ts";
import { balancerOutcome, caOutcome } from "../../lib/self_test/token_outcome.ts";
import { answer, silence, TEXT } from "./evidence.ts";

const TABLE: [string, Reply, string][] = [
  ["the text", answer(200, TEXT), "found"],
  ["with a line end", answer(200, `${TEXT}\n`), "found"],
  ["with all white space after it", answer(200, `${TEXT} \t\v\f\r\n`), "found"],
  ["filled up to 127 bytes", answer(200, TEXT.padEnd(127)), "found"],
  ["filled up to 128 bytes", answer(200, TEXT.padEnd(128)), "too_large"],
  ["a line before it", answer(200, `\n${TEXT}`), "leading_bytes"],
  ["a blank before it", answer(200, ` ${TEXT}`), "leading_bytes"],
  ["a byte order mark before it", answer(200, `\xef\xbb\xbf${TEXT}`), "leading_bytes"],
  ["something glued to it", answer(200, `${TEXT}x`), "bad_body"],
  ["a NUL after it", answer(200, `${TEXT}\0`), "bad_body"],
  ["half of it", answer(200, TEXT.slice(0, 43)), "bad_body"],
  ["another text", answer(200, "Hello World"), "bad_body"],
  ["nothing", answer(200, ""), "empty"],
  ["201", answer(201, TEXT), "bad_status"],
  ["204", answer(204), "bad_status"],
  ["206", answer(206, TEXT), "bad_status"],
  ["301", answer(301), "redirected"],
  ["403", answer(403), "bad_status"],
  ["404", answer(404), "absent"],
  ["410", answer(410), "bad_status"],
  ["500", answer(500), "bad_status"],
  ["a timeout", silence("timeout"), "timeout"],
  ["a reset", silence("reset", true), "reset"],
];

for (const [name, reply, outcome] of TABLE) {
  Deno.test(`caOutcome() calls ${name} ${outcome}`, () => {
    assert.deepEqual(caOutcome(reply, TEXT), outcome);
  });
}

Deno.test("caOutcome() accepts exactly what the CA accepts", () => {
  // Boulder: read at most 128 bytes, refuse if all 128 came, trim on the right, compare.
  const boulder = (body: string) => body.length < 128 && body.replace(/\s+$/, "") === TEXT;
  const piece = fc.constantFrom("", " ", "\n", "\r\n", "x", "\t".repeat(60), "\xa0");
  fc.assert(fc.property(piece, piece, piece, (before, after, more) => {
    const body = before + TEXT + after + more;
    fc.pre(!body.includes("\xa0"));
    assert.deepEqual(caOutcome(answer(200, body), TEXT) === "found", boulder(body));
  }));
});

Deno.test("balancerOutcome() accepts exactly what the lookup of serve accepts", () => {
  const token = TEXT.split(".")[0]!;
  const table: [Reply, string, string][] = [
    [answer(200, TEXT), TEXT, "found"],
    [answer(200, `${TEXT}\n`), TEXT, "found"],
    // The CA would trim these; the lookup refuses them.
    [answer(200, `${TEXT} `), TEXT, "bad_body"],
    [answer(200, `${TEXT}\n\n`), TEXT, "bad_body"],
    [answer(200, `${token}.${"x".repeat(43)}`), TEXT, "bad_body"],
    [answer(200, `${token}.`), `${token}.`, "bad_body"],
    [answer(404), TEXT, "absent"],
    [answer(404, "", { "acme-lb-unreadable": "yes" }), TEXT, "unreadable"],
    [answer(200), TEXT, "empty"],
  ];
  for (const [reply, text, outcome] of table) {
    assert.deepEqual(balancerOutcome(reply, { token, text }), outcome, JSON.stringify(reply));
  }
  const byHand = { token: "lb0", text: "Hello World" };
  assert.deepEqual(balancerOutcome(answer(200, "Hello World\n"), byHand), "found");
  assert.deepEqual(balancerOutcome(answer(200, "Hello"), byHand), "bad_body");
});
