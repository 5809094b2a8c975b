/** Deadlines, room for newcomers, and the end of a connection, on real sockets. */

import assert from "node:assert/strict";
import { parseNetwork } from "../../lib/address.ts";
import { type Answer, NOT_FOUND, textAnswer } from "../../lib/http/answer.ts";
import { HEAD_MS, IDLE_MS } from "../../lib/http/connection.ts";
import { createMetrics } from "../../lib/http/metrics.ts";
import { createLog } from "../../lib/log.ts";
import { ManualClock } from "../manual_clock.ts";
import {
  exchange,
  latin1,
  pause,
  publicPort,
  quietListener,
  readAll,
  TOKEN,
} from "./raw_client.ts";

const GET = "GET /x HTTP/1.1\r\nHost: h.example\r\n\r\n";
const LAST = "GET /x HTTP/1.1\r\nHost: h.example\r\nConnection: close\r\n\r\n";
const connect = (port: number) => Deno.connect({ hostname: "127.0.0.1", port });

/** Sends the text and waits until the server has read and answered it. */
async function sent(port: number, text: string): Promise<Deno.TcpConn> {
  const conn = await connect(port);
  if (text !== "") await conn.write(latin1(text));
  await pause(50);
  return conn;
}

/** What comes until the server ends the connection, which it must. */
async function untilClosed(conn: Deno.TcpConn): Promise<string> {
  const { text, closed } = await readAll(conn, 5_000);
  assert.ok(closed, "the server must end the connection");
  conn.close();
  return text;
}

function statusLine(text: string): string {
  return text.split("\r\n")[0]!;
}

Deno.test("a client that stalls gets 408 after part of a head, else its connection is closed silently", async () => {
  const clock = new ManualClock();
  await using server = await publicPort({ clock });
  const [silent, begun, idle, unread] = await Promise.all([
    sent(server.port, ""),
    sent(server.port, "GET /x HT"),
    sent(server.port, GET),
    sent(server.port, `${GET}GET /y`),
  ]);
  clock.advance(HEAD_MS + 200);
  assert.deepEqual(await untilClosed(silent), "");
  assert.deepEqual(statusLine(await untilClosed(begun)), "HTTP/1.1 408 Request Timeout");
  assert.match(await untilClosed(unread), /^HTTP\/1.1 301 [^]*\r\nHTTP\/1.1 408 /);
  clock.advance(IDLE_MS - HEAD_MS - 1_000);
  await idle.write(latin1(GET));
  await pause(50);
  clock.advance(IDLE_MS + 200);
  assert.deepEqual((await untilClosed(idle)).match(/^HTTP\/1.1 301 /gm)?.length, 2);
});

Deno.test("a head that arrives byte by byte has the same deadline as one that stops", async () => {
  const clock = new ManualClock();
  await using server = await publicPort({ clock });
  const conn = await connect(server.port);
  for (const char of GET.slice(0, 20)) {
    await conn.write(latin1(char));
    await pause(5);
    clock.advance(HEAD_MS / 19);
  }
  assert.deepEqual(statusLine(await untilClosed(conn)), "HTTP/1.1 408 Request Timeout");
});

Deno.test("a kept connection is answered at any age, and its last answer says that it closes", async () => {
  const clock = new ManualClock();
  await using server = await publicPort({ clock });
  const conn = await connect(server.port);
  const buffer = new Uint8Array(65536);
  for (let i = 1; i <= 1_000; i++) {
    await conn.write(latin1(GET));
    const text = new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
    assert.match(text, /^HTTP\/1.1 301 /, `request ${i}`);
    assert.deepEqual(/^Connection: close\r$/m.test(text), i === 1_000, `request ${i}`);
    clock.advance(4_000);
  }
  assert.deepEqual(await untilClosed(conn), "");
});

Deno.test("a body that stalls after its answer does not hold the connection", async () => {
  const clock = new ManualClock();
  await using server = await publicPort({ clock });
  const conn = await sent(
    server.port,
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc",
  );
  clock.advance(5_200);
  // The client sends all the time, so the answer is read to the end of the stream.
  assert.deepEqual(statusLine(await untilClosed(conn)), "HTTP/1.1 308 Permanent Redirect");
  await pause(50);
  assert.deepEqual(server.open(), 0);
});

Deno.test("a body is read to its end and dropped, but a slow one is not waited for", async () => {
  const clock = new ManualClock();
  await using server = await publicPort({ clock });
  const head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n";
  const [uploading, dripping] = await Promise.all([
    sent(server.port, head),
    sent(server.port, head),
  ]);
  const chunk = new Uint8Array(500_000);
  for (let second = 1; second <= 9; second++) {
    await uploading.write(chunk);
    if (second <= 5) await dripping.write(new Uint8Array(1));
    await pause(20);
    clock.advance(1_100);
  }
  assert.deepEqual(server.open(), 1, "the dripping one has been ended");
  await uploading.write(chunk);
  assert.deepEqual(statusLine(await untilClosed(uploading)), "HTTP/1.1 308 Permanent Redirect");
  dripping.close();
});

