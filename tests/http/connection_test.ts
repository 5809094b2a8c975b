/** OpenConnections, caps, and the end of a connection, on real sockets. */

import { deepStrictEqual, ok } from "node:assert/strict";
import { type Answer, NOT_FOUND, textAnswer } from "../../lib/http/answer.ts";
import { exchange, latin1, publicPort, quietListener, readAll } from "./raw_client.ts";

const GET = "GET /x HTTP/1.1\r\nHost: h.example\r\n\r\n";
const connect = (port: number) => Deno.connect({ hostname: "127.0.0.1", port });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What a client gets that sends these pieces with pauses between them and then waits. */
async function waitFor(port: number, pieces: string[], gap = 700): Promise<string> {
  const conn = await connect(port);
  const reading = readAll(conn, 20_000);
  for (const piece of pieces) {
    try {
      await conn.write(latin1(piece));
    } catch {
      break;
    }
    await pause(gap);
  }
  const { text, closed } = await reading;
  ok(closed, "the server must end the connection");
  conn.close();
  return text.split("\r\n")[0]!;
}

Deno.test("a client that stalls is sent away: 408 when it has begun a head, else silently", async () => {
  await using server = await publicPort();
  const [silent, begun, dripping, idle, unread] = await Promise.all([
    waitFor(server.port, []),
    waitFor(server.port, ["GET /x HT"]),
    waitFor(server.port, [...GET.slice(0, -2)].map((char) => char), 200),
    waitFor(server.port, [GET]),
    waitFor(server.port, [GET, "GET /y"], 100),
  ]);
  deepStrictEqual(silent, "");
  deepStrictEqual(begun, "HTTP/1.1 408 Request Timeout");
  deepStrictEqual(dripping, "HTTP/1.1 408 Request Timeout");
  deepStrictEqual(idle, "HTTP/1.1 301 Moved Permanently");
  deepStrictEqual(unread, "HTTP/1.1 301 Moved Permanently");
});

Deno.test("a body that stalls after its answer does not hold the connection", async () => {
  await using server = await publicPort();
  const stalled = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc";
  deepStrictEqual(await waitFor(server.port, [stalled]), "HTTP/1.1 308 Permanent Redirect");
});

Deno.test("a client that uploads for ever is read for 64 KiB and no more", async () => {
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
  ok((await reading).text.startsWith("HTTP/1.1 308 "));
  conn.close();
  // What the kernel buffers on both sides is sent as well.
  ok(sent < 20e6, `${sent} bytes`);
});

Deno.test("connections over a cap are turned away with 503, and others served", async () => {
  await using server = await publicPort({ limits: { connections: 100, perSource: 3 } });
  const held = await Promise.all([connect(server.port), connect(server.port)]);
  await pause(50);
  deepStrictEqual((await exchange(server.port, GET)).statuses, [301]);
  await pause(50);
  const third = await connect(server.port);
  await pause(50);
  const conn = await connect(server.port);
  deepStrictEqual(
    (await readAll(conn, 3000)).text.split("\r\n")[0],
    "HTTP/1.1 503 Service Unavailable",
  );
  for (const each of [...held, third, conn]) each.close();
  await pause(100);
  deepStrictEqual((await exchange(server.port, GET)).statuses, [301]);
});

Deno.test("connections are not kept while more than half of them are taken", async () => {
  await using server = await publicPort({ limits: { connections: 4, perSource: 4 } });
  deepStrictEqual((await exchange(server.port, GET, { patience: 100 })).closed, false);
  const held = await Promise.all([connect(server.port), connect(server.port)]);
  await pause(50);
  deepStrictEqual((await exchange(server.port, GET, { patience: 3000 })).closed, true);
  for (const each of held) each.close();
});

Deno.test("a handler that throws or rejects is a 500 and no more", async () => {
  const failures: (() => Answer | Promise<Answer>)[] = [
    () => {
      throw new Error("defect");
    },
    () => Promise.reject(new Error("defect")),
  ];
  for (const failure of failures) {
    const listener = quietListener(failure);
    deepStrictEqual((await exchange(listener.address.port, GET)).statuses, [500]);
    deepStrictEqual((await exchange(listener.address.port, GET)).statuses, [500]);
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
  deepStrictEqual(got.text.match(/^\d+$/gm), ["60", "0", "30"]);
  await listener.stop(0);
});

Deno.test("stop() lets a request in flight finish, and ends the idle at once", async () => {
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
  deepStrictEqual([got.statuses, got.closed], [[404], true]);
  await stopping;
  deepStrictEqual((await readAll(idle, 3000)).closed, true);
  idle.close();
});

Deno.test("stop() aborts what does not finish within the grace", async () => {
  const listener = quietListener(() => new Promise(() => {}));
  const asking = exchange(listener.address.port, GET, { patience: 5000 });
  await pause(100);
  await listener.stop(100);
  const got = await asking;
  deepStrictEqual([got.statuses, got.closed], [[], true]);
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
  ok(got.text.startsWith("HTTP/1.1 301 "));
  conn.close();
});
