/**
 * Peers that lie, drip, redirect, compress, never end or reset: each is a real server on loopback
 * that behaves so, and each gets its word.
 */

import assert from "node:assert/strict";
import {
  type AnswerOutcome,
  askPeer,
  isKeyAuthorization,
  peerAnswerOf,
  UNREADABLE_HEADER,
} from "../../lib/http/peer_answer.ts";
import type { Reply } from "../../lib/http/ask.ts";
import { latin1, pause } from "./raw_client.ts";
import { peerThat } from "./scripted_peer.ts";
import { CLOSED_PORT } from "../closed_port.ts";

const say = (conn: Deno.Conn, text: string) => conn.write(latin1(text)).then(() => {});

/** The deadline only bounds a hang, except where the peer is meant to miss it. */
function ask(peer: Deno.NetAddr, timeoutMs = 10_000) {
  return askPeer(peer, {
    token: "tok",
    host: "service.example",
    connectTimeoutMs: 10_000,
    timeoutMs,
    signal: new AbortController().signal,
  });
}

const BODY = "tok.thumb";
const OK = `HTTP/1.0 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;

const BEHAVIOURS: [string, AnswerOutcome, (conn: Deno.TcpConn) => Promise<void>][] = [
  ["answers as it should", "found", (conn) => say(conn, OK)],
  ["answers without a length", "found", (conn) => say(conn, `HTTP/1.0 200 OK\r\n\r\n${BODY}`)],
  ["sends more than it announced", "found", (conn) => say(conn, `${OK}and more`)],
  ["has no such token", "absent", (conn) => say(conn, "HTTP/1.1 404 Not Found\r\n\r\n")],
  ["lies with a page", "bad_body", (conn) => say(conn, "HTTP/1.0 200 OK\r\n\r\n<html>\n<body>")],
  [
    "sets cookies and types",
    "found",
    (conn) => say(conn, OK.replace("\r\n", "\r\nSet-Cookie: a=b\r\nContent-Type: text/html\r\n")),
  ],
  ["drips its answer", "timeout", async (conn) => {
    for (const char of OK) {
      await say(conn, char);
      await pause(50);
    }
  }],
  [
    "redirects",
    "redirected",
    (conn) =>
      say(conn, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
  ],
  [
    "compresses",
    "bad_framing",
    (conn) =>
      say(
        conn,
        `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08`,
      ),
  ],
  [
    "sends chunks",
    "bad_framing",
    (conn) =>
      say(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
  ],
  ["never ends its body", "too_large", async (conn) => {
    await say(conn, "HTTP/1.0 200 OK\r\n\r\n");
    while (true) await say(conn, "a".repeat(1000));
  }],
  ["never ends its head", "too_large", async (conn) => {
    await say(conn, "HTTP/1.0 200 OK\r\n");
    while (true) await say(conn, "X-More: and more\r\n");
  }],
  [
    "announces a huge body",
    "too_large",
    (conn) => say(conn, "HTTP/1.0 200 OK\r\nContent-Length: 4097\r\n\r\n"),
  ],
  ["floods with interim answers", "bad_status", async (conn) => {
    while (true) await say(conn, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
  }],
  [
    "cuts its body short",
    "bad_framing",
    (conn) => say(conn, "HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
  ],
  ["cuts its head short", "bad_framing", (conn) => say(conn, "HTTP/1.0 200 OK\r\nContent-")],
  ["says nothing and closes", "empty", () => Promise.resolve()],
  [
    "sends an empty body",
    "empty",
    (conn) => say(conn, "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
  ],
  ["accepts and hangs", "timeout", (conn) => conn.read(new Uint8Array(1)).then(() => {})],
  ["fails", "bad_status", (conn) => say(conn, "HTTP/1.1 500 Oops\r\n\r\n")],
  ["forbids", "bad_status", (conn) => say(conn, "HTTP/1.1 403 Forbidden\r\n\r\n")],
  ["answers with no content", "bad_status", (conn) => say(conn, "HTTP/1.1 204 No\r\n\r\n")],
  ["speaks something else", "bad_framing", (conn) => say(conn, "SSH-2.0-OpenSSH_9.2\r\n\r\n")],
  [
    "gives two lengths",
    "bad_framing",
    (conn) =>
      say(conn, "HTTP/1.0 200 OK\r\nContent-Length: 9\r\nContent-Length: 9\r\n\r\ntok.thumb"),
  ],
];

for (const [name, outcome, behave] of BEHAVIOURS) {
  Deno.test(`askPeer() calls it ${outcome} when a peer ${name}`, async () => {
    await using peer = peerThat(behave);
    const answer = await ask(peer.address, outcome === "timeout" ? 400 : undefined);
    assert.deepEqual(answer, outcome === "found" ? { outcome, body: BODY } : { outcome });
  });
}

Deno.test("askPeer() calls it reset when a peer resets", async () => {
  // Deno half-closes before it closes; a true reset needs SO_LINGER 0, which perl can set.
  const script = `use Socket; socket(S, AF_INET, SOCK_STREAM, 0);
    bind(S, sockaddr_in(0, INADDR_LOOPBACK)); listen(S, 1); $| = 1;
    print((sockaddr_in(getsockname(S)))[0], "\n"); accept(C, S); sysread(C, $_, 1);
    setsockopt(C, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)); close(C);`;
  const perl = new Deno.Command("perl", { args: ["-e", script], stdout: "piped" }).spawn();
  const reader = perl.stdout.getReader();
  const port = Number(new TextDecoder().decode((await reader.read()).value));
  const answer = await ask({ transport: "tcp", hostname: "127.0.0.1", port });
  await reader.cancel();
  await perl.status;
  assert.deepEqual(answer, { outcome: "reset" });
});

Deno.test("askPeer() calls it refused when nobody listens", async () => {
  const nobody: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: CLOSED_PORT };
  assert.deepEqual(await ask(nobody), { outcome: "refused" });
});

Deno.test("askPeer() calls it unreachable when there is no route", async () => {
  const answer = await ask({ transport: "tcp", hostname: "255.255.255.255", port: 9 });
  assert.deepEqual(answer, { outcome: "unreachable" });
});

Deno.test("askPeer() asks in HTTP/1.0 with the caller's Host", async () => {
  await using peer = peerThat((conn) => say(conn, OK));
  assert.deepEqual((await ask(peer.address)).outcome, "found");
  assert.deepEqual(peer.requests, [
    "GET /.well-known/acme-challenge/tok HTTP/1.0\r\nHost: service.example\r\n" +
    "Via: 1.0 acme-lb\r\nAccept: */*\r\nConnection: close\r\n\r\n",
  ]);
});

const TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
const THUMBPRINT = "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";

function answered(status: number, body = "", fields: Record<string, string> = {}): Reply {
  return { status, fields, body, sent: 0, received: 0, ms: 1 };
}

/** [what a peer says with 200, to the CA's token, to a token of 22 characters, to a short one] */
const TEXTS: [string, (token: string) => string, AnswerOutcome, AnswerOutcome][] = [
  ["the key authorization", (token) => `${token}.${THUMBPRINT}`, "found", "found"],
  ["with a line end", (token) => `${token}.${THUMBPRINT}\n`, "found", "found"],
  ["with a Windows line end", (token) => `${token}.${THUMBPRINT}\r\n`, "found", "found"],
  ["an empty thumbprint", (token) => `${token}.`, "bad_body", "found"],
  ["the token alone", (token) => token, "bad_body", "found"],
  ["another text", () => "Hello World\n", "bad_body", "found"],
  ["a thumbprint of 42", (token) => `${token}.${THUMBPRINT.slice(1)}`, "bad_body", "found"],
  ["a thumbprint of 44", (token) => `${token}.${THUMBPRINT}A`, "bad_body", "found"],
  ["padded base64", (token) => `${token}.${THUMBPRINT}=`, "bad_body", "found"],
  ["base64 of the other kind", (token) => `${token}.${"+/".repeat(21)}A`, "bad_body", "found"],
  ["another token's", (token) => `${token}x.${THUMBPRINT}`, "bad_body", "found"],
  ["the end of the token", (token) => `${token.slice(1)}.${THUMBPRINT}`, "bad_body", "found"],
  ["something before it", (token) => ` ${token}.${THUMBPRINT}`, "bad_body", "found"],
  ["two line ends", (token) => `${token}.${THUMBPRINT}\n\n`, "bad_body", "bad_body"],
  ["two lines", (token) => `${token}.${THUMBPRINT}\n${token}`, "bad_body", "bad_body"],
  ["a page", () => "<html>\n<body>", "bad_body", "bad_body"],
  ["nothing", () => "", "empty", "empty"],
];

Deno.test("peerAnswerOf() accepts a key authorization for the CA's token, and any line for a short one", () => {
  for (const [name, text, long, short] of TEXTS) {
    for (const token of [TOKEN, TOKEN.slice(0, 22)]) {
      assert.deepEqual(peerAnswerOf(answered(200, text(token)), token).outcome, long, name);
    }
    for (const token of [TOKEN.slice(0, 21), "lb0"]) {
      const got = peerAnswerOf(answered(200, text(token)), token);
      assert.deepEqual(got.outcome, short, name);
      assert.deepEqual(got.body, short === "found" ? text(token) : undefined, name);
      const best = ["the key authorization", "with a line end", "with a Windows line end"];
      assert.deepEqual(isKeyAuthorization(text(token), token), best.includes(name), name);
    }
  }
});

Deno.test("peerAnswerOf() distinguishes an unreadable token from an absent one", () => {
  const header = UNREADABLE_HEADER.toLowerCase();
  const table: [Reply, AnswerOutcome][] = [
    [answered(404), "absent"],
    [answered(404, "", { [header]: "yes" }), "unreadable"],
    [answered(404, "", { [header]: "" }), "unreadable"],
    [answered(404, "", { [`x-${header}`]: "yes" }), "absent"],
    [answered(404, "", { constructor: "yes" }), "absent"],
    [answered(200, `tok.${THUMBPRINT}`, { [header]: "yes" }), "found"],
    [answered(503, "", { [header]: "yes" }), "bad_status"],
    [answered(304), "redirected"],
    [{ fault: "reset", connected: true, ms: 1 }, "reset"],
  ];
  for (const [reply, outcome] of table) {
    assert.deepEqual(peerAnswerOf(reply, "tok").outcome, outcome, JSON.stringify(reply));
  }
});