Deno.test("at most 64 MiB of an endless upload are read", async () => {
  await using server = await publicPort();
  const conn = await connect(server.port);
  await conn.write(latin1("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n"));
  const reading = readAll(conn, 5_000);
  let sent = 0;
  const chunk = new Uint8Array(65536);
  try {
    while (sent < 1e9) sent += await conn.write(chunk);
  } catch {
    // Closed by the server.
  }
  assert.ok((await reading).text.startsWith("HTTP/1.1 308 "));
  conn.close();
  // What the kernel buffers on both sides is sent as well.
  assert.ok(sent < 90e6, `${sent} bytes`);
});

Deno.test("only so many connections linger; the oldest makes room for the next", async () => {
  await using server = await publicPort({ limits: { connections: 32, perSource: 32 } });
  const post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n";
  const posting = [];
  for (let i = 0; i < 10; i++) posting.push(await sent(server.port, post));
  assert.deepEqual(server.open(), 4);
  for (const conn of posting) {
    assert.deepEqual(statusLine(await untilClosed(conn)), "HTTP/1.1 308 Permanent Redirect");
  }
});

Deno.test("at the cap of a source its connection that has waited longest makes room", async () => {
  await using server = await publicPort({ limits: { connections: 100, perSource: 3 } });
  const held = [];
  for (let i = 0; i < 3; i++) held.push(await sent(server.port, "GET / HT"));
  assert.deepEqual((await exchange(server.port, GET)).statuses, [301]);
  assert.deepEqual(await untilClosed(held[0]!), "");
  assert.deepEqual(server.open(), 3);
  for (const conn of held.slice(1)) conn.close();
});

Deno.test("a new connection gets 503 only when every other one is being answered", async () => {
  const metrics = createMetrics("test");
  const listener = quietListener(() => new Promise(() => {}), {
    limits: { connections: 2, perSource: 2 },
    metrics,
  });
  const { port } = listener.address;
  const busy = [await sent(port, GET), await sent(port, GET)];
  assert.deepEqual((await exchange(port, GET, { patience: 3000 })).statuses, [503]);
  assert.match(metrics.render(), /turned_away_total\{role="public",reason="source_full"\} 1/);
  for (const conn of busy) conn.close();
  await listener.stop(0);
});

Deno.test("kept idle connections are closed first, then those that wait for a head", async () => {
  const metrics = createMetrics("test");
  await using server = await publicPort({ limits: { connections: 4, perSource: 4 }, metrics });
  const idle = await sent(server.port, GET);
  const waiting = await sent(server.port, "GET /");
  const young = [await sent(server.port, "GET /"), await sent(server.port, "GET /")];
  const first = await sent(server.port, "GET /");
  assert.match(await untilClosed(idle), /^HTTP\/1.1 301 /);
  const second = await sent(server.port, "GET /");
  assert.deepEqual(await untilClosed(waiting), "");
  assert.match(metrics.render(), /evicted_total\{role="public",activity="idle"\} 1/);
  assert.match(metrics.render(), /evicted_total\{role="public",activity="waiting"\} 1/);
  for (const conn of [...young, first, second]) conn.close();
});

