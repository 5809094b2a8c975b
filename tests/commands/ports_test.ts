/** The ports as the configuration makes them: who is answered, and that no loop can form. */

import assert from "node:assert/strict";
import { configDigest } from "../../lib/config/digest.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { NOT_FOUND } from "../../lib/http/answer.ts";
import type { PortSpec } from "../../lib/http/service.ts";
import {
  challengePorts,
  createPortTools,
  metricsPorts,
  publicPorts,
} from "../../lib/commands/ports.ts";
import { createMetrics } from "../../lib/http/metrics.ts";
import { parseRequestHead } from "../http/whole_head.ts";
import { createLog } from "../../lib/log.ts";
import { createRecentEvents } from "../../lib/status/recent_events.ts";
import { exchange, KEY_AUTHORIZATION, latin1, quietListener, TOKEN } from "../http/raw_client.ts";
import { CLOSED_PORT } from "../closed_port.ts";

function tools() {
  const lines: string[] = [];
  const log = createLog({ write: (line) => lines.push(line) });
  const given = { log, metrics: createMetrics("test"), events: createRecentEvents() };
  return { lines, ...createPortTools({ ...given, health: () => ({ faults: [], notes: [] }) }) };
}

async function ask(spec: PortSpec, target: string, { from = "192.0.2.99", headers = "" } = {}) {
  const bytes = latin1(`GET ${target} HTTP/1.1\r\nHost: service.example\r\n${headers}\r\n`);
  const head = parseRequestHead(bytes);
  assert.ok(head.kind === "head");
  return await spec.handler(head, from, "192.0.2.1");
}

const CHALLENGE = `/.well-known/acme-challenge/${TOKEN}`;

Deno.test("the challenge port with allow: peers answers only balancers, and logs the refused addresses", async () => {
  const config = parseConfig(
    `
webroot: /nonexistent/acme
challenge: { allow: peers }
peers: ["[2001:db8::f001]:31080", "192.0.2.12:31080"]
cluster:
  nodes: { lb2: ["2001:db8::f003"] }
  virtual_addresses: ["2001:db8::1"]
`,
    "config.yaml",
  );
  const { lines, ...rest } = tools();
  const [spec] = challengePorts(config, rest);
  const table: [string, number][] = [
    ["2001:db8::f001", 404],
    ["192.0.2.12", 404],
    ["::ffff:192.0.2.12", 404],
    ["2001:db8::f003", 404],
    ["2001:db8::1", 404],
    ["2001:db8::f009", 403],
    ["192.0.2.13", 403],
  ];
  for (const [from, status] of table) {
    assert.deepEqual((await ask(spec!, CHALLENGE, { from })).status, status, from);
  }
  const away = lines.filter((line) => line.includes("event=turned_away"));
  assert.deepEqual(away.length, 2);
  assert.match(away[0]!, / role=challenge reason=no_peer from=2001:db8::f009$/m);
});

Deno.test("two balancers that wrongly have each other's public port as peer do not loop", async () => {
  const requests = [0, 0];
  const specs: PortSpec[] = [];
  const listeners = [0, 1].map((i) =>
    quietListener((head, from) => {
      requests[i]!++;
      return specs[i]!.handler(head, from, "192.0.2.1");
    })
  );
  try {
    const peers = listeners.map(({ address }) => `"127.0.0.1:${address.port}"`).join(", ");
    const config = parseConfig(`webroot: /nonexistent/acme\npeers: [${peers}]`, "config.yaml");
    for (const _ of listeners) specs.push(publicPorts(config, { ...tools(), role: "public" })[0]!);
    const request = `GET ${CHALLENGE} HTTP/1.1\r\nHost: h.example\r\nConnection: close\r\n\r\n`;
    const got = await exchange(listeners[0]!.address.port, request, { patience: 5000 });
    assert.deepEqual(got.statuses, [404]);
    assert.ok(requests[0]! + requests[1]! <= 3, String(requests));
  } finally {
    await Promise.all(listeners.map((listener) => listener.stop(0)));
  }
});

