/** What a server knows of itself: told to balancers, shown as a page, and in the metrics. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { textAnswer } from "../../lib/http/answer.ts";
import type { RequestHead } from "../../lib/http/request_head.ts";
import { parseRequestHead } from "../http/whole_head.ts";
import { createLog } from "../../lib/log.ts";
import { STATUS_TARGET } from "../../lib/status/balancer_report.ts";
import { createOwnLook, type OwnLook } from "../../lib/status/own_look.ts";
import { createOwnStatus } from "../../lib/status/own_status.ts";
import { createPageHandler } from "../../lib/status/page_handler.ts";
import { PAGE_STYLE } from "../../lib/status/page_style.ts";
import { readReport } from "../../lib/status/read_report.ts";
import { createReportHandler } from "../../lib/status/report_handler.ts";
import { formatStatusMetrics } from "../../lib/status/status_metrics.ts";
import { DAY, issue, NOW } from "../cert/issue.ts";
import { temporary } from "../commands/server_process.ts";
import { latin1 } from "../http/raw_client.ts";
import { parseExposition } from "../expiry/exposition.ts";
import { sampleCertificate, sampleView } from "./sample_fleet.ts";

const CONFIG = parseConfig(
  `
cluster:
  nodes: { lb0: ["192.0.2.11"], lb1: ["192.0.2.12"] }
  virtual_addresses: ["192.0.2.1", "192.0.2.2"]
`,
  "config.yaml",
);
const SEEN: OwnLook = {
  certificates: [sampleCertificate()],
  certificatesTotal: 1,
  renewedAt: "2026-11-05T12:00:00Z",
  hooks: [],
};

function statusOf({ look = () => Promise.resolve(SEEN) } = {}) {
  const status = createOwnStatus({
    metrics: { sum: (family) => family === "connections" ? 7 : 2 },
    log: createLog({ write: () => {} }),
    health: () => ({ faults: [], notes: ["n".repeat(1000)] }),
    look,
    interfaceAddresses: () => ["192.0.2.12", "192.0.2.2"],
  });
  return { status, source: status.under(CONFIG, [{ role: "public", address: "[::]:80" }]) };
}

Deno.test("a server's report is accepted by its own reader in every state", async () => {
  const { status, source } = statusOf();
  status.events.challenge({
    token: "a".repeat(43),
    from: "192.0.2.9",
    source: "own",
    ms: 1,
    status: 200,
  });
  status.events.contact("[2001:db8::f002]:31080", "found");
  const report = await source.report();
  assert.deepEqual(readReport(JSON.stringify(report), Date.now()), report);
  assert.deepEqual([report.name, report.connections, report.evicted], ["lb1", 7, 2]);
  assert.deepEqual(report.holds, [{ address: "192.0.2.2", since: null }]);
  assert.deepEqual(report.challenges[0]!.token, "aaaaaaaa");
  assert.ok(report.health.notes[0]!.length <= 400);
});

Deno.test("a check that fails or hangs does not change the rest of the report", async () => {
  const failing = statusOf({ look: () => Promise.reject(new Error("disk")) });
  const report = await failing.source.report();
  assert.deepEqual([report.certificates_total, report.name], [null, "lb1"]);
  assert.deepEqual(readReport(JSON.stringify(report), Date.now()), report);
});

function head(target: string, method = "GET"): RequestHead {
  const bytes = latin1(`${method} ${target} HTTP/1.0\r\n\r\n`);
  const parsed = parseRequestHead(bytes);
  assert.ok(parsed.kind === "head");
  return parsed;
}

Deno.test("the report is sent only to balancers; others get the answer of any other target", async () => {
  const { source } = statusOf();
  const other = textAnswer("other\n");
  const handler = createReportHandler({
    report: source.report,
    told: { includes: (address) => Promise.resolve(address === "192.0.2.11") },
    otherwise: () => Promise.resolve(other),
  });
  const told = await handler(head(STATUS_TARGET), "192.0.2.11", "192.0.2.12");
  assert.deepEqual(told.status, 200);
  assert.match(told.headers, /Content-Type: application\/json\r\n/);
  assert.match(told.body, /^[ -~]+\n$/);
  readReport(told.body, Date.now());
  for (
    const [target, method, from] of [
      [STATUS_TARGET, "GET", "192.0.2.99"],
      [STATUS_TARGET, "POST", "192.0.2.11"],
      [`${STATUS_TARGET}?x`, "GET", "192.0.2.11"],
      ["/", "GET", "192.0.2.11"],
    ] as const
  ) {
    assert.deepEqual(await handler(head(target, method), from, "192.0.2.12"), other, target);
  }
});

Deno.test("a report with many long names is cut to its size limit and keeps the worst certificates", async () => {
  const names = Array.from({ length: 20 }, (_, i) => `${i}${"\u00e9".repeat(200)}`);
  const certificates = Array.from(
    { length: 40 },
    (_, i) => sampleCertificate({ names, place: `/${i}.pem` }),
  );
  const look = () => Promise.resolve({ ...SEEN, certificates, certificatesTotal: 40 });
  const { source } = statusOf({ look });
  const handler = createReportHandler({
    report: source.report,
    told: { includes: () => Promise.resolve(true) },
    otherwise: () => Promise.resolve(textAnswer("other\n")),
  });
  const { body } = await handler(head(STATUS_TARGET), "192.0.2.11", "192.0.2.12");
  const told = readReport(body, Date.now());
  assert.ok(body.length <= 131_072, String(body.length));
  assert.deepEqual([told.certificates[0]!.place, told.certificates_total], ["/0.pem", 40]);
});

Deno.test("the page asks the balancers once for all viewers, and has a content security policy", async () => {
  let asked = 0;
  const page = createPageHandler({
    ask: () => (asked++, Promise.resolve(sampleView())),
    onError: (error) => {
      throw error;
    },
  });
  const [answer, still, ...rest] = await Promise.all(
    ["/", "/?still", "/metrics", "/x"].map((target) => page(target)),
  );
  assert.deepEqual([asked, rest], [1, [undefined, undefined]]);
  assert.match(answer!.headers, /\r\nRefresh: 10\r\n/);
  assert.ok(!still!.headers.includes("Refresh"));
  const style = /<style>([^]*?)<\/style>/.exec(answer!.body)![1]!;
  assert.deepEqual(style, PAGE_STYLE);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style));
  assert.ok(answer!.headers.includes(`style-src 'sha256-${new Uint8Array(digest).toBase64()}'`));
  assert.match(answer!.headers, /Content-Security-Policy: default-src 'none'; /);
  assert.ok(!/unsafe|script-src|connect-src/.test(answer!.headers));
});

Deno.test("a page that could not be made is 503, is logged, and works later", async () => {
  const errors: unknown[] = [];
  const page = createPageHandler({
    ask: () => Promise.reject(new Error("no")),
    onError: (error) => errors.push(error),
  });
  assert.deepEqual([(await page("/"))!.status, errors.length], [503, 1]);
});

Deno.test("the metrics have held addresses, results of hooks and times of renewals", () => {
  const hook = { client: "lego", out: '/a"b.pem', text: "", renewed_at: null, leaf: null };
  const text = formatStatusMetrics({
    held: new Map([["192.0.2.1", false], ["192.0.2.2", true]]),
    renewedAt: "2026-11-05T12:00:00Z",
    hooks: [{ ...hook, ok: false, at: "2026-11-25T12:00:00Z" }],
  });
  assert.deepEqual(
    parseExposition(text).map(({ metric, labels, value }) => [metric, labels, value]),
    [
      ["acme_lb_virtual_address_held", { address: "192.0.2.1" }, 0],
      ["acme_lb_virtual_address_held", { address: "192.0.2.2" }, 1],
      ["acme_lb_hook_success", { client: "lego", place: '/a"b.pem' }, 0],
      [
        "acme_lb_hook_last_run_timestamp_seconds",
        { client: "lego", place: '/a"b.pem' },
        Date.parse("2026-11-25T12:00:00Z") / 1000,
      ],
      ["acme_lb_last_renewal_timestamp_seconds", {}, Date.parse("2026-11-05T12:00:00Z") / 1000],
    ],
  );
  assert.deepEqual(formatStatusMetrics({ held: new Map(), renewedAt: null, hooks: [] }), "");
});

Deno.test("createOwnLook() reports readable files, and unreadable ones from the state of the hook", async () => {
  await using folder = await temporary();
  const { path } = folder;
  await Deno.mkdir(`${path}/state`);
  const expired = await issue({
    notAfter: new Date(NOW.getTime() - DAY),
    notBefore: new Date(NOW.getTime() - 9 * DAY),
  });
  await Deno.writeTextFile(`${path}/read.pem`, expired.pem);
  const left = {
    ...{
      at: "2026-11-25T12:00:00Z",
      ok: true,
      client: "certbot",
      out: `${path}/keys/a.pem`,
      text: "",
    },
    renewed_at: "2099-01-01T00:00:00Z",
    leaf: {
      ...{ names: ["left.example"], serial: "01", issuer: "CN=E7" },
      not_before: new Date(NOW.getTime() - 80 * DAY).toISOString().replace(/\.\d+Z/, "Z"),
      not_after: new Date(NOW.getTime() + 10 * DAY).toISOString().replace(/\.\d+Z/, "Z"),
    },
  };
  await Deno.writeTextFile(`${path}/state/hook-0000000000000000.json`, JSON.stringify(left));
  const config = parseConfig(
    `state: ${path}/state\ncertificates: ["${path}/read.pem"]\nhaproxy: { sockets: ["${path}/none.sock"] }\n`,
    "config.yaml",
  );
  const seen = await createOwnLook()(config, NOW);
  assert.deepEqual(seen.certificates.map(({ place, verdict, names }) => [place, verdict, names]), [
    [`${path}/read.pem`, "CRITICAL", ["service.example"]],
    [`${path}/keys/a.pem`, "CRITICAL", ["left.example"]],
  ]);
  assert.deepEqual([seen.certificatesTotal, seen.renewedAt], [2, "2099-01-01T00:00:00Z"]);
});
