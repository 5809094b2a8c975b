/** What /healthz says, and the bytes that the metrics port announces. */

import assert from "node:assert/strict";
import { EventLoopLag, type Health, healthOf } from "../../lib/http/health.ts";
import { createMetrics } from "../../lib/http/metrics.ts";
import { createMetricsHandler } from "../../lib/http/metrics_handler.ts";
import type { ListenSystem } from "../../lib/http/bind.ts";
import { NOT_FOUND } from "../../lib/http/answer.ts";
import { ManualClock } from "../manual_clock.ts";
import { exchange, header, quietListener } from "./raw_client.ts";

function metricsPort(health: () => Health, more = "") {
  const metrics = createMetrics("test");
  const handler = createMetricsHandler({ metrics, health, more: () => Promise.resolve(more) });
  const listener = quietListener((head) => handler(head));
  return {
    ask: (target: string) =>
      exchange(listener.address.port, `GET ${target} HTTP/1.1\r\nHost: m\r\n\r\n`, {
        patience: 100,
      }),
    [Symbol.asyncDispose]: () => listener.stop(0),
  };
}

Deno.test("/healthz is ok, shows notes without failing, and fails for faults", async () => {
  const table: [Partial<Health>[], number, string][] = [
    [[], 200, "ok\n"],
    [[{}, { notes: ["webroot /a cannot be read"] }], 200, "ok\nnote: webroot /a cannot be read\n"],
    [
      [{ faults: ["port [::]:80 cannot accept connections"] }],
      503,
      "fault: port [::]:80 cannot accept connections\n",
    ],
    [
      [{ notes: ["n"] }, { faults: ["f"] }, { faults: ["g"] }],
      503,
      "fault: f\nfault: g\nnote: n\n",
    ],
  ];
  for (const [checks, status, body] of table) {
    await using port = metricsPort(() => healthOf(checks.map((found) => () => found)));
    for (const target of ["/healthz", "/healthz?from=keepalived"]) {
      const { text, statuses } = await port.ask(target);
      assert.deepEqual([statuses, text.split("\r\n\r\n")[1]], [[status], body]);
    }
  }
});

Deno.test("/metrics has a Content-Length in bytes also with non-ASCII paths", async () => {
  const texts = ["plain\n", "münchen-größe\n", "日本\n", "🔑\n", "e\u0301\n", "\ufffd\n"];
  for (const more of texts) {
    await using port = metricsPort(() => ({ faults: [], notes: [] }), more);
    const { text } = await port.ask("/metrics");
    const body = text.slice(text.indexOf("\r\n\r\n") + 4);
    assert.deepEqual(Number(header(text, "content-length")), body.length, more);
    assert.match(body, /^acme_lb_build_info\{version="test"\} 1\n$/m);
  }
});

Deno.test("EventLoopLag fails from one second on, during the stall and for some seconds after it", () => {
  const clock = new ManualClock();
  using lag = new EventLoopLag(clock);
  clock.advance(3_000);
  assert.deepEqual(lag.check(), {});
  // The loop stands still: time passes, and no timer comes.
  const stall = (ms: number) => {
    const real = clock.monotonic;
    const from = clock.monotonic();
    clock.monotonic = () => from + ms;
    const found = lag.check();
    clock.monotonic = real;
    return found;
  };
  assert.deepEqual(stall(900), {});
  assert.deepEqual(stall(1_700), { faults: ["the event loop stood still for 1.4 s"] });
  clock.advance(4_000);
  assert.deepEqual(lag.check().faults?.length, 1);
  clock.advance(4_000);
  assert.deepEqual(lag.check(), {});
});

Deno.test("a port that cannot accept for a second counts as failed until it accepts again", async () => {
  const clock = new ManualClock();
  let failing = false;
  const exhausted = Object.assign(new Error("Too many open files (os error 24)"), {
    code: "EMFILE",
  });
  const system: ListenSystem = (options) => {
    const socket = Deno.listen(options);
    const accept = () => failing ? Promise.reject(exhausted) : socket.accept();
    return new Proxy(socket, {
      get(target, key) {
        if (key === "accept") return accept;
        const value = Reflect.get(target, key);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  const listener = quietListener(() => ({ ...NOT_FOUND }), { clock, system });
  const ask = () =>
    exchange(listener.address.port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", { patience: 50 });
  assert.deepEqual((await ask()).statuses, [404]);
  failing = true;
  await ask(); // The accept that was waiting; the next one fails.
  assert.deepEqual(listener.unserved, undefined);
  for (let i = 0; i < 25; i++) {
    clock.advance(50);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.deepEqual(
    listener.unserved,
    `port 127.0.0.1:${listener.address.port} cannot accept connections`,
  );
  failing = false;
  clock.advance(100);
  assert.deepEqual((await ask()).statuses, [404]);
  assert.deepEqual(listener.unserved, undefined);
  await listener.stop(0);
});
