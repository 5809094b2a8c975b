import assert from "node:assert/strict";
import { DAY, issue, issueChain, makeKey, NOW } from "../cert/issue.ts";
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

Deno.test("check-expiry checks the served certificate, and that it covers the requested name", async () => {
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

Deno.test("check-expiry checks the dates of served certificates that are expired, future or unusual", async () => {
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

Deno.test("check-expiry waits for hung endpoints no longer than its timeout in all", async () => {
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

Deno.test("check-expiry has a record for each kind of key that an endpoint has, and one for each name", async () => {
  const ec = await issue({ names: ["a.example", "b.example"] });
  const rsa = await issue({
    ...{ names: ["a.example"], key: await makeKey("RSA") },
    notBefore: new Date(NOW.getTime() - 90 * DAY),
    notAfter: new Date(NOW.getTime() - DAY),
  });
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/rsa.pem`, rsa.pem);
  await Deno.writeTextFile(`${directory}/rsa.key`, rsa.key.pem);
  const pair = ["-dcert", `${directory}/rsa.pem`, "-dkey", `${directory}/rsa.key`];
  await using server = await startTlsServer(served(ec), pair);
  const at = `127.0.0.1:${server.port}`;
  const { code, summaries, report } = await check("", [
    ...["--connect", at, "--servername", "a.example", "--servername", "b.example"],
  ]);
  assert.equal(code, 2);
  assert.deepEqual(summaries, {
    [`${at} (a.example)`]: "OK",
    [`${at} (a.example, RSA)`]: "CRITICAL expired",
    [`${at} (b.example)`]: "OK",
    [`${at} (b.example, RSA)`]: "CRITICAL expired, name_missing",
  });
  assert.deepEqual(new Set(report.records.map(({ target }) => target)), new Set([at]));
  const names = report.records.map(({ servername }) => servername);
  assert.deepEqual(new Set(names), new Set(["a.example", "b.example"]));
  await Deno.remove(directory, { recursive: true });
});

Deno.test("check-expiry finds an old process beside a new one, in either order of answers", async () => {
  const dates = (from: number, to: number) => ({
    notBefore: new Date(NOW.getTime() + from * DAY),
    notAfter: new Date(NOW.getTime() + to * DAY),
  });
  const old = await issue(dates(-91, -1));
  const young = await issue();
  await using one = await startTlsServer(served(old));
  await using other = await startTlsServer(served(young));
  const ports = [one.port, other.port];
  let turn = 0;
  await using balancer = listenAt(["127.0.0.1"], async (near) => {
    using far = await Deno.connect({ hostname: "127.0.0.1", port: ports[turn++ % 2]! });
    await Promise.race([near.readable.pipeTo(far.writable), far.readable.pipeTo(near.writable)]);
    near.close();
  });
  for (let first = 0; first < 2; first++) {
    const { code, report } = await check("", ["--connect", `127.0.0.1:${balancer.port}`]);
    const [{ findings, certificate }] = report.records as [(typeof report.records)[0]];
    assert.deepEqual(findings.map(({ reason }) => reason), ["expired", "answers_differ"]);
    assert.equal(certificate!.serial, old.certificate.serial);
    assert.match(findings[1]!.text, /^8 handshakes were not answered alike \(\d with serial /);
    assert.equal(code, 2);
    turn++;
  }
});

Deno.test("check-expiry asks only one family with -4 or -6, and labels endpoints as typed", async () => {
  const { leaf, lower } = await issueChain({ names: ["localhost"] });
  await using server = await startTlsServer(served(leaf, lower));
  const typed = `LOCALHOST:${server.port}`;
  const { summaries, report } = await check("", ["--connect", typed, "-4"]);
  assert.deepEqual(summaries, { [`127.0.0.1:${server.port} (localhost)`]: "OK" });
  assert.equal(report.records[0]!.target, typed);
  const [above] = report.records[0]!.chain;
  assert.deepEqual([above!.title, above!.serial], ["CN=Lower", lower.certificate.serial]);
  const none = await check("", ["--connect", `127.0.0.1:${server.port}`, "-6"]);
  assert.deepEqual(Object.values(none.summaries), ["CRITICAL unreachable"]);
  const zone = await check("", ["--connect", `[fe80::1%lo]:${server.port}`, "--timeout", "2s"]);
  assert.match(Object.keys(zone.summaries)[0]!, /^\[fe80::1%lo\]:\d+$/);
  assert.equal(zone.code, 2);
});
