/** Requests to a server, and the difference between one that hangs and one that is not there. */

import assert from "node:assert/strict";
import { type AskOptions, askServer } from "../../lib/http/ask.ts";
import { latin1 } from "./raw_client.ts";
import { peerThat } from "./scripted_peer.ts";
import { CLOSED_PORT } from "../closed_port.ts";

const OK = "HTTP/1.1 200 OK\r\n";

async function ask(address: Deno.NetAddr, options: Partial<AskOptions> = {}) {
  const { ms, ...reply } = await askServer(address, {
    target: "/t?q",
    host: "service.example",
    as: "ca",
    timeoutMs: 5_000,
    signal: new AbortController().signal,
    ...options,
  });
  assert.ok(ms >= 0);
  return reply;
}

Deno.test("askServer() asks as the CA does, or as a peer", async () => {
  await using server = peerThat(async (conn) => {
    await conn.write(latin1(`${OK}Date: x\r\nContent-Length: 2\r\n\r\nhi`));
  });
  const before = Date.now();
  const { sent, received, ...rest } = await ask(server.address) as Record<string, unknown>;
  assert.deepEqual(rest, {
    status: 200,
    fields: { date: "x", "content-length": "2" },
    body: "hi",
  });
  assert.ok(Number(sent) >= before && Number(received) >= Number(sent));
  await ask(server.address, { as: "balancer" });
  assert.deepEqual(server.requests, [
    "GET /t?q HTTP/1.1\r\nHost: service.example\r\n" +
    "User-Agent: Mozilla/5.0 (compatible; acme-lb self-test)\r\n" +
    "Accept: */*\r\nConnection: close\r\n\r\n",
    "GET /t?q HTTP/1.0\r\nHost: service.example\r\nVia: 1.0 acme-lb\r\n" +
    "Accept: */*\r\nConnection: close\r\n\r\n",
  ]);
});

Deno.test("askServer() distinguishes a server that hangs from one that is not there", async () => {
  await using server = peerThat((conn) => conn.read(new Uint8Array(1)).then(() => {}));
  assert.deepEqual(await ask(server.address, { timeoutMs: 200 }), {
    fault: "timeout",
    connected: true,
  });
  const nobody: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: CLOSED_PORT };
  assert.deepEqual(await ask(nobody), { fault: "refused", connected: false });
});

Deno.test("askServer() takes an answer that came while this process had no processor time", async () => {
  await using server = peerThat((conn) =>
    conn.write(latin1(`${OK}Content-Length: 2\r\n\r\nhi`)).then(() => {})
  );
  const asking = ask(server.address, { timeoutMs: 400 });
  const end = performance.now() + 600;
  while (performance.now() < end) continue;
  assert.deepEqual((await asking as { status?: number }).status, 200);
});

Deno.test("askServer() ends at its signal", async () => {
  await using server = peerThat((conn) => conn.read(new Uint8Array(1)).then(() => {}));
  const controller = new AbortController();
  const asking = askServer(server.address, {
    ...{ target: "/", host: "h.example", as: "ca", timeoutMs: 60_000, signal: controller.signal },
  });
  controller.abort();
  const reply = await asking;
  assert.equal("fault" in reply && reply.fault, "timeout");
});
