/** Preambles of the PROXY protocol, whole, cut short, and wrong. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { looksLikePreamble, parsePreamble } from "../../lib/http/proxy_protocol.ts";
import { latin1 } from "./raw_client.ts";

const V2 = "\r\n\r\n\0\r\nQUIT\n";
const SIX = (last: string) => "\x20\x01\x0d\xb8" + "\0".repeat(11) + last;
const FOUR_PAIR = "\xc6\x33\x64\x07\xcb\x00\x71\x01\xc8\x22\x00\x50";

/** [text, its endpoints or the kind of what it is] */
const WHOLE: [string, [string, string] | "none" | "malformed" | undefined][] = [
  ["PROXY TCP4 198.51.100.7 203.0.113.1 51234 80\r\n", ["198.51.100.7", "203.0.113.1"]],
  ["PROXY TCP6 2001:DB8:0::7 2001:db8::1 51234 80\r\n", ["2001:db8::7", "2001:db8::1"]],
  ["PROXY UNKNOWN\r\n", undefined],
  ["PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", undefined],
  ["PROXY TCP4 198.51.100.07 203.0.113.1 51234 80\r\n", "malformed"],
  ["PROXY TCP4 2001:db8::7 2001:db8::1 51234 80\r\n", "malformed"],
  ["PROXY TCP4 198.51.100.7 203.0.113.1 65536 80\r\n", "malformed"],
  ["PROXY TCP4 198.51.100.7 203.0.113.1 51234\r\n", "malformed"],
  ["PROXY TCP5 198.51.100.7 203.0.113.1 51234 80\r\n", "malformed"],
  ["PROXY UDP4 198.51.100.7 203.0.113.1 51234 80\r\n", "malformed"],
  [`PROXY TCP4 ${"1".repeat(120)}`, "malformed"],
  [`${V2}\x21\x11\0\x0c${FOUR_PAIR}`, ["198.51.100.7", "203.0.113.1"]],
  [`${V2}\x21\x11\0\x13${FOUR_PAIR}\x04\x00\x04abcd`, ["198.51.100.7", "203.0.113.1"]],
  [`${V2}\x21\x21\0\x24${SIX("\x07")}${SIX("\x01")}\xc8\x22\x00\x50`, [
    "2001:db8::7",
    "2001:db8::1",
  ]],
  [`${V2}\x20\0\0\0`, undefined],
  [`${V2}\x20\x11\0\x0c${FOUR_PAIR}`, undefined],
  [`${V2}\x21\x31\0\x03abc`, undefined],
  [`${V2}\x21\0\0\0`, undefined],
  [`${V2}\x21\x11\0\x0b${FOUR_PAIR.slice(1)}`, "malformed"],
  [`${V2}\x22\x11\0\x0c${FOUR_PAIR}`, "malformed"],
  [`${V2}\x11\x11\0\x0c${FOUR_PAIR}`, "malformed"],
  [`${V2}\x21\x11\xff\xff${FOUR_PAIR}`, "malformed"],
  ["GET / HTTP/1.1\r\n", "none"],
  ["POST / HTTP/1.1\r\n", "none"],
  ["\r\nGET / HTTP/1.1\r\n", "none"],
  ["\x16\x03\x01", "none"],
  ["", "none"],
];

Deno.test("parsePreamble() reads both versions, and accepts nothing else", () => {
  for (const [text, expected] of WHOLE) {
    const wanted = typeof expected === "string" ? { kind: expected } : {
      kind: "preamble",
      length: text.length,
      ...expected ? { endpoints: { client: expected[0], local: expected[1] } } : {},
    };
    const got = parsePreamble(latin1(text + (text.endsWith("1") ? "" : "GET / HTTP/1.1\r\n")));
    assert.deepEqual(got.kind, wanted.kind, text);
    if (wanted.kind === "preamble") {
      assert.deepEqual(parsePreamble(latin1(text)), wanted, text);
      for (let cut = 1; cut < text.length; cut++) {
        assert.deepEqual(
          parsePreamble(latin1(text.slice(0, cut))),
          { kind: "incomplete" },
          `${text} ${cut}`,
        );
      }
    }
  }
});

Deno.test("parsePreamble() never throws for any bytes", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("", "PROXY ", V2, `${V2}\x21`),
      fc.string({ unit: "binary-ascii" }),
      (begin, rest) => {
        parsePreamble(latin1(begin + rest));
      },
    ),
  );
});

Deno.test("looksLikePreamble() distinguishes the beginning of a preamble from that of a request", () => {
  const table: [string, boolean][] = [
    ["PROXY TCP4 1", true],
    ["PROXY", true],
    ["PROX", false],
    ["PROXYFIND / HTTP/1.1", false],
    ["POST / HTTP/1.1", false],
    [V2, true],
    ["\r\n\r\n\0", true],
    ["\r\n\r\nGET", false],
  ];
  for (const [text, expected] of table) {
    assert.deepEqual(looksLikePreamble(latin1(text)), expected, text);
  }
});
