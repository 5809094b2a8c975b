/** The head parser as a pure function: what a prefix means never changes with what follows. */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  HeadReader,
  type HeadResult,
  MAX_FIELDS,
  MAX_HEAD_BYTES,
  MAX_TARGET_BYTES,
} from "../../lib/http/request_head.ts";
import { latin1 } from "./raw_client.ts";
import { parseRequestHead } from "./whole_head.ts";

function parse(text: string, upTo = text.length): HeadResult {
  return parseRequestHead(latin1(text), 0, upTo);
}

const tokenChar = fc.constantFrom(..."abcXYZ019!#$%&'*+-.^_`|~");
const token = fc.string({ unit: tokenChar, minLength: 1, maxLength: 30 });
const visible = fc.string({
  unit: fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
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
      assert.ok(got.kind === "head");
      assert.deepEqual(
        [got.method, got.target, got.minor, got.host, got.body, got.length],
        [request.method, request.target, request.minor, request.host, 0, request.text.length],
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

Deno.test("parseRequestHead() gives the same result for a prefix at every cut", () => {
  fc.assert(
    fc.property(anyBytes, (text) => {
      let verdict: HeadResult = { kind: "incomplete" };
      for (let cut = 0; cut <= text.length; cut++) {
        const got = parse(text, cut);
        if (verdict.kind === "incomplete") verdict = got;
        else assert.deepEqual(got, verdict, `cut at ${cut}`);
      }
    }),
    { numRuns: 3000 },
  );
});

Deno.test("parseRequestHead() refuses control characters and bare line ends", () => {
  fc.assert(
    fc.property(anyBytes, (text) => {
      const got = parse(text);
      if (got.kind !== "head") return;
      const head = text.slice(0, got.length);
      // deno-lint-ignore no-control-regex
      assert.ok(!/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(head));
      assert.ok(!/[^\r]\n|\r[^\n]/.test(head));
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
      assert.deepEqual(got, parse(text));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("HeadReader gives the same result for any pieces and any move of the buffer", () => {
  const pieces = fc.tuple(anyBytes, fc.array(fc.nat(40), { maxLength: 60 }), fc.nat(5));
  fc.assert(
    fc.property(pieces, ([text, steps, shift]) => {
      const reader = new HeadReader();
      let got: HeadResult = { kind: "incomplete" };
      let end = 0;
      for (const [i, step] of [...steps, text.length].entries()) {
        if (got.kind !== "incomplete") break;
        end = Math.min(text.length, end + step);
        // Another place in another buffer each time, with only what has arrived in it.
        const start = i * shift;
        got = reader.read(latin1("?".repeat(start) + text.slice(0, end)), start, start + end);
      }
      assert.deepEqual(got, parse(text));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("HeadReader looks at each byte once: a head byte by byte costs what the whole costs", () => {
  const text = `GET / HTTP/1.1\r\nHost: h\r\nX: ${"a".repeat(15_000)}\r\n\r\n`;
  let looks = 0;
  const bytes = new Proxy(latin1(text), {
    get(target, key) {
      if (typeof key === "string" && /^\d+$/.test(key)) looks++;
      const value = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const reader = new HeadReader();
  let got: HeadResult = { kind: "incomplete" };
  for (let end = 1; end <= text.length; end++) got = reader.read(bytes, 0, end);
  assert.deepEqual(got.kind, "head");
  assert.ok(looks < 4 * text.length, `${looks} looks at ${text.length} bytes`);
});

Deno.test("parseRequestHead() applies its limits exactly", () => {
  const request = (target: string, headers: string) =>
    `GET ${target} HTTP/1.1\r\nHost: h\r\n${headers}\r\n`;
  const filled = (bytes: number) =>
    request("/", `X: ${"a".repeat(bytes - request("/", "X: \r\n").length)}\r\n`);
  const table: [string, string, string | number][] = [
    ["target at the limit", request(`/${"a".repeat(MAX_TARGET_BYTES - 1)}`, ""), "head"],
    ["target over it", request(`/${"a".repeat(MAX_TARGET_BYTES)}`, ""), 414],
    ["fields at the limit", request("/", "A: b\r\n".repeat(MAX_FIELDS - 1)), "head"],
    ["fields over it", request("/", "A: b\r\n".repeat(MAX_FIELDS)), 431],
    ["head at the limit", filled(MAX_HEAD_BYTES), "head"],
    ["head over it", filled(MAX_HEAD_BYTES + 1), 431],
    [
      "unfinished head one under the limit",
      filled(MAX_HEAD_BYTES + 9).slice(0, MAX_HEAD_BYTES - 1),
      "incomplete",
    ],
    ["unfinished head at the limit", filled(MAX_HEAD_BYTES + 9).slice(0, MAX_HEAD_BYTES), 431],
  ];
  for (const [name, text, expected] of table) {
    const got = parse(text);
    assert.deepEqual(got.kind === "refusal" ? got.status : got.kind, expected, name);
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
    assert.ok(got.kind === "head");
    assert.deepEqual(got.keepAlive, expected, `${version} ${headers}`);
  }
});

Deno.test("parseRequestHead() accepts any token of up to 64 characters as a method", () => {
  const table: [string, string | number][] = [
    ["PROPFIND", "head"],
    ["get", "head"],
    ["VERSION-CONTROL", "head"],
    ["M!#$%&'*+.^_`|~9", "head"],
    ["A".repeat(64), "head"],
    ["A".repeat(65), 405],
    ["GE(T", 400],
    ["G\xc9T", 400],
    ["", 400],
  ];
  for (const [method, expected] of table) {
    const got = parse(`${method} / HTTP/1.1\r\nHost: h\r\n\r\n`);
    assert.deepEqual(got.kind === "refusal" ? got.status : got.kind, expected, method);
  }
});

Deno.test("parseRequestHead() knows how many bytes of a body are announced", () => {
  const table: [string, number | string][] = [
    ["", 0],
    ["Content-Length: 0\r\n", 0],
    ["Content-Length: 5\r\n", 5],
    ["Content-Length: 0005\r\n", 5],
    ["Content-Length: 5000000000\r\n", 5e9],
    ["Transfer-Encoding: chunked\r\n", Infinity],
    ["Transfer-Encoding: Chunked\r\n", Infinity],
    ["Content-Length: 9007199254740992\r\n", "body_too_large"],
    ["Content-Length: 5\r\nContent-Length: 5\r\n", "bad_framing"],
    ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "bad_framing"],
    ["Expect: 100-continue\r\nContent-Length: 5\r\n", 5],
  ];
  for (const [fields, expected] of table) {
    const got = parse(`POST / HTTP/1.1\r\nHost: h\r\n${fields}\r\n`);
    assert.deepEqual(
      got.kind === "head" ? got.body : got.kind === "refusal" && got.fault,
      expected,
    );
  }
});

Deno.test("parseRequestHead() sees from the headers of a proxy in front that the client used https", () => {
  const table: [string, boolean][] = [
    ["X-Forwarded-Proto: https", true],
    ["x-forwarded-proto: HTTPS", true],
    ["X-Forwarded-Proto: https, http", true],
    ["X-Forwarded-Proto: http, https", false],
    ["X-Forwarded-Proto: http", false],
    ["X-Forwarded-Scheme: https", true],
    ["X-Forwarded-Protocol: https", true],
    ["X-Forwarded-Ssl: on", true],
    ["X-Forwarded-Ssl: off", false],
    ["Front-End-Https: On", true],
    ["Forwarded: for=192.0.2.1;proto=https", true],
    ['Forwarded: for=192.0.2.1; proto="https"', true],
    ["Forwarded: proto=http, proto=https", false],
    ["X-Forwarded-Host: https", false],
    ["Referer: https://a.example/", false],
  ];
  for (const [field, expected] of table) {
    const got = parse(`GET / HTTP/1.1\r\nHost: h\r\n${field}\r\n\r\n`);
    assert.deepEqual(got.kind === "head" && got.cameByHttps, expected, field);
  }
});
