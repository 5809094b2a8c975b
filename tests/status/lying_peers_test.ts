/** Peers that lie, asked over real connections: each makes a row that says so, and nothing else. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { askFleet, askTimeoutMs } from "../../lib/status/ask_fleet.ts";
import { askServer } from "../../lib/http/ask.ts";
import { findFleetFaults } from "../../lib/status/fleet_findings.ts";
import { formatStatusAsJson, jsonStatus } from "../../lib/status/status_json.ts";
import { statusPage } from "../../lib/status/status_page.ts";
import { formatStatus } from "../../lib/status/status_text.ts";
import { latin1 } from "../http/raw_client.ts";
import { peerThat } from "../http/scripted_peer.ts";
import { sampleCertificate, sampleReport } from "./sample_fleet.ts";

/**
 * Asks as `askFleet` does by itself, and gives up by events, not by the clock, on which a busy machine
 * would be late: when all have answered that ever do.
 * @param lasting how many never end
 */
function askUntilRest(peers: number, lasting: number) {
  const rest = new AbortController();
  let left = peers - lasting;
  const ask: typeof askServer = async (address, options) => {
    const reply = await askServer(address, { ...options, signal: rest.signal });
    if (--left === 0) rest.abort();
    return reply;
  };
  return { ask, timeoutMs: 60_000 };
}

type Behaviour = (conn: Deno.TcpConn) => Promise<void>;

const said = (text: string): Behaviour => async (conn) => void await conn.write(latin1(text));
const sent = (body: string, head = ""): Behaviour =>
  said(`HTTP/1.0 200 OK\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`);

/** An honest report by the clock of this moment, with changes. */
function report(changes: Record<string, unknown> = {}): string {
  const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const quiet = { peers: [], challenges: [], hook: null, renewed_at: null, holds: [], name: null };
  const honest = sampleReport("lb0", { ...quiet, now, certificates: [], certificates_total: 0 });
  return JSON.stringify({ ...honest, ...changes });
}

/** Listens and says nothing, until whoever asked has gone. */
const silence: Behaviour = async (conn) => {
  const buffer = new Uint8Array(64);
  while (await conn.read(buffer) !== null);
};

/** What the endless ones could send before nobody listened any more. */
let taken = 0;

async function endless(conn: Deno.TcpConn, text: string): Promise<void> {
  const bytes = latin1(text);
  while (true) taken += await conn.write(bytes);
}

const MARKUP = '"><script>alert(1)</script><h1>all is well</h1>';

