/** The head parser as a pure function: what a prefix means never changes with what follows. */

import { deepStrictEqual, ok } from "node:assert/strict";
import fc from "fast-check";
import {
  type HeadResult,
  MAX_HEAD,
  MAX_HEADERS,
  MAX_TARGET,
  parseRequestHead,
} from "../../lib/http/request_head.ts";
import { latin1 } from "./raw_client.ts";

function parse(text: string, upTo = text.length): HeadResult {
  return parseRequestHead(latin1(text), 0, upTo);
}

const tokenChar = fc.constantFrom(..."abcXYZ019!#$%&'*+-.^_`|~");
const token = fc.string({ unit: tokenChar, minLength: 1, maxLength: 30 });
const visible = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 60,
});
const value = fc.string({
  unit: fc.oneof(
    fc.constant("\t"),
    fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
  ),
  maxLength: 40,
});
/** A header that has no meaning to the parser. */
const plainHeader = fc.tuple(token.map((name) => `X-${name}`), value);

const goodRequest = fc.record({
  method: token,
  target: visible,
  minor: fc.constantFrom(0, 1),
  host: visible,
  headers: fc.array(plainHeader, { maxLength: 10 }),
}).map(({ method, target, minor, host, headers }) => ({
  method,
  target,
  minor,
  host,
  text: `${method} ${target} HTTP/1.${minor}\r\nHost: ${host}\r\n` +
    headers.map(([name, text]) => `${name}:${text}\r\n`).join("") + "\r\n",
}));

Deno.test("parseRequestHead() reads back every well-formed head", () => {
  fc.assert(
    fc.property(goodRequest, fc.string(), (request, rest) => {
      const got = parse(request.text + rest);
      ok(got.kind === "head");
      deepStrictEqual(
        [got.method, got.target, got.minor, got.host, got.body, got.length],
        [request.method, request.target, request.minor, request.host, false, request.text.length],
      );
    }),
    { numRuns: 3000 },
  );
});

const anyBytes = fc.oneof(
  fc.string({ unit: "binary-ascii", maxLength: 300 }),
  goodRequest.chain(({ text }) =>
    fc.tuple(fc.nat(text.length), fc.nat(255)).map(([at, code]) =>
      text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1)
    )
  ),
);

Deno.test("parseRequestHead() judges a prefix as it judges the whole, at every cut", () => {
  fc.assert(
    fc.property(anyBytes, (text) => {
      let verdict: HeadResult = { kind: "incomplete" };
      for (let cut = 0; cut <= text.length; cut++) {
        const got = parse(text, cut);
        if (verdict.kind === "incomplete") verdict = got;
        else deepStrictEqual(got, verdict, `cut at ${cut}`);
      }
    }),
    { numRuns: 3000 },
  );
});

Deno.test("parseRequestHead() accepts nothing that holds a stray control or bare line end", () => {
  fc.assert(
    fc.property(anyBytes, (text) => {
      const got = parse(text);
      if (got.kind !== "head") return;
      const head = text.slice(0, got.length);
      // deno-lint-ignore no-control-regex
      ok(!/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(head));
      ok(!/[^\r]\n|\r[^\n]/.test(head));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("parseRequestHead() reads at an offset what it reads at the start", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary-ascii" }), anyBytes, (before, text) => {
      const got = parseRequestHead(
        latin1(before + text),
        before.length,
        before.length + text.length,
      );
      deepStrictEqual(got, parse(text));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("parseRequestHead() keeps to its limits exactly", () => {
  const request = (target: string, headers: string) =>
    `GET ${target} HTTP/1.1\r\nHost: h\r\n${headers}\r\n`;
  const filled = (bytes: number) =>
    request("/", `X: ${"a".repeat(bytes - request("/", "X: \r\n").length)}\r\n`);
  const table: [string, string, string | number][] = [
    ["target at the limit", request(`/${"a".repeat(MAX_TARGET - 1)}`, ""), "head"],
    ["target over it", request(`/${"a".repeat(MAX_TARGET)}`, ""), 414],
    ["headers at the limit", request("/", "A: b\r\n".repeat(MAX_HEADERS - 1)), "head"],
    ["headers over it", request("/", "A: b\r\n".repeat(MAX_HEADERS)), 431],
    ["head at the limit", filled(MAX_HEAD), "head"],
    ["head over it", filled(MAX_HEAD + 1), 431],
    [
      "unfinished head one under the limit",
      filled(MAX_HEAD + 9).slice(0, MAX_HEAD - 1),
      "incomplete",
    ],
    ["unfinished head at the limit", filled(MAX_HEAD + 9).slice(0, MAX_HEAD), 431],
  ];
  for (const [name, text, expected] of table) {
    const got = parse(text);
    deepStrictEqual(got.kind === "refusal" ? got.status : got.kind, expected, name);
  }
});

Deno.test("parseRequestHead() says whether the connection may be kept", () => {
  const table: [string, string, boolean][] = [
    ["1.1", "", true],
    ["1.1", "Connection: keep-alive\r\n", true],
    ["1.1", "Connection: close\r\n", false],
    ["1.1", "connection: foo , CLOSE\r\n", false],
    ["1.1", "Connection: foo\r\nConnection: close\r\n", false],
    ["1.1", "Connection: closed\r\n", true],
    ["1.1", "Connection: not-close\r\n", true],
    ["1.1", "Upgrade: h2c\r\n", false],
    ["1.0", "", false],
    ["1.0", "Connection: keep-alive\r\n", false],
  ];
  for (const [version, headers, expected] of table) {
    const got = parse(`GET / HTTP/${version}\r\nHost: h\r\n${headers}\r\n`);
    ok(got.kind === "head");
    deepStrictEqual(got.keepAlive, expected, `${version} ${headers}`);
  }
});
