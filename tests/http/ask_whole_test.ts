/** Whole answers, as servers of all kinds give them, and what is asked of them. */

import { deepStrictEqual, ok } from "node:assert/strict";
import fc from "fast-check";
import { askWhole, parseAnswer } from "../../lib/http/ask_whole.ts";
import { peerThat } from "./scripted_peer.ts";
import { latin1 } from "./raw_client.ts";

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
  Deno.test(`parseAnswer() reads ${JSON.stringify(text.slice(0, 70))}`, () => {
    const parsed = parseAnswer(latin1(text), true)!;
    deepStrictEqual("fault" in parsed ? parsed : { body: parsed.body }, expected);
  });
}

Deno.test("parseAnswer() keeps status and fields, and waits for no body that it does not need", () => {
  const redirect =
    "HTTP/1.1 301 Moved\r\nLocation: /x\r\nX: a\r\nx:  b \r\nContent-Length: 999\r\n\r\n";
  deepStrictEqual(parseAnswer(latin1(redirect), false), {
    status: 301,
    fields: { location: "/x", x: "a, b", "content-length": "999" },
    body: "",
  });
});

Deno.test("parseAnswer() waits neither for the end of an endless body nor of an endless head", () => {
  const endless = [
    `${OK}\r\n${"a".repeat(4097)}`,
    `${OK}${"X: y\r\n".repeat(2000)}`,
    `${OK}Content-Length: 999999\r\n\r\n`,
    `${CHUNKED}ffffff\r\n${"a".repeat(4097)}`,
  ];
  for (const text of endless) {
    deepStrictEqual(parseAnswer(latin1(text), false), { fault: "too_large" }, text.slice(0, 60));
  }
});

Deno.test("parseAnswer() does not change its mind as bytes arrive", () => {
  for (const [text] of ANSWERS.filter(([, expected]) => "body" in expected)) {
    const whole = parseAnswer(latin1(text), true);
    for (let cut = 0; cut < text.length; cut++) {
      const early = parseAnswer(latin1(text.slice(0, cut)), false);
      if (early) deepStrictEqual(early, whole, text.slice(0, cut));
    }
  }
});

Deno.test("parseAnswer() always decides at the end, and never throws", () => {
  const mutated = fc.tuple(fc.constantFrom(...ANSWERS), fc.nat(200), fc.string({ maxLength: 9 }))
    .map(([[text], at, junk]) => text.slice(0, at) + junk + text.slice(at));
  fc.assert(fc.property(mutated, (text) => {
    ok(parseAnswer(latin1(text.replace(/[^\0-\xff]/g, "?")), true));
  }));
});

async function ask(address: Deno.NetAddr, options: { asPeer?: boolean; timeout?: number } = {}) {
  const { ms, ...reply } = await askWhole(address, {
    target: "/t?q",
    host: "service.example",
    timeout: 5_000,
    signal: new AbortController().signal,
    ...options,
  });
  ok(ms >= 0);
  return reply;
}

Deno.test("askWhole() asks as the CA does, or as a peer", async () => {
  await using server = peerThat(async (conn) => {
    await conn.write(latin1(`${OK}Date: x\r\nContent-Length: 2\r\n\r\nhi`));
  });
  const before = Date.now();
  const { sent, received, ...rest } = await ask(server.address) as Record<string, unknown>;
  deepStrictEqual(rest, {
    status: 200,
    fields: { date: "x", "content-length": "2" },
    body: "hi",
  });
  ok(Number(sent) >= before && Number(received) >= Number(sent));
  await ask(server.address, { asPeer: true });
  deepStrictEqual(server.requests, [
    "GET /t?q HTTP/1.1\r\nHost: service.example\r\n" +
    "User-Agent: Mozilla/5.0 (compatible; acme-lb self-test)\r\n" +
    "Accept: */*\r\nConnection: close\r\n\r\n",
    "GET /t?q HTTP/1.0\r\nHost: service.example\r\nVia: 1.0 acme-lb\r\n" +
    "Accept: */*\r\nConnection: close\r\n\r\n",
  ]);
});

Deno.test("askWhole() tells a server that hangs from one that is not there", async () => {
  await using server = peerThat((conn) => conn.read(new Uint8Array(1)).then(() => {}));
  deepStrictEqual(await ask(server.address, { timeout: 200 }), {
    fault: "timeout",
    connected: true,
  });
  // No other test can be given this port.
  const nobody: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
  deepStrictEqual(await ask(nobody), { fault: "refused", connected: false });
});

Deno.test("askWhole() ends at its signal", async () => {
  await using server = peerThat((conn) => conn.read(new Uint8Array(1)).then(() => {}));
  const controller = new AbortController();
  const asking = askWhole(server.address, {
    ...{ target: "/", host: "h.example", timeout: 60_000, signal: controller.signal },
  });
  controller.abort();
  deepStrictEqual((await asking).fault, "timeout");
});