/** What it does, and the word of its row. */
const LIARS: [string, Behaviour, string][] = [
  [
    "40 MB of JSON, announced",
    said(`HTTP/1.0 200 OK\r\nContent-Length: 41943040\r\n\r\n[`),
    "too_large",
  ],
  [
    "40 MB of JSON, unannounced",
    async (conn) => {
      await said("HTTP/1.0 200 OK\r\n\r\n[")(conn);
      await endless(conn, "0,".repeat(32_768));
    },
    "too_large",
  ],
  ["a head without an end", (conn) => endless(conn, "X: y\r\n".repeat(1000)), "too_large"],
  [
    "an endless drip of the head",
    async (conn) => {
      while (true) {
        await conn.write(latin1("H"));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    "timeout",
  ],
  [
    "an endless drip of the body",
    async (conn) => {
      await said("HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\n")(conn);
      while (true) {
        await conn.write(latin1(" "));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    "timeout",
  ],
  ["silence", silence, "timeout"],
  ["nothing, and goodbye", () => Promise.resolve(), "empty"],
  ["a redirect", said("HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"), "redirected"],
  ["no such thing", said("HTTP/1.0 404 Not Found\r\n\r\n"), "not_told"],
  ["an error", said("HTTP/1.0 500 Oops\r\n\r\n"), "bad_status"],
  ["another protocol", said("220 mail.example ESMTP\r\n\r\n"), "bad_framing"],
  ["chunks", said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "bad_framing"],
  ["gzip", sent("\x1f\x8b", "Content-Encoding: gzip\r\n"), "bad_framing"],
  ["a body that ends early", said("HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n{"), "bad_framing"],
  ["a page", sent("<html>"), "bad_report"],
  ["JSON of 60,000 brackets", sent("[".repeat(60_000)), "bad_report"],
  ["wrong types", sent(report({ holds: { length: 1e9 }, uptime_s: "1" })), "bad_report"],
  ["markup in its name", sent(report({ name: MARKUP })), "bad_report"],
  ["a year in the far future", sent(report({ now: "9999-01-01T00:00:00Z" })), "bad_report"],
  [
    "a renewal in the far future",
    sent(report({ renewed_at: "9999-01-01T00:00:00Z" })),
    "bad_report",
  ],
  ["a thousand certificates", sent(report({ certificates: Array(1000).fill({}) })), "bad_report"],
  ["its prototype", sent(report().replace('"format":1', '"__proto__":{"format":1}')), "bad_report"],
];

Deno.test("more than twenty lying peers make a row each, beside that of an honest one", async () => {
  await using stack = new AsyncDisposableStack();
  const peers = [["honest", sent(report()), ""] as const, ...LIARS].map(([, behave]) =>
    stack.use(peerThat(behave)).address
  );
  const listed = peers.map(({ port }) => `"127.0.0.1:${port}"`).join(", ");
  const config = parseConfig(`peers: [${listed}]\n`, "config.yaml");
  const lasting = LIARS.filter(([, , word]) => word === "timeout").length;
  const asking = askUntilRest(peers.length, lasting);
  const view = await askFleet({ config, file: "config.yaml", machine: [], ...asking });
  // The buffers of the kernel take some MiB on both sides.
  assert.ok(taken < 40 << 20, `${taken} bytes were taken`);
  assert.deepEqual(
    view.rows.map(({ silence = "" }) => silence),
    ["", ...LIARS.map(([, , word]) => word)],
  );
  for (const { reason = "" } of view.rows) {
    assert.ok(reason.length < 120 && !/[<>]/.test(reason), reason);
  }
  const findings = findFleetFaults(view);
  assert.deepEqual(findings.filter(({ level }) => level === "fail").length, LIARS.length);
  assert.deepEqual(jsonStatus(view, findings).balancers.map(({ ok }) => ok), [
    true,
    ...LIARS.map(() => false),
  ]);
});

Deno.test("a peer of another fleet, or with markup in its texts, is an escaped row", async () => {
  const certificates = [
    sampleCertificate({ place: MARKUP, names: [MARKUP], issuer: MARKUP, text: MARKUP }),
  ];
  const lie = report({ name: "edge7", certificates, certificates_total: 1 });
  await using liar = peerThat(sent(lie));
  const config = parseConfig(
    `peers: ["127.0.0.1:${liar.address.port}"]\ncluster: { nodes: { lb0: ["127.0.0.1"] } }\n`,
    "config.yaml",
  );
  const view = await askFleet({ config, file: "config.yaml", machine: [], timeoutMs: 60_000 });
  const findings = findFleetFaults(view);
  const foreign = findings.find(({ rule }) => rule === "foreign");
  assert.match(foreign?.text ?? "", /says that it is edge7, which is not in cluster\.nodes here/);
  const page = statusPage(view, findings, { refreshes: true });
  assert.ok(!page.includes("<script") && page.split("<h1>").length === 2);
  assert.ok(page.includes("&#60;script&#62;"));
  assert.ok(formatStatus(view, findings).includes(MARKUP));
  assert.deepEqual(
    JSON.parse(formatStatusAsJson(jsonStatus(view, findings))).balancers[0].certificates[0].place,
    MARKUP,
  );
});

Deno.test("four dead balancers of ten are reported at the deadline, and the others before it", async () => {
  await using stack = new AsyncDisposableStack();
  const alive = Array.from(
    { length: 6 },
    (_, i) => stack.use(peerThat(sent(report({ instance: `0${i}` })))).address.port,
  );
  const dead = Array.from(
    { length: 4 },
    () => stack.use(peerThat(silence)).address.port,
  );
  const listed = [...alive, ...dead].map((port) => `"127.0.0.1:${port}"`).join(", ");
  const config = parseConfig(`peers: [${listed}]\n`, "config.yaml");
  const asking = askUntilRest(10, 4);
  const view = await askFleet({ config, file: "config.yaml", machine: [], ...asking });
  assert.deepEqual(view.rows.map(({ silence = "" }) => silence), [
    ...alive.map(() => ""),
    ...dead.map(() => "timeout"),
  ]);
});

Deno.test("a peer's name that does not resolve delays no other, and one without an address is a row", async () => {
  const config = parseConfig(
    'peers: ["dns:good.example:31080", "dns:hangs.example:1", "dns:none.example:2"]\n',
    "config.yaml",
  );
  const view = await askFleet({
    config,
    file: "config.yaml",
    machine: [],
    timeoutMs: 50,
    ask: () =>
      Promise.resolve({ status: 200, body: report(), fields: {}, ms: 1, sent: 0, received: 0 }),
    resolve(name) {
      if (name === "hangs.example") return new Promise(() => {});
      return name === "good.example" ? Promise.resolve(["127.0.0.1"]) : Promise.reject(new Error());
    },
  });
  assert.deepEqual(view.rows.map(({ name, silence = "" }) => [name, silence]), [
    ["127.0.0.1:31080", ""],
    ["dns:hangs.example:1", "unresolved"],
    ["dns:none.example:2", "unresolved"],
  ]);
});

Deno.test("a command has its answers within two seconds of its start, and asks for most of one", () => {
  const asked = [0, 60, 320, 400, 5_000].map(askTimeoutMs);
  assert.deepEqual(asked, [1_300, 1_300, 1_000, 800, 800]);
});
