import assert from "node:assert/strict";
import { DAY, issue, issueChain, NOW } from "../cert/issue.ts";
import { openssl, opensslKey } from "../cert/openssl.ts";
import { listenAt, served, startTlsServer } from "../http/tls_server.ts";
import { check } from "./expiry_report.ts";

/** What check-expiry says of one endpoint, without its address. */
async function summaryAt(port: number, ...args: string[]): Promise<string> {
  const { summaries } = await check("", ["--connect", `127.0.0.1:${port}`, ...args]);
  const [summary, ...more] = Object.values(summaries);
  assert.deepEqual(more, []);
  return summary!;
}

Deno.test("check-expiry judges what an endpoint sends, and wants the name covered that it asks for", async () => {
  const { leaf, lower, upper } = await issueChain({ names: ["a.example"] });
  await using server = await startTlsServer(served(leaf, lower, upper));
  assert.equal(await summaryAt(server.port), "OK");
  assert.equal(await summaryAt(server.port, "--servername", "a.example"), "OK");
  assert.equal(await summaryAt(server.port, "--servername", "b.example"), "CRITICAL name_missing");
  assert.equal(await summaryAt(server.port, "--name", "b.example"), "CRITICAL name_missing");
  const both = ["--servername", "b.example", "--name", "b.example"];
  assert.equal(await summaryAt(server.port, ...both), "CRITICAL name_missing");
  // A name in --connect is asked for as well.
  const { summaries } = await check("", ["--connect", `localhost:${server.port}`]);
  assert.equal(summaries[`127.0.0.1:${server.port} (localhost)`], "CRITICAL name_missing");
  await using broken = await startTlsServer(served(leaf, upper));
  assert.equal(await summaryAt(broken.port), "CRITICAL chain_broken");
});

Deno.test("check-expiry judges the dates of expired, future and unusual certificates that are served", async () => {
  const at = (from: number, to: number) =>
    issue({
      notBefore: new Date(NOW.getTime() + from * DAY),
      notAfter: new Date(NOW.getTime() + to * DAY),
    });
  const table = [
    [await at(-90, -1), "CRITICAL expired"],
    [await at(1, 90), "CRITICAL not_yet_valid"],
    [await at(-80, 10), "CRITICAL expires_soon"],
    [await at(-70, 20), "WARNING expires_soon"],
  ] as const;
  for (const [issued, summary] of table) {
    await using server = await startTlsServer(served(issued));
    assert.equal(await summaryAt(server.port), summary);
  }
  const key = await opensslKey("EC", "ec_paramgen_curve:P-521");
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, key);
  const pem = await openssl(["req", "-x509", "-key", file, "-subj", "/CN=a", "-days", "90"]);
  await Deno.remove(file);
  await using server = await startTlsServer({ key, pem });
  assert.equal(await summaryAt(server.port), "OK");
});

Deno.test("check-expiry waits for no hung endpoint longer than for all of them", async () => {
  const { leaf, lower } = await issueChain({ names: ["a.example"] });
  await using server = await startTlsServer(served(leaf, lower));
  await using silent = listenAt(["127.0.0.1", "::1"], async (connection) => {
    while (await connection.read(new Uint8Array(1024)) !== null);
  });
  const args = [`127.0.0.1:${server.port}`, `127.0.0.1:${silent.port}`, `[::1]:${silent.port}`];
  // Named twice, looked at once.
  const connect = [...args, ...args].flatMap((endpoint) => ["--connect", endpoint]);
  const { code, report, summaries } = await check("", connect);
  assert.equal(code, 2);
  assert.equal(summaries[args[0]!], "OK");
  assert.equal(summaries[args[1]!], "CRITICAL timeout");
  assert.equal(summaries[args[2]!], "CRITICAL timeout");
  assert.equal(report.records.length, 3);
});
