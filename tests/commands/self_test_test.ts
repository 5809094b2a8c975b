/** self-test as a process on loopback; the network with its faults is in e2e/self_test_test.ts. */

import assert from "node:assert/strict";
import type { PathReport, SelfTestReport } from "../../lib/self_test/findings.ts";
import { acmeLb } from "./program.ts";
import { startServer } from "./server_process.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";
import { CLOSED_PORT } from "../closed_port.ts";

const NOBODY = `127.0.0.1:${CLOSED_PORT}`;

async function challengePath(
  args: string[],
): Promise<{ report: SelfTestReport; path: PathReport }> {
  const { stdout, stderr } = await acmeLb(["self-test", "--format", "json", ...args]);
  assert.equal(stderr, "");
  const report = JSON.parse(stdout) as SelfTestReport;
  const [path] = report.paths;
  assert.equal(path?.port, "challenge");
  return { report, path: path! };
}

Deno.test("self-test finds its token through the challenge port here, and leaves nothing behind", async () => {
  await inTemporaryFolder(async (directory) => {
    const webroot = `${directory}/webroot`;
    const config = `${directory}/config.yaml`;
    const write = (port: number, more = "") =>
      Deno.writeTextFile(
        config,
        `webroot: ${webroot}\npeers: ["127.0.0.1:${port}"]\n` +
          `challenge: { listen: ["127.0.0.1:${port}"] }\ncluster: { nodes: { lb0: [127.0.0.1] } }\n${more}`,
      );
    await write(CLOSED_PORT);
    await using server = await startServer([
      ...["challenge-server", "--config", config, "--listen", "127.0.0.1:0"],
    ]);
    const port = server.port("challenge");
    await write(port);
    const stale = await challengePath(["--config", config]);
    assert.deepEqual(stale.path.of, ["lb0", "this balancer"]);
    assert.equal(stale.path.outcome, "found");
    // It was started while the file named another peer, and does not know this balancer yet.
    assert.deepEqual(stale.path.findings.map(({ rule }) => rule), ["configuration"]);
    server.signal("SIGHUP");
    await server.line(/event=reloaded/);
    await Deno.stat(webroot).then(() => assert.fail("the webroot was left"), () => {});

    // The same text on the command line as in the file: the digest is the same.
    const fresh = await challengePath(["--config", config, "--peer", `127.0.0.1:${port}`]);
    assert.deepEqual([fresh.path.outcome, fresh.path.findings.length], ["found", 0]);
    assert.match(fresh.report.token, /^acme-lb-self-test-/);
    await write(port, "lookup: { timeout: 3s }");
    const changed = await challengePath(["--config", config]);
    assert.match(changed.path.findings[0]!.text, /^acme-lb runs here with another configuration/);
  });
});

Deno.test("self-test tests each webroot, flat and nested, and names those whose tokens are not served", async () => {
  await inTemporaryFolder(async (directory) => {
    const config = `${directory}/config.yaml`;
    const roots = ["one", "two", "three"].map((name) => `${directory}/${name}`);
    const write = (webroots: string[], port: number) =>
      Deno.writeTextFile(
        config,
        `webroot: ${JSON.stringify(webroots)}\npeers: ["127.0.0.1:${port}"]\n` +
          `challenge: { listen: ["127.0.0.1:${port}"] }\ncluster: { nodes: { lb0: [127.0.0.1] } }\n`,
      );
    await write(roots.slice(0, 2), 1);
    await using server = await startServer([
      ...["challenge-server", "--config", config, "--listen", "127.0.0.1:0"],
    ]);
    const port = server.port("challenge");
    const places = async (webroots: string[]) => {
      await write(webroots, port);
      const { report } = await challengePath(["--config", config]);
      return report.findings.filter(({ rule }) => rule === "webroot").map(({ level, about }) =>
        `${level} ${about}`
      );
    };
    assert.deepEqual(await places(roots.slice(0, 1)), []);
    assert.deepEqual(await places(roots.slice(0, 2)), []);
    // The server has not read that there is a third one.
    assert.deepEqual(await places(roots), [
      `fail ${roots[2]}`,
      `fail ${roots[2]}/.well-known/acme-challenge`,
    ]);
    // What is there by hand stays, what was made goes.
    await Deno.mkdir(`${roots[1]}/.well-known`, { recursive: true });
    await Deno.writeTextFile(`${roots[0]}`, "");
    const { code, stderr } = await acmeLb(["self-test", "--config", config]);
    assert.equal(code, 1);
    assert.match(stderr, /^acme-lb: .*\/one/);
    await Deno.remove(roots[0]!);
    await Deno.writeTextFile(`${roots[2]}`, "");
    assert.deepEqual(await places(roots), [
      `note ${roots[2]}`,
      `note ${roots[2]}/.well-known/acme-challenge`,
    ]);
    const left = await Array.fromAsync(Deno.readDir(directory), ({ name }) => name);
    assert.deepEqual(left.sort(), ["config.yaml", "three", "two"]);
  });
});

Deno.test("self-test ends with the verdict in both formats", async () => {
  await inTemporaryFolder(async (webroot) => {
    const args = ["self-test", "--webroot", webroot, "--peer", NOBODY];
    const [json, short, text] = await Promise.all([
      acmeLb([...args, "--format", "json"]),
      acmeLb([...args, "--json"]),
      acmeLb(args),
    ]);
    for (const { stdout } of [json, short]) {
      assert.equal((JSON.parse(stdout) as SelfTestReport).verdict.answer, "no");
    }
    assert.match(
      text.stdout.trimEnd().split("\n").at(-1)!,
      /^no: the CA does not get its answer now/,
    );
    const wrong = await acmeLb([...args, "--format", "xml"]);
    assert.equal(wrong.code, 64);
  });
});

Deno.test("self-test --help documents every key of its JSON", async () => {
  const { stdout } = await acmeLb(["self-test", "--help"]);
  await inTemporaryFolder(async (webroot) => {
    const { report, path } = await challengePath([
      ...["--webroot", webroot, "--peer", NOBODY, "--challenge-listen", NOBODY],
    ]);
    const findings = [...path.findings, ...report.findings];
    assert.ok(findings.some((finding) => "about" in finding));
    const keys = [report, report.verdict, path, ...findings].flatMap((part) => Object.keys(part));
    for (const key of new Set(keys)) assert.match(stdout, new RegExp(`\\b${key}\\b`), key);
  });
});

Deno.test("self-test refuses unknown arguments in one line", async () => {
  const table: [string[], number, RegExp][] = [
    [
      ["--lifetime", "soon"],
      64,
      /--lifetime <duration>' argument 'soon' is invalid: expected a dur/,
    ],
    [["--lifetime", "5m"], 64, /is invalid: expected a duration of 1h or more/],
    [["--fromat"], 64, /unknown option '--fromat' \(Did you mean --format\?\)/],
    [["service.example"], 64, /too many arguments/],
    [["--resolver", "dns.example"], 64, /--resolver <address>' argument 'dns\.example' is invalid/],
    [["--config", "/nonexistent.yaml"], 78, /\/nonexistent\.yaml: no such file/],
    [
      ["--webroot", "/proc/nothing"],
      1,
      /^acme-lb: cannot make \/proc\/nothing: .*; it takes root, or/,
    ],
  ];
  for (const [args, code, pattern] of table) {
    const result = await acmeLb(["self-test", ...args]);
    assert.deepEqual([result.code, result.stdout], [code, ""], args.join(" "));
    assert.match(result.stderr, pattern);
    assert.equal(result.stderr.trimEnd().split("\n").length, 1, result.stderr);
  }
});
