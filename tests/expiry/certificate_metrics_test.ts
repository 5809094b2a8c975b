/** The configured certificates at the metrics port: what is told, when files are looked at. */

import assert from "node:assert/strict";
import {
  type CertificateMetricsOptions,
  createCertificateLook,
  createCertificateMetrics,
} from "../../lib/expiry/certificate_metrics.ts";
import { createLog } from "../../lib/log.ts";
import { DAY, issue, makeKey, NOW } from "../cert/issue.ts";
import { parseExposition } from "./exposition.ts";
import { ask, startServer, temporary } from "../commands/server_process.ts";

function metricsOf(options: Partial<CertificateMetricsOptions>) {
  const lines: string[] = [];
  const log = createLog({ write: (line) => void lines.push(line) });
  const look = createCertificateLook();
  return { scrape: createCertificateMetrics({ paths: ["/a"], log, look, ...options }), lines };
}

Deno.test("createCertificateMetrics() looks at most every half minute, and never twice at once", async () => {
  let now = 0;
  let looks = 0;
  let finish = () => {};
  const { scrape } = metricsOf({
    now: () => now,
    look: async () => {
      const text = `looks ${++looks}\n`;
      await new Promise<void>((resolve) => finish = resolve);
      return text;
    },
  });
  const both = [scrape(), scrape()];
  finish();
  assert.deepEqual(await Promise.all(both), ["looks 1\n", "looks 1\n"]);
  now = 29_000;
  assert.deepEqual(await scrape(), "looks 1\n");
  now = 31_000;
  const later = scrape();
  finish();
  assert.deepEqual(await later, "looks 2\n");
  assert.deepEqual(looks, 2);
});

Deno.test("createCertificateMetrics() answers with what it knows while a disk hangs", async () => {
  let now = 0;
  let looks = 0;
  let hang = true;
  const { scrape } = metricsOf({
    now: () => now,
    patienceMs: 20,
    look: () => {
      looks++;
      return hang ? new Promise(() => {}) : Promise.resolve("fine 1\n");
    },
  });
  assert.deepEqual(await scrape(), "");
  now = 1e9;
  for (let i = 0; i < 10; i++) assert.deepEqual(await scrape(), "");
  assert.deepEqual(looks, 1, "one look hangs, not one for each scrape");

  hang = false;
  const { scrape: other } = metricsOf({
    now: () => now,
    patienceMs: 20,
    look: () => hang ? new Promise(() => {}) : Promise.resolve("fine 1\n"),
  });
  assert.deepEqual(await other(), "fine 1\n");
  hang = true;
  now = 2e9;
  assert.deepEqual(await other(), "fine 1\n", "what was known stays");
});

Deno.test("createCertificateMetrics() survives a look that fails, and looks again later", async () => {
  let now = 0;
  let fail = true;
  const { scrape, lines } = metricsOf({
    now: () => now,
    look: () => fail ? Promise.reject(new Error("out of luck")) : Promise.resolve("fine 1\n"),
  });
  assert.deepEqual(await scrape(), "");
  assert.match(lines.join(""), /level=error event=defect reason="certificates: out of luck"/);
  fail = false;
  assert.deepEqual(await scrape(), "", "not at every scrape");
  now = 31_000;
  assert.deepEqual(await scrape(), "fine 1\n");
  assert.deepEqual(lines.length, 1);
});

Deno.test("createCertificateMetrics() looks at nothing when nothing is configured", async () => {
  const { scrape } = metricsOf({ paths: [], look: () => Promise.reject(new Error("looked")) });
  assert.deepEqual(await scrape(), "");
});

