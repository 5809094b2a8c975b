/** Whole answers, as servers of all kinds give them, in pieces of any size. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { ResponseReader } from "../../lib/http/response_reader.ts";
import { latin1 } from "./raw_client.ts";

/** The result of the text in pieces, with the end behind it or not. */
function read(
  text: string,
  { ended = true, piece = text.length || 1, chunked = true } = {},
): ReturnType<ResponseReader["push"]> {
  const reader = new ResponseReader({ chunked });
  for (let at = 0; at < text.length; at += piece) {
    const result = reader.push(latin1(text.slice(at, at + piece)));
    if (result) return result;
  }
  return ended ? reader.end() : undefined;
}

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

/** [what came until the server closed, body or fault] */
const ANSWERS: [string, { body: string } | { fault: string }][] = [
  [`${OK}Content-Length: 4\r\n\r\ntext`, { body: "text" }],
  [`${OK}Content-Length: 4\r\n\r\ntext and more`, { body: "text" }],
  [`${OK}\r\ntext`, { body: "text" }],
  [`${OK}Content-Length: 0\r\n\r\n`, { body: "" }],
  [`${OK}Content-Length: 5\r\n\r\ntext`, { fault: "bad_framing" }],
  [`${OK}Content-Length: 4\r\nContent-Length: 4\r\n\r\ntext`, { fault: "bad_framing" }],
  [`${OK}Content-Length: four\r\n\r\ntext`, { fault: "bad_framing" }],
  [`${OK}Content-Length: 4097\r\n\r\n`, { fault: "too_large" }],
  [`${OK}Content-Length: 4096\r\n\r\n${"a".repeat(4096)}`, { body: "a".repeat(4096) }],
  [`${OK}\r\n${"a".repeat(4097)}`, { fault: "too_large" }],
  [`${CHUNKED}2\r\nte\r\n2;x=y\r\nxt\r\n0\r\n\r\n`, { body: "text" }],
  [`${CHUNKED}4\r\ntext\r\n0\r\n`, { body: "text" }],
  [`${CHUNKED}4\r\ntext\r\n`, { fault: "bad_framing" }],
  [`${CHUNKED}4\r\ntext`, { fault: "bad_framing" }],
  [`${CHUNKED}4\r\ntextual\r\n0\r\n\r\n`, { fault: "bad_framing" }],
  [`${CHUNKED}-1\r\n`, { fault: "bad_framing" }],
  [`${CHUNKED}1001\r\n${"a".repeat(4097)}\r\n0\r\n\r\n`, { fault: "too_large" }],
  [`${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, { fault: "bad_framing" }],
  [`${OK}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08`, {
    fault: "bad_framing",
  }],
  [`${OK}Content-Length: 3\r\n\r\n\xef\xbb\xbf`, { body: "\xef\xbb\xbf" }],
  [`${OK}Content-Length: 1\r\n\r\n\x80`, { body: "\x80" }],
  ["", { fault: "empty" }],
  ["HTTP/1.1 200", { fault: "bad_framing" }],
  ["SSH-2.0-OpenSSH_9.2\r\n\r\n", { fault: "bad_framing" }],
];

for (const [text, expected] of ANSWERS) {
  Deno.test(`ResponseReader reads ${JSON.stringify(text.slice(0, 70))}`, () => {
    const parsed = read(text)!;
    assert.deepEqual("fault" in parsed ? parsed : { body: parsed.body }, expected);
  });
}

Deno.test("ResponseReader returns status and fields without waiting for a body it does not need", () => {
  const redirect =
    "HTTP/1.1 301 Moved\r\nLocation: /x\r\nX: a\r\nx:  b \r\nContent-Length: 999\r\n\r\n";
  assert.deepEqual(read(redirect, { ended: false }), {
    status: 301,
    fields: { location: "/x", x: "a, b", "content-length": "999" },
    body: "",
  });
});

Deno.test("ResponseReader waits neither for the end of an endless body nor of an endless head", () => {
  const endless = [
    `${OK}\r\n${"a".repeat(4097)}`,
    `${OK}${"X: y\r\n".repeat(2000)}`,
    `${OK}Content-Length: 999999\r\n\r\n`,
    `${CHUNKED}ffffff\r\n${"a".repeat(4097)}`,
  ];
  for (const text of endless) {
    assert.deepEqual(read(text, { ended: false }), { fault: "too_large" }, text.slice(0, 60));
  }
});

Deno.test("ResponseReader gives the same for pieces of any size", () => {
  for (const [text] of ANSWERS) {
    const whole = read(text);
    for (const piece of [1, 2, 3, 5, 7, 16, 64]) {
      assert.deepEqual(read(text, { piece }), whole, `${piece} ${text.slice(0, 60)}`);
    }
  }
});

Deno.test("ResponseReader decides nothing before the bytes that it needs", () => {
  for (const [text] of ANSWERS.filter(([, expected]) => "body" in expected)) {
    const whole = read(text);
    for (let cut = 0; cut < text.length; cut++) {
      const early = read(text.slice(0, cut), { ended: false });
      if (early) assert.deepEqual(early, whole, text.slice(0, cut));
    }
  }
});

Deno.test("ResponseReader refuses chunks in answer to HTTP/1.0", () => {
  const chunks = `${CHUNKED}4\r\ntext\r\n0\r\n\r\n`;
  assert.deepEqual(read(chunks, { chunked: false }), { fault: "bad_framing" });
  const identity = `${OK}Content-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi`;
  assert.deepEqual((read(identity, { chunked: false }) as { body: string }).body, "hi");
});

Deno.test("ResponseReader always decides at the end, and never throws", () => {
  const mutated = fc.tuple(fc.constantFrom(...ANSWERS), fc.nat(200), fc.string({ maxLength: 9 }))
    .map(([[text], at, junk]) => text.slice(0, at) + junk + text.slice(at));
  fc.assert(fc.property(mutated, (text) => {
    assert.ok(read(text.replace(/[^\0-\xff]/g, "?")));
  }));
});
