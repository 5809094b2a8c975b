/**
 * Slowloris and its kin: heads that never end, bodies that drip, answers that nobody reads. The
 * server ends every such connection within 16 s and serves everybody else meanwhile.
 *
 * Once with sockets of our own, watched from the server's side in /proc, because a client that
 * does not read cannot see that it was hung up on; and once with slowhttptest.
 */

import assert from "node:assert/strict";
import { eventually, logged, startDaemon, tail } from "./daemon.ts";
import { type Loopback, startLoopback, statusOf } from "./loopback.ts";
import { lacking } from "./requirements.ts";
import { CLOSE_DEADLINE, closedWhile, socketsOf } from "./server_sockets.ts";

const CONNECTIONS = 20;
const LONG_TARGET = `/${"a".repeat(2_000)}`;

/** What a client sends at once, and what it adds every half second. */
const STYLES: Record<string, { first: string; drip: string }> = {
  "send their head line by line": {
    first: "GET / HTTP/1.1\r\nHost: service.example\r\n",
    drip: "X-Slow: 1\r\n",
  },
  "send nothing": { first: "", drip: "" },
  "send their body byte by byte": {
    first: "POST / HTTP/1.1\r\nHost: service.example\r\nContent-Length: 100000\r\n\r\n",
    drip: "a",
  },
  // On loopback the kernel takes all the answers; slow_reader_test.ts makes the server's writes wait.
  "never read their answers": {
    first: `GET ${LONG_TARGET} HTTP/1.1\r\nHost: service.example\r\n\r\n`.repeat(900),
    drip: "",
  },
};

const MODES = [
  { name: "slow-head", flags: ["-H"] },
  { name: "slow-body", flags: ["-B", "-s", "100000"] },
  { name: "slow-read", flags: ["-X", "-k", "10", "-w", "512", "-y", "1024"] },
];

const skipped = lacking({ for: "slow clients", programs: [] });
let server: Loopback;

Deno.test.beforeAll(async () => {
  if (!skipped) server = await startLoopback();
});

Deno.test.afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

for (const [style, { first, drip }] of Object.entries(STYLES)) {
  Deno.test({
    name: `serve ends connections of clients that ${style}, and answers others meanwhile`,
    ignore: skipped,
    async fn() {
      const { pid } = server.daemon;
      const before = await socketsOf(pid);
      const clients = await Promise.all(
        Array.from({ length: CONNECTIONS }, () => slowClient(server.port, { first, drip })),
      );
      try {
        await eventually(
          async () => await socketsOf(pid) >= before + CONNECTIONS || undefined,
          { what: () => "the server to hold all connections", deadline: CLOSE_DEADLINE },
        );
        await closedByServer(before);
      } finally {
        for (const client of clients) client.close();
      }
    },
  });
}

Deno.test({
  name: "serve withstands slowhttptest in its three modes, and answers others meanwhile",
  ignore: skipped || lacking({ for: "slowhttptest", programs: ["slowhttptest"] }),
  async fn() {
    const before = await socketsOf(server.daemon.pid);
    const url = `http://127.0.0.1:${server.port}${LONG_TARGET.slice(0, 1_000)}`;
    const common = ["-c", "40", "-r", "40", "-i", "2", "-l", "30", "-p", "3", "-u", url];
    const runs = await Promise.all(
      MODES.map(({ name, flags }) =>
        startDaemon(["slowhttptest", ...flags, ...common], {
          log: `${server.directory}/${name}.log`,
        })
      ),
    );
    try {
      for (const run of runs) await logged(run, /service available/);
      await closedByServer(before);
      // One that does not read cannot tell that it was hung up on.
      for (const run of runs.slice(0, 2)) await logged(run, /No open connections left/);
      for (const run of runs) assert.doesNotMatch(await run.output(), /service available:.*NO/);
    } catch (error) {
      const logs = await Promise.all(runs.map(({ log }) => tail(log)));
      throw new Error([String(error), ...logs].join("\n"), { cause: error });
    } finally {
      await Promise.all(runs.map((run) => run.stop()));
    }
  },
});

/** Waits until the server is rid of all connections, while it answers a normal request each time. */
async function closedByServer(before: number): Promise<void> {
  await closedWhile({
    pid: server.daemon.pid,
    before,
    meanwhile: async () => assert.equal(await statusOf(server.port), 301, "a normal request"),
  });
}

async function slowClient(
  port: number,
  { first, drip }: { first: string; drip: string },
): Promise<{ close(): void }> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const encoder = new TextEncoder();
  const send = async (text: string) => {
    const bytes = encoder.encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
  };
  // After the server has closed the connection, writes fail; other code waits for that.
  const sending = send(first).catch(() => {});
  const timer = setInterval(() => void sending.then(() => send(drip)).catch(() => {}), 500);
  return {
    close() {
      clearInterval(timer);
      conn.close();
    },
  };
}