Deno.test("the log line of a challenge names each peer and its outcome", async () => {
  const webroot = await Deno.makeTempDir();
  const holder = quietListener(() => ({
    ...{ status: 200, headers: "", body: KEY_AUTHORIZATION, close: true },
  }));
  try {
    const { port } = holder.address;
    const config = parseConfig(
      `webroot: ${webroot}\npeers: ["127.0.0.1:${port}", "127.0.0.1:${CLOSED_PORT}"]`,
      "config.yaml",
    );
    const { lines, ...rest } = tools();
    const [spec] = publicPorts(config, { ...rest, role: "public" });
    assert.deepEqual((await ask(spec!, CHALLENGE)).body, KEY_AUTHORIZATION);
    assert.match(
      lines.join(""),
      new RegExp(
        `level=info event=challenge role=public token=${TOKEN} host=service.example ` +
          `from=192.0.2.99 source=peer peer=127.0.0.1:${port} ` +
          `peers="127.0.0.1:${port}=found 127.0.0.1:${CLOSED_PORT}=(refused|not_awaited)" status=200 ms=\\d+`,
      ),
    );
    const [metricsSpec] = metricsPorts(
      { ...config, metrics: { listen: [{ hostname: "::1", port: 0 }] } },
      {
        ...rest,
        health: () => ({ faults: [], notes: [] }),
        more: () => Promise.resolve("more 1\n"),
      },
    );
    const { body } = await ask(metricsSpec!, "/metrics");
    assert.match(
      body,
      new RegExp(`^acme_lb_peer_answers_total{peer="127.0.0.1:${port}",outcome="found"} 1$`, "m"),
    );
    assert.match(body, /^acme_lb_lookups_total{result="found"} 1$/m);
    assert.match(body, /^more 1$/m);
    assert.ok(body.endsWith("\n"));
  } finally {
    await holder.stop(0);
    await Deno.remove(webroot);
  }
});

Deno.test("the challenge port sends its configuration's digest with a 404, and only to balancers", async () => {
  const text = `
webroot: /nonexistent/acme
peers: ["[2001:db8::f001]:31080", "192.0.2.12:31080", "dns:localhost:31080"]
cluster: { nodes: { lb2: ["2001:db8::f003"] }, virtual_addresses: ["2001:db8::1"] }
`;
  const config = parseConfig(text, "config.yaml");
  const [spec] = challengePorts(config, tools());
  const line = `Acme-Lb-Config: ${await configDigest(config)}\r\n`;
  const told = [
    "2001:db8::f001",
    "192.0.2.12",
    "::ffff:192.0.2.12",
    "2001:db8::f003",
    "2001:db8::1",
  ];
  // localhost is not looked up: the request must not wait for a resolver.
  for (const from of [...told, "2001:db8::f009", "192.0.2.13", "127.0.0.1", "::1"]) {
    const { status, headers, body, close } = await ask(spec!, CHALLENGE, { from });
    const expected = told.includes(from) ? NOT_FOUND.headers + line : NOT_FOUND.headers;
    assert.deepEqual([status, headers, body, close], [404, expected, NOT_FOUND.body, false], from);
  }
  // What asks for no token that could exist is answered without any work, as before.
  const odd = await ask(spec!, "/", { from: told[0]! });
  assert.deepEqual(odd.headers.includes("Acme-Lb-Config"), false);
});

Deno.test("the challenge port sends no digest with a token, and the public port never sends one", async () => {
  const webroot = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${webroot}/${TOKEN}`, KEY_AUTHORIZATION);
    const config = parseConfig(`webroot: ${webroot}\npeers: ["192.0.2.12:31080"]`, "config.yaml");
    const alone = { ...config, peers: [] };
    const specs = [
      ...challengePorts(config, tools()),
      ...publicPorts(alone, { ...tools(), role: "public" }),
    ];
    for (const spec of specs) {
      const found = await ask(spec, CHALLENGE, { from: "192.0.2.12" });
      assert.deepEqual([found.status, found.headers.includes("Acme-Lb")], [200, false]);
    }
    const absent = await ask(specs[1]!, `${CHALLENGE}x`, { from: "192.0.2.12" });
    assert.deepEqual([absent.status, absent.headers], [404, NOT_FOUND.headers]);
  } finally {
    await Deno.remove(webroot, { recursive: true });
  }
});
