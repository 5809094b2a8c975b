/** healthy against servers that are well, overloaded, silent, or not there. */

import assert from "node:assert/strict";
import { askHealth } from "../../lib/commands/healthy.ts";
import type { Reply } from "../../lib/http/ask.ts";
import { acmeLb } from "./program.ts";
import { CLOSED_PORT } from "../closed_port.ts";

/** A server that sends a text to every connection, after what it was asked. */
function serving(text: string): { port: number } & AsyncDisposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const done = (async () => {
    for await (const conn of listener) {
      await conn.read(new Uint8Array(4096)).catch(() => {});
      await conn.write(new TextEncoder().encode(text)).catch(() => {});
      conn.close();
    }
  })();
  return {
    port: listener.addr.port,
    async [Symbol.asyncDispose]() {
      listener.close();
      await done;
    },
  };
}

Deno.test("healthy accepts every status below 500, and gives the reason for refusing others", async () => {
  const table: [string, number, RegExp][] = [
    ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, /^$/],
    ["HTTP/1.1 301 Moved\r\nLocation: https://a/\r\n\r\n", 0, /^$/],
    ["HTTP/1.0 400 Bad\r\n\r\n", 0, /^$/],
    ["HTTP/1.1 421 Misdirected\r\n\r\n", 0, /^$/],
    ["HTTP/1.0 503 Service Unavailable\r\n\r\n", 1, /: HTTP 503\n$/],
    ["SSH-2.0-OpenSSH_9.2\r\n", 1, /: no answer \(bad_framing\)\n$/],
    ["", 1, /: no answer \(empty\)\n$/],
  ];
  for (const [text, code, stderr] of table) {
    await using server = serving(text);
    const address = `127.0.0.1:${server.port}`;
    const result = await acmeLb(["healthy", address]);
    assert.deepEqual([result.code, result.stdout], [code, ""], text);
    assert.match(result.stderr, stderr);
  }
});

Deno.test("healthy fails when nothing listens, and refuses an invalid address", async () => {
  const refused = await acmeLb(["healthy", `127.0.0.1:${CLOSED_PORT}`]);
  assert.deepEqual([refused.code, refused.stderr], [
    1,
    `acme-lb: 127.0.0.1:${CLOSED_PORT}: no answer (refused)\n`,
  ]);
  for (const address of ["localhost:80", "::1:80", "[::1]", "80", ""]) {
    assert.deepEqual((await acmeLb(["healthy", address])).code, 64, address);
  }
});

Deno.test("healthy gives up before keepalived does", async () => {
  const silence: Reply = { fault: "timeout", connected: true, ms: 2000 };
  let timeout = 0;
  const fault = await askHealth({ hostname: "::1", port: 80 }, (_address, options) => {
    timeout = options.timeoutMs;
    return Promise.resolve(silence);
  });
  assert.deepEqual([fault, timeout], ["no answer (timeout)", 2000]);
});