Deno.test("this machine and its peers are answered with any number of waiting clients, and displace none", async () => {
  let isOwn = false;
  await using server = await publicPort({
    limits: { connections: 2, perSource: 2 },
    isOwn: () => isOwn,
  });
  const others = [await sent(server.port, "GET /"), await sent(server.port, "GET /")];
  isOwn = true;
  for (let i = 0; i < 5; i++) {
    assert.deepEqual((await exchange(server.port, GET, { patience: 100 })).statuses, [301]);
  }
  for (const conn of others) {
    await conn.write(latin1(" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    assert.match(await untilClosed(conn), /^HTTP\/1.1 301 /);
  }
});

Deno.test("connect and close leaves no line in the log and counts as no answer", async () => {
  const lines: string[] = [];
  const metrics = createMetrics("test");
  const log = createLog({ level: "debug", write: (line) => lines.push(line) });
  await using server = await publicPort({ log, metrics });
  for (let i = 0; i < 5; i++) (await connect(server.port)).close();
  await pause(50);
  assert.deepEqual(lines.filter((line) => !line.includes("event=listening")), []);
  assert.ok(!/requests_total|refusals_total|turned_away/.test(metrics.render()));
});

Deno.test("every refusal has a line at debug and a count, by its reason", async () => {
  const lines: string[] = [];
  const metrics = createMetrics("test");
  const log = createLog({ level: "debug", write: (line) => lines.push(line) });
  await using server = await publicPort({ log, metrics, hosts: ["h.example"] });
  const table: [string, number, string][] = [
    ["GET /x HTTP/1.1\r\nHost: a..b\r\n\r\n", 400, "bad_host"],
    ["GET /x HTTP/1.1\r\nHost: other.example\r\n\r\n", 421, "unlisted_host"],
    ["TRACE /x HTTP/1.1\r\nHost: h.example\r\n\r\n", 405, "method"],
    ["GET x HTTP/1.1\r\nHost: h.example\r\n\r\n", 400, "bad_target"],
    ["GET /x HTTP/1.1\r\n\r\n", 400, "bad_host"],
    ["GET /x HTTP/3.0\r\n", 505, "bad_version"],
    ["\x16\x03\x01", 400, "bad_request_line"],
    ["GET /.well-known/acme-challenge/a.b HTTP/1.1\r\nHost: h\r\n\r\n", 404, "bad_token"],
    [
      `GET /.well-known/acme-challenge/${TOKEN} HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx`,
      413,
      "body",
    ],
    [`POST /.well-known/acme-challenge/${TOKEN} HTTP/1.1\r\nHost: h\r\n\r\n`, 405, "method"],
  ];
  for (const [request, status, reason] of table) {
    lines.length = 0;
    assert.deepEqual((await exchange(server.port, request, { patience: 100 })).statuses, [status]);
    const told = lines.filter((line) => line.includes("event=refused"));
    assert.deepEqual(told.length, 1, request);
    assert.match(told[0]!, new RegExp(` status=${status} reason=${reason} .*from=127.0.0.1`));
  }
  assert.match(metrics.render(), /refusals_total\{role="public",reason="bad_host"\} 2/);
});

const FRONTS = [parseNetwork("127.0.0.0/8")];
const PREAMBLE = "PROXY TCP4 198.51.100.7 203.0.113.1 51234 80\r\n";

Deno.test("a preamble from a listed network gives the client's address, and is optional", async () => {
  const seen: string[][] = [];
  const listener = quietListener((_, from, local) => {
    seen.push([from, local]);
    return { ...NOT_FOUND };
  }, { fronts: FRONTS });
  const { port } = listener.address;
  for (const preamble of [PREAMBLE, "PROXY UNKNOWN\r\n", ""]) {
    for (const cuts of [[], [3], [preamble.length + 4]]) {
      assert.deepEqual(
        (await exchange(port, preamble + GET + LAST, { cuts, patience: 10_000 })).statuses,
        [404, 404],
      );
    }
  }
  assert.deepEqual(seen.slice(0, 6), Array(6).fill(["198.51.100.7", "203.0.113.1"]));
  assert.deepEqual(seen.slice(6), Array(12).fill(["127.0.0.1", "127.0.0.1"]));
  assert.deepEqual((await exchange(port, "PROXY TCP4 x y 1 2\r\n" + GET)).statuses, [400]);
  await listener.stop(0);
});

Deno.test("each client behind a listed balancer has its own limit", async () => {
  const listener = quietListener(() => new Promise(() => {}), {
    fronts: FRONTS,
    limits: { connections: 100, perSource: 2 },
  });
  const { port } = listener.address;
  const ask = (client: string) => PREAMBLE.replace("198.51.100.7", client) + GET;
  const busy = [];
  for (const client of ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"]) {
    busy.push(await sent(port, ask(client)));
  }
  assert.deepEqual((await exchange(port, ask("192.0.2.1"), { patience: 3000 })).statuses, [503]);
  for (const conn of busy) conn.close();
  await listener.stop(0);
});

Deno.test("a preamble from another address is refused, and reported in one warning", async () => {
  const lines: string[] = [];
  const log = createLog({ write: (line) => lines.push(line) });
  await using server = await publicPort({ log, fronts: [parseNetwork("192.0.2.0/24")] });
  const version2 = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + "\x01".repeat(12);
  for (const preamble of [PREAMBLE, version2, PREAMBLE]) {
    assert.deepEqual((await exchange(server.port, preamble + GET)).statuses, [400]);
  }
  const told = lines.filter((line) => line.includes("event=proxy_protocol"));
  assert.deepEqual(told.length, 1);
  assert.match(told[0]!, /from=127.0.0.1 .*PROXY protocol.*public\.proxy_protocol/);
});

Deno.test("a client that forges a preamble behind a listed front is refused, and nobody is told to list it", async () => {
  const lines: string[] = [];
  const log = createLog({ level: "debug", write: (line) => lines.push(line) });
  await using server = await publicPort({ log, fronts: FRONTS });
  const forged = "PROXY TCP4 127.0.0.1 127.0.0.1 1 80\r\n";
  assert.deepEqual((await exchange(server.port, PREAMBLE + forged + GET)).statuses, [400]);
  assert.deepEqual(lines.filter((line) => line.includes("event=proxy_protocol")), []);
  assert.match(lines.at(-1)!, / reason=bad_request_line .*from=198\.51\.100\.7/);
});

Deno.test("a redirect loop that the balancer in front causes is reported once", async () => {
  const lines: string[] = [];
  const log = createLog({ write: (line) => lines.push(line) });
  await using server = await publicPort({ log });
  const ask = (fields: string) =>
    exchange(server.port, `GET /x HTTP/1.1\r\nHost: h.example${fields}\r\n\r\n`, { patience: 50 });
  const warnings = () => lines.filter((line) => line.includes("event=redirect_loop")).length;
  await ask("");
  await ask("\r\nX-Forwarded-Proto: http");
  // Asked for at another port than the one it is sent to: no loop.
  await ask(":8443\r\nX-Forwarded-Proto: https");
  assert.deepEqual(warnings(), 0);
  for (let i = 0; i < 3; i++) await ask("\r\nX-Forwarded-Proto: https");
  assert.deepEqual(warnings(), 1);
});

Deno.test("connections are not kept while more than half of them are taken", async () => {
  await using server = await publicPort({ limits: { connections: 4, perSource: 4 } });
  assert.deepEqual((await exchange(server.port, GET, { patience: 100 })).closed, false);
  const held = await Promise.all([connect(server.port), connect(server.port)]);
  await pause(50);
  assert.deepEqual((await exchange(server.port, GET, { patience: 3000 })).closed, true);
  for (const each of held) each.close();
});

Deno.test("a handler that throws or rejects gives 500 and nothing else", async () => {
  const failures: (() => Answer | Promise<Answer>)[] = [
    () => {
      throw new Error("defect");
    },
    () => Promise.reject(new Error("defect")),
  ];
  for (const failure of failures) {
    const listener = quietListener(failure);
    assert.deepEqual((await exchange(listener.address.port, GET)).statuses, [500]);
    assert.deepEqual((await exchange(listener.address.port, GET)).statuses, [500]);
    await listener.stop(0);
  }
});

Deno.test("answers come in the order of the requests, however long each takes", async () => {
  const listener = quietListener(async (head) => {
    const delay = Number(head.target.slice(1));
    await pause(delay);
    return textAnswer(`${delay}\n`);
  });
  const requests = [60, 0, 30].map((delay) => GET.replace("/x", `/${delay}`)).join("");
  const got = await exchange(listener.address.port, requests, { patience: 500 });
  assert.deepEqual(got.text.match(/^\d+$/gm), ["60", "0", "30"]);
  await listener.stop(0);
});

Deno.test("stop() lets a request in flight finish, and closes idle connections at once", async () => {
  let release: () => void = () => {};
  const listener = quietListener(() =>
    new Promise((resolve) => release = () => resolve({ ...NOT_FOUND }))
  );
  const idle = await connect(listener.address.port);
  const asking = exchange(listener.address.port, GET, { patience: 5000 });
  await pause(100);
  const stopping = listener.stop(5000);
  await pause(100);
  release();
  const got = await asking;
  assert.deepEqual([got.statuses, got.closed], [[404], true]);
  await stopping;
  assert.deepEqual((await readAll(idle, 3000)).closed, true);
  idle.close();
});

Deno.test("stop() aborts what does not finish within the grace", async () => {
  const listener = quietListener(() => new Promise(() => {}));
  const asking = exchange(listener.address.port, GET, { patience: 5000 });
  await pause(100);
  await listener.stop(100);
  const got = await asking;
  assert.deepEqual([got.statuses, got.closed], [[], true]);
});

Deno.test("junk, resets and half-closed clients leave the listener serving", async () => {
  await using server = await publicPort();
  for (let i = 0; i < 300; i++) {
    const conn = await connect(server.port);
    const junk = crypto.getRandomValues(new Uint8Array(i));
    await conn.write(junk).catch(() => {});
    if (i % 3 === 0) await conn.closeWrite().catch(() => {});
    conn.close();
  }
  const conn = await connect(server.port);
  await conn.write(latin1(GET));
  await conn.closeWrite();
  const got = await readAll(conn, 3000);
  assert.ok(got.text.startsWith("HTTP/1.1 301 "));
  conn.close();
});