Deno.test("createCertificateMetrics() tells of files good and bad, without looking at keys", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const good = await issue();
    const expired = await issue({ notAfter: new Date(NOW.getTime() - DAY) });
    const other = await makeKey();
    await Deno.mkdir(`${directory}/certs`);
    await Deno.writeTextFile(`${directory}/certs/good.pem`, other.pem + good.pem);
    await Deno.writeTextFile(`${directory}/certs/expired.pem`, expired.pem);
    await Deno.writeTextFile(`${directory}/certs/junk.pem`, "junk");
    const { scrape, lines } = metricsOf({ paths: [`${directory}/certs`, `${directory}/missing`] });
    const text = await scrape();
    const states = parseExposition(text)
      .filter(({ metric }) => metric === "acme_lb_certificate_state")
      .map(({ labels, value }) => [labels.place!.slice(directory.length), value]);
    assert.deepEqual(Object.fromEntries(states), {
      "/certs/good.pem": 0,
      "/certs/expired.pem": 2,
      "/certs/junk.pem": 3,
      "/missing": 3,
    });
    assert.match(text, /^acme_lb_certificate_check_success 0$/m);
    assert.doesNotMatch(text, /key_mismatch/);
    assert.deepEqual(lines, []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("serve loads what looks at certificates only when it is scraped, and never what writes them", async () => {
  const { modules, roots } = await moduleGraph("lib/commands/serve.ts");
  const atStart = reachable(roots[0]!, { modules, dynamic: false });
  const ever = reachable(roots[0]!, { modules, dynamic: true });
  const names = (urls: Set<string>) => [...urls].map((url) => url.split("/lib/").at(-1)!);
  assert.deepEqual(names(atStart).filter((name) => /^(cert|report|haproxy)\//.test(name)), []);
  assert.ok(names(ever).includes("cert/certificate.ts"));
  for (const name of ["cert/placeholder.ts", "http/tls_probe.ts"]) {
    assert.ok(!names(ever).includes(name), name);
  }
  // A look without keys, which is the server's, loads nothing to compare them.
  const look = [...ever].find((url) => url.endsWith("/expiry/check_files.ts"))!;
  const whenScraped = names(reachable(look, { modules, dynamic: false }));
  assert.ok(whenScraped.includes("cert/private_key.ts"));
  for (const name of ["cert/public_half.ts", "cert/der_writer.ts"]) {
    assert.ok(!whenScraped.includes(name), name);
  }
});

const ANY = "127.0.0.1:0";
const PORTS = ["public", "challenge", "metrics"].map((role) =>
  `${role}: { listen: ["${ANY}"] }
`
).join("");

Deno.test("/metrics tells of the configured certificates, of those configured by SIGHUP too", async () => {
  await using dir = await temporary();
  const config = `${dir.path}/config.yaml`;
  const write = (certificates: string[]) =>
    Deno.writeTextFile(config, `${PORTS}certificates: ${JSON.stringify(certificates)}\n`);
  const [one, two] = [`${dir.path}/one.pem`, `${dir.path}/two.pem`];
  await Deno.writeTextFile(one, (await issue({ names: ["one.example"] })).pem);
  await write([]);
  await using server = await startServer(["serve", "--config", config], { listening: 3 });
  const places = async () => {
    const { status, body } = await ask(server.port("metrics"), "/metrics");
    assert.deepEqual(status, 200);
    const states = parseExposition(body).filter(({ metric }) => metric.endsWith("_state"));
    return Object.fromEntries(states.map(({ labels, value }) => [labels.place, value]));
  };
  assert.deepEqual(await places(), {});
  await write([one, two]);
  server.signal("SIGHUP");
  await server.line(/event=reloaded/);
  assert.deepEqual(await places(), { [one]: 0, [two]: 3 });
});

if (Deno.uid() !== 0) {
  // deno-lint-ignore no-console
  console.warn("skipped: files that the server may not read: it needs root to drop its rights");
}

Deno.test({
  name: "/metrics leaves out what the server may not read, and goes on serving",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using dir = await temporary();
    const [file, closed] = [`${dir.path}/other.pem`, `${dir.path}/closed`];
    await Deno.writeTextFile(file, "of another user", { mode: 0o600 });
    await Deno.mkdir(closed, { mode: 0o700 });
    for (const path of [file, closed]) await Deno.chown(path, 65534, 65534);
    const config = `${dir.path}/config.yaml`;
    // What is not there, and what is no certificate, is still UNKNOWN.
    const [gone, wrong] = [`${dir.path}/gone.pem`, `${dir.path}/wrong.pem`];
    await Deno.writeTextFile(wrong, "no certificate");
    const certificates = JSON.stringify([file, closed, `${closed}/*.pem`, gone, wrong]);
    await Deno.writeTextFile(config, `${PORTS}certificates: ${certificates}\n`);
    await using server = await startServer(["serve", "--config", config], {
      listening: 3,
      wrapper: ["setpriv", "--bounding-set=-dac_override,-dac_read_search"],
    });
    const { body } = await ask(server.port("metrics"), "/metrics");
    const states = parseExposition(body).filter(({ metric }) => metric.endsWith("_state"));
    assert.deepEqual(states.map(({ value }) => value), [3, 3]);
    assert.deepEqual((await ask(server.port("public"), "/x")).status, 301);
  },
});

interface Module {
  specifier: string;
  dependencies?: { isDynamic?: boolean; code?: { specifier?: string } }[];
}

async function moduleGraph(root: string): Promise<{ modules: Module[]; roots: string[] }> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", root],
    cwd: new URL("../..", import.meta.url).pathname,
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

function reachable(
  root: string,
  { modules, dynamic }: { modules: Module[]; dynamic: boolean },
): Set<string> {
  const byUrl = new Map(modules.map((module) => [module.specifier, module]));
  const seen = new Set([root]);
  // A set that grows is walked to its new end.
  for (const url of seen) {
    for (const { isDynamic, code } of byUrl.get(url)?.dependencies ?? []) {
      if (code?.specifier && (dynamic || !isDynamic)) seen.add(code.specifier);
    }
  }
  return seen;
}
