/** check-expiry against a real HAProxy: what lies on the disk, is loaded, and is served. */

import assert from "node:assert/strict";
import type { JsonRecord, JsonReport } from "../../lib/expiry/format_json.ts";
import { HOUR, issue, type Issued, NOW } from "../cert/issue.ts";
import { lacking } from "../e2e/requirements.ts";
import {
  hasHaproxy,
  pemOf,
  type RealHaproxy,
  serialOf,
  startHaproxy,
} from "../haproxy/real_haproxy.ts";
import { listenAt, toSocket } from "../http/tls_server.ts";
import { parseExposition } from "../expiry/exposition.ts";
import { parsePluginOutput } from "../expiry/plugin_output.ts";
import { acmeLb, type ProgramOptions } from "./program.ts";
import { CLOSED_PORT } from "../closed_port.ts";

const NAMES = ["service.example"];
const FAMILIES = ["::1", "127.0.0.1"];

/** A certificate whose validity began so many hours ago. */
function since(hours: number): Promise<Issued> {
  return issue({ names: NAMES, notBefore: new Date(NOW.getTime() - hours * HOUR) });
}

async function check(
  args: string[],
  options: ProgramOptions = {},
): Promise<{ code: number; report: JsonReport; findings: string[] }> {
  const { code, stdout, stderr } = await acmeLb(
    ["check-expiry", "--format", "json", ...args],
    options,
  );
  assert.deepEqual(stderr, "");
  const report: JsonReport = JSON.parse(stdout);
  const findings = report.records.flatMap(({ source, findings }) =>
    findings.map(({ state, reason }) => `${source} ${state} ${reason}`)
  );
  return { code, report, findings };
}

