/**
 * What wrong framing gets: every row of the measured table of other servers, as acme-lb answers
 * it on a real socket. `closed` says that the server ends the connection after its last answer.
 */

import assert from "node:assert/strict";
import { exchange, KEY_AUTHORIZATION, publicPort, TOKEN } from "./raw_client.ts";

const HOST = "Host: h.example\r\n";
const GET = `GET /x HTTP/1.1\r\n${HOST}`;
const POST = `POST /x HTTP/1.1\r\n${HOST}`;
const CHALLENGE = `/.well-known/acme-challenge/${TOKEN}`;

/** [what is sent, its bytes, statuses in order, whether the server closes] */
type Row = [string, string, number[], boolean];

const KEPT: Row[] = [
  ["a plain request", `${GET}\r\n`, [301], false],
  ["a HEAD request", `HEAD /x HTTP/1.1\r\n${HOST}\r\n`, [301], false],
  ["Content-Length: 0", `${POST}Content-Length: 0\r\n\r\n`, [308], false],
  ["three pipelined requests", `${GET}\r\n${GET}\r\n${GET}\r\n`, [301, 301, 301], false],
  ["one CRLF before the request", `\r\n${GET}\r\n`, [301], false],
  ["one CRLF between pipelined requests", `${GET}\r\n\r\n${GET}\r\n`, [301, 301], false],
  ["0xE9 in a header value", `${GET}X-Name: caf\xe9\r\n\r\n`, [301], false],
  ["Expect: banana", `${GET}Expect: banana\r\n\r\n`, [301], false],
  ["101 headers", `${GET}${"A: b\r\n".repeat(100)}\r\n`, [301], false],
  ["a head of exactly 16384 bytes", filled(16_384), [301], false],
  ["a target of exactly 8192 bytes", target(8192), [301], false],
  ["a tab around a value", `GET /x HTTP/1.1\r\nHost:\th.example\t\r\n\r\n`, [301], false],
  ["an empty value", `${GET}X-Empty:\r\n\r\n`, [301], false],
  ["the method FOO", `FOO /x HTTP/1.1\r\n${HOST}\r\n`, [308], false],
  ["the method get", `get /x HTTP/1.1\r\n${HOST}\r\n`, [308], false],
  ["the method TRACK", `TRACK /x HTTP/1.1\r\n${HOST}\r\n`, [308], false],
  ["the method PROPFIND", `PROPFIND /x HTTP/1.1\r\n${HOST}\r\n`, [308], false],
  ["OPTIONS *", `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, [308], false],
  ["Expect without a body", `${POST}Expect: 100-continue\r\nContent-Length: 0\r\n\r\n`, [
    308,
  ], false],
  ["Expect on a GET", `${GET}Expect: 100-continue\r\n\r\n`, [301], false],
  ["a challenge", `GET ${CHALLENGE} HTTP/1.1\r\n${HOST}\r\n`, [200], false],
];

const CLOSED: Row[] = [
  ["Connection: close", `${GET}Connection: close\r\n\r\n`, [301], true],
  ["close among other options", `${GET}Connection: TE, Close\r\n\r\n`, [301], true],
  ["HTTP/1.0", `GET /x HTTP/1.0\r\n${HOST}\r\n`, [301], true],
  ["Upgrade: websocket", `${GET}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, [301], true],
  ["Upgrade: h2c", `${GET}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`, [301], true],
  ["a GET with a body, and a pipelined second", `${GET}Content-Length: 5\r\n\r\nhello${GET}\r\n`, [
    301,
  ], true],
  [
    "Expect: 100-continue, its body held back",
    `${POST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
    [
      308,
    ],
    true,
  ],
  ["a POST with a body", `${POST}Content-Length: 5\r\n\r\nhello`, [308], true],
  [
    "a chunked POST",
    `${POST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
    [308],
    true,
  ],
  // The body of a redirected request is not parsed, so none of these can be misread.
  [
    "a chunk size line with LF alone",
    `${POST}Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n`,
    [
      308,
    ],
    true,
  ],
  [
    "a bad chunk extension",
    `${POST}Transfer-Encoding: chunked\r\n\r\n5;=\r\nhello\r\n`,
    [308],
    true,
  ],
  [
    "a chunk size 0x1",
    `${POST}Transfer-Encoding: chunked\r\n\r\n0x1\r\nh\r\n0\r\n\r\n`,
    [308],
    true,
  ],
  [
    "a challenge with a body",
    `GET ${CHALLENGE} HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`,
    [
      413,
    ],
    true,
  ],
  [
    "a challenge with a chunked body",
    `GET ${CHALLENGE} HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    [
      413,
    ],
    true,
  ],
];

const REFUSED: Row[] = [
  [
    "Content-Length and Transfer-Encoding",
    `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello`,
    [
      400,
    ],
    true,
  ],
  [
    "Transfer-Encoding and Content-Length",
    `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello`,
    [
      400,
    ],
    true,
  ],
  ...["5\r\nContent-Length: 5", "5\r\nContent-Length: 6", "5, 5", "+5", "-1", "0x5", "", "5 5"].map(
    (
      value,
    ): Row => [
      `Content-Length: ${JSON.stringify(value)}`,
      `${POST}Content-Length: ${value}\r\n\r\nhello`,
      [400],
      true,
    ],
  ),
  ["Content-Length: 2^64", `${POST}Content-Length: 18446744073709551616\r\n\r\n`, [400], true],
  ["Content-Length: 2^64-1", `${POST}Content-Length: 18446744073709551615\r\n\r\n`, [413], true],
  ...[
    "xchunked",
    "chunked, identity",
    "identity",
    "\x0bchunked",
    "chunked, chunked",
    "",
    "gzip, chunked",
  ]
    .map((value): Row => [
      `Transfer-Encoding: ${JSON.stringify(value)}`,
      `${POST}Transfer-Encoding: ${value}\r\n\r\n0\r\n\r\n`,
      [400],
      true,
    ]),
  [
    "Transfer-Encoding twice",
    `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    [
      400,
    ],
    true,
  ],
  ["a blank before the colon", `${POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`, [400], true],
  [
    "Transfer-Encoding in HTTP/1.0",
    `POST /x HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`,
    [
      400,
    ],
    true,
  ],
  ["a folded header", `${GET}X-A: b\r\n c\r\n\r\n`, [400], true],
  ["a folded first header", `GET /x HTTP/1.1\r\n ${HOST}\r\n`, [400], true],
  ["a header without a name", `${GET}: b\r\n\r\n`, [400], true],
  ["a header without a colon", `${GET}X-A\r\n\r\n`, [400], true],
  ["lines that end in LF alone", `GET /x HTTP/1.1\nHost: h.example\n\n`, [400], true],
  ["one LF among CRLFs", `GET /x HTTP/1.1\r\nHost: h.example\nX: y\r\n\r\n`, [400], true],
  ["an LF for the last line", `GET /x HTTP/1.1\r\nHost: h.example\r\n\n`, [400], true],
  ["a bare CR in a value", `${GET}X-A: b\rc\r\n\r\n`, [400], true],
  ["a bare CR as a line end", `GET /x HTTP/1.1\r${HOST}\r\n`, [400], true],
  ["a leading LF", `\n${GET}\r\n`, [400], true],
  ["two leading CRLFs", `\r\n\r\n${GET}\r\n`, [400], true],
  ["NUL in a value", `${GET}X-A: b\0c\r\n\r\n`, [400], true],
  ["NUL in a name", `${GET}X\0A: b\r\n\r\n`, [400], true],
  ["NUL in the target", `GET /\0x HTTP/1.1\r\n${HOST}\r\n`, [400], true],
  ["NUL in the Host", `GET /x HTTP/1.1\r\nHost: h\0.example\r\n\r\n`, [400], true],
  ["0x7f in a value", `${GET}X-A: b\x7f\r\n\r\n`, [400], true],
  ["0xE9 in the Host", `GET /x HTTP/1.1\r\nHost: caf\xe9.example\r\n\r\n`, [400], true],
  ["102 headers", `${GET}${"A: b\r\n".repeat(101)}\r\n`, [431], true],
  ["129 headers", `${GET}${"A: b\r\n".repeat(128)}\r\n`, [431], true],
  ["a head of 16385 bytes", filled(16_385), [431], true],
  ["a head over 64 KiB", filled(70_000), [431], true],
  ["a header of 1 MB", `${GET}X-A: ${"a".repeat(1_000_000)}\r\n\r\n`, [431], true],
  ["a target of 8193 bytes", target(8193), [414], true],
  ["a target of 60 kB", target(60_000), [414], true],
  ["a target of 70 kB", target(70_000), [414], true],
  ["a TLS ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400], true],
  ["PROXY protocol 1", `PROXY TCP4 192.0.2.1 192.0.2.2 1 80\r\n${GET}\r\n`, [400], true],
  ["PROXY protocol 2", "\r\n\r\n\x00\r\nQUIT\n", [400], true],
  ["random bytes", "\x93\x1f\xb2\x00\xff\xfe", [400], true],
  ["HTTP/0.9", "GET /x\r\n", [400], true],
  ["the version HTTP/0.9", `GET /x HTTP/0.9\r\n${HOST}\r\n`, [400], true],
  ["the version HTTP/2.0", `GET /x HTTP/2.0\r\n${HOST}\r\n`, [400], true],
  ["the version HTTP/1.2", `GET /x HTTP/1.2\r\n${HOST}\r\n`, [400], true],
  ["the version http/1.1", `GET /x http/1.1\r\n${HOST}\r\n`, [400], true],
  ["the version HTTP/1.10", `GET /x HTTP/1.10\r\n${HOST}\r\n`, [400], true],
  ["the version HTTP/3.0", `GET /x HTTP/3.0\r\n${HOST}\r\n`, [505], true],
  ["two blanks", `GET  /x HTTP/1.1\r\n${HOST}\r\n`, [400], true],
  ["tabs for blanks", `GET\t/x\tHTTP/1.1\r\n${HOST}\r\n`, [400], true],
  ["a blank after the version", `GET /x HTTP/1.1 \r\n${HOST}\r\n`, [400], true],
  ["a method of 10,000 letters", `${"A".repeat(10_000)} /x HTTP/1.1\r\n${HOST}\r\n`, [405], true],
  ["the method TRACE", `TRACE /x HTTP/1.1\r\n${HOST}\r\n`, [405], true],
  ["the method CONNECT", `CONNECT t.example:443 HTTP/1.1\r\n${HOST}\r\n`, [405], true],
  ["a POST to a challenge", `POST ${CHALLENGE} HTTP/1.1\r\n${HOST}\r\n`, [405], true],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400], true],
  ["a good request, then a bad one", `${GET}\r\n\x16\x03`, [301, 400], true],
];