async function reload(haproxy: RealHaproxy, young: Issued): Promise<void> {
  Deno.kill(haproxy.pid, "SIGUSR2");
  for (let tries = 0; await servedBy(haproxy) !== serialOf(young); tries++) {
    assert.ok(tries < 300, "HAProxy did not load the new file");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** While HAProxy reloads, its socket is gone for a moment. */
function servedBy(haproxy: RealHaproxy): Promise<string | undefined> {
  return haproxy.servedSerial(NAMES[0]).catch(() => undefined);
}

Deno.test({
  name: "a file that was renewed but not loaded is CRITICAL with both serials, until the reload",
  ignore: !hasHaproxy,
  fn: async () => {
    const [old, young] = [await since(2), await since(1)];
    await using haproxy = await startHaproxy({ files: { "certs/service.pem": pemOf(old) } });
    await using relay = listenAt(FAMILIES, toSocket(haproxy.tls));
    const file = haproxy.path("certs/service.pem");
    const endpoints = [`[::1]:${relay.port}`, `127.0.0.1:${relay.port}`];
    const args = [
      haproxy.path("certs"),
      ...["--servername", NAMES[0]!, "--haproxy-socket", haproxy.operator],
      ...endpoints.flatMap((endpoint) => ["--connect", endpoint]),
    ];
    const places = ({ records }: JsonReport, serial: string) =>
      records.filter(({ certificate }) => certificate?.serial === serial)
        .map(({ source, place }: JsonRecord) => `${source} ${place}`).toSorted();
    const everywhere = [
      ...endpoints.map((endpoint) => `endpoint ${endpoint} (${NAMES[0]})`),
      `file ${file}`,
      `haproxy ${file} at ${haproxy.operator}`,
    ].toSorted();

    const before = await check(args);
    assert.deepEqual([before.code, before.findings], [0, []]);
    assert.deepEqual(places(before.report, serialOf(old)), everywhere);

    await haproxy.write("certs/service.pem", pemOf(young));
    const between = await check(args);
    assert.deepEqual(between.code, 2);
    assert.deepEqual(between.findings.toSorted(), [
      "endpoint CRITICAL not_served",
      "endpoint CRITICAL not_served",
      "haproxy CRITICAL not_served",
    ]);
    for (const { findings } of between.report.records) {
      for (const { text } of findings) {
        assert.ok(text.includes(serialOf(old)) && text.includes(serialOf(young)), text);
      }
    }

    const nagios = await acmeLb(["check-expiry", "--format", "nagios", ...args]);
    const plugin = parsePluginOutput(nagios.stdout);
    assert.deepEqual([nagios.code, plugin.state], [2, "CRITICAL"]);
    assert.ok(
      plugin.text.includes(serialOf(young)) || plugin.text.includes(serialOf(old)),
      plugin.text,
    );
    const textfile = haproxy.path("acme-lb.prom");
    const written = ["--format", "prometheus", "--output", textfile];
    assert.deepEqual((await acmeLb(["check-expiry", ...written, ...args])).code, 2);
    const series = parseExposition(await Deno.readTextFile(textfile));
    const reasons = series.filter(({ labels }) => labels.reason === "not_served");
    assert.deepEqual(reasons.length, 3);

    await reload(haproxy, young);
    const after = await check(args);
    assert.deepEqual([after.code, after.findings], [0, []]);
    assert.deepEqual(places(after.report, serialOf(young)), everywhere);
  },
});

Deno.test({
  name: "a renewed file that HAProxy has not loaded is found from its memory without an endpoint",
  ignore: !hasHaproxy,
  fn: async () => {
    const [old, young] = [await since(2), await since(1)];
    await using haproxy = await startHaproxy({ files: { "certs/service.pem": pemOf(old) } });
    for (const socket of [haproxy.worker, haproxy.operator, haproxy.master]) {
      await haproxy.write("certs/service.pem", pemOf(old));
      const before = await check(["--config", await configOf(haproxy, socket)]);
      assert.deepEqual([before.code, before.findings], [0, []], socket);
      await haproxy.write("certs/service.pem", pemOf(young));
      const after = await check(["--config", await configOf(haproxy, socket)]);
      assert.deepEqual([after.code, after.findings], [2, ["haproxy CRITICAL not_served"]], socket);
    }
  },
});

function configOf(haproxy: RealHaproxy, socket: string): Promise<string> {
  return haproxy.write("config.yaml", `haproxy: { sockets: [${JSON.stringify(socket)}] }\n`);
}

Deno.test({
  name: "a balancer that is down, or speaks no TLS, is CRITICAL and takes nothing from the others",
  ignore: !hasHaproxy,
  fn: async () => {
    await using haproxy = await startHaproxy({ files: { "certs/s.pem": pemOf(await since(1)) } });
    await using relay = listenAt(["::1"], toSocket(haproxy.tls));
    await using plain = listenAt(["::1"], async (connection) => {
      await connection.read(new Uint8Array(4096));
      await connection.write(new TextEncoder().encode("HTTP/1.0 400 Bad request\r\n\r\n"));
      connection.close();
    });
    const ports = [relay.port, plain.port, CLOSED_PORT];
    const { code, report } = await check([
      ...["--servername", NAMES[0]!],
      ...ports.flatMap((port) => ["--connect", `[::1]:${port}`]),
    ]);
    assert.deepEqual(code, 2);
    const byPlace = new Map(report.records.map((record) => [record.place, record]));
    const told = ports.map((port) => {
      const { state, findings } = byPlace.get(`[::1]:${port} (${NAMES[0]})`)!;
      return `${state} ${findings.map(({ reason }) => reason)}`;
    });
    assert.deepEqual(told, ["OK ", "CRITICAL no_tls", "CRITICAL unreachable"]);
  },
});

const cannotMount = lacking({
  for: "a name with two addresses, in a hosts file of its own",
  root: true,
  programs: ["unshare", "mount"],
});

Deno.test({
  name: "every address of a name is asked, and the one with an older certificate is found",
  ignore: cannotMount || !hasHaproxy,
  fn: async () => {
    // Due for renewal, and not yet a WARNING for its age.
    const old = await issue({
      names: NAMES,
      notBefore: new Date(NOW.getTime() - 63 * 24 * HOUR),
      notAfter: new Date(NOW.getTime() + 27 * 24 * HOUR),
    });
    const young = await since(1);
    const [a, b, c] = [old, young, young].map((issued) => ({ "certs/s.pem": pemOf(issued) }));
    await using one = await startHaproxy({ files: a });
    await using two = await startHaproxy({ files: b });
    await using three = await startHaproxy({ files: c });
    const sockets = new Map([["127.0.0.1", one.tls], ["127.0.0.2", two.tls], ["::1", three.tls]]);
    const addresses = [...sockets.keys()];
    await using relay = listenAt(addresses, (connection) => {
      const { hostname } = connection.localAddr;
      return toSocket(sockets.get(hostname)!)(connection);
    });
    const hosts = await one.write("hosts", addresses.map((ip) => `${ip} ${NAMES[0]}\n`).join(""));
    const script = 'mount --bind "$0" /etc/hosts; exec "$@"';
    const { code, report } = await check(["--connect", `${NAMES[0]}:${relay.port}`], {
      before: ["unshare", "--mount", "sh", "-ec", script, hosts],
    });
    const told = report.records.map(({ place, state, certificate }) =>
      `${place} ${state} ${certificate?.serial}`
    );
    assert.deepEqual(told.toSorted(), [
      `127.0.0.1:${relay.port} (${NAMES[0]}) WARNING ${serialOf(old)}`,
      `127.0.0.2:${relay.port} (${NAMES[0]}) OK ${serialOf(young)}`,
      `[::1]:${relay.port} (${NAMES[0]}) OK ${serialOf(young)}`,
    ]);
    assert.deepEqual(code, 1);
    assert.match(report.records[0]!.findings[0]!.text, /left behind/);
  },
});