/** A request whose head has exactly this many bytes. */
function filled(bytes: number): string {
  const head = `${GET}X-Fill: `;
  return `${head}${"a".repeat(bytes - head.length - 4)}\r\n\r\n`;
}

function target(bytes: number): string {
  return `GET /${"a".repeat(bytes - 1)} HTTP/1.1\r\n${HOST}\r\n`;
}

for (const [title, rows] of Object.entries({ kept: KEPT, closed: CLOSED, refused: REFUSED })) {
  Deno.test(`the public port answers each well or badly framed request (${title})`, async () => {
    await using server = await publicPort();
    for (const [name, request, statuses, closed] of rows) {
      const got = await exchange(server.port, request, { patience: closed ? 3000 : 150 });
      assert.deepEqual({ statuses: got.statuses, closed: got.closed }, { statuses, closed }, name);
    }
  });
}

Deno.test("a request cut at every byte is answered like the whole", async () => {
  await using server = await publicPort();
  const requests: Row[] = [
    ["challenge", `GET ${CHALLENGE} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`, [200], true],
    ["redirect", `\r\n${GET}Connection: close\r\n\r\n`, [301], true],
    ["refusal", `GET /x HTTP/1.1\r\nHost: h.example\r\nX : y\r\n\r\n`, [400], true],
  ];
  for (const [name, request, statuses] of requests) {
    const whole = await exchange(server.port, request, { patience: 3000 });
    assert.deepEqual(whole.statuses, statuses, name);
    for (let cut = 1; cut < request.length; cut++) {
      const got = await exchange(server.port, request, { cuts: [cut], patience: 3000 });
      assert.deepEqual(withoutDate(got.text), withoutDate(whole.text), `${name} cut at ${cut}`);
    }
    const every = Array.from({ length: request.length - 1 }, (_, i) => i + 1);
    const dripped = await exchange(server.port, request, { cuts: every, patience: 3000 });
    assert.deepEqual(withoutDate(dripped.text), withoutDate(whole.text), `${name} byte by byte`);
  }
});

Deno.test("a HEAD answer has the length of the GET's and no body", async () => {
  await using server = await publicPort();
  const ask = (method: string) =>
    exchange(server.port, `${method} ${CHALLENGE} HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
  const [head, get] = [await ask("HEAD"), await ask("GET")];
  assert.deepEqual(`${withoutDate(head.text)}${KEY_AUTHORIZATION}\n`, withoutDate(get.text));
});

Deno.test("a connection serves a thousand pipelined requests in order, then closes", async () => {
  await using server = await publicPort();
  const requests = Array.from(
    { length: 1001 },
    (_, i) => `GET /${i} HTTP/1.1\r\n${HOST}\r\n`,
  ).join("");
  const got = await exchange(server.port, requests, { patience: 3000 });
  const locations = [...got.text.matchAll(/^Location: (.*)\r$/gm)].map((match) => match[1]);
  assert.deepEqual(locations, Array.from({ length: 1000 }, (_, i) => `https://h.example/${i}`));
  assert.deepEqual(got.closed, true);
});

function withoutDate(text: string): string {
  return text.replaceAll(/^Date: .*\r\n/gm, "");
}
