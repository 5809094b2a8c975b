import assert from "node:assert/strict";
import { DAY, issue, issueChain, type Issued, makeKey, NOW } from "../cert/issue.ts";
import { openssl, opensslKey } from "../cert/openssl.ts";
import { listenAt, served, startTlsServer } from "../http/tls_server.ts";
import { check } from "./expiry_report.ts";

const inDays = (days: number) => new Date(NOW.getTime() + days * DAY);

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

Deno.test("check-expiry reports the certificate of each kind of key, whichever of them is wrong", async () => {
  const gone = { notBefore: inDays(-91), notAfter: inDays(-1) };
  const [ecKey, rsaKey] = [await makeKey(), await makeKey("RSA")];
  const [ec, ecOld] = [await issue({ key: ecKey }), await issue({ key: ecKey, ...gone })];
  const [rsa, rsaOld] = [await issue({ key: rsaKey }), await issue({ key: rsaKey, ...gone })];
  const other = await issue({ key: rsaKey, names: ["other.example"] });
  const table: [what: string, first: Issued, second: Issued | undefined, summaries: string[]][] = [
    ["both good", ec, rsa, ["OK", "OK"]],
    ["an expired one of EC", ecOld, rsa, ["CRITICAL expired", "OK"]],
    ["both expired", ecOld, rsaOld, ["CRITICAL expired", "CRITICAL expired"]],
    ["RSA for another name", ec, other, ["OK", "CRITICAL name_missing"]],
    ["RSA alone", rsa, undefined, ["OK"]],
    ["RSA alone, expired", rsaOld, undefined, ["CRITICAL expired"]],
  ];
  const directory = await Deno.makeTempDir();
  for (const [what, first, second, expected] of table) {
    const pair: string[] = [];
    if (second) {
      await Deno.writeTextFile(`${directory}/pem`, second.pem + second.key.pem);
      pair.push("-dcert", `${directory}/pem`, "-dkey", `${directory}/pem`);
    }
    await using server = await startTlsServer(served(first), pair);
    const at = `127.0.0.1:${server.port}`;
    const { summaries } = await check("", ["--connect", at, "--servername", "service.example"]);
    const places = [`${at} (service.example)`, `${at} (service.example, RSA)`];
    const told = Object.fromEntries(expected.map((summary, i) => [places[i], summary]));
    assert.deepEqual(summaries, told, what);
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("check-expiry finds processes that answer differently at one address, in any order of answers", async () => {
  const old = await issue({ notBefore: inDays(-91), notAfter: inDays(-1) });
  const due = await issue({ notBefore: inDays(-80), notAfter: inDays(10) });
  const [young, younger] = [await issue({ notBefore: inDays(-2) }), await issue()];
  const other = await issue({ names: ["other.example"] });
  const table: [what: string, processes: Issued[], reasons: string[], leaf: Issued][] = [
    ["an expired one", [old, young], ["expired", "answers_differ"], old],
    ["an expired one, second", [young, old], ["expired", "answers_differ"], old],
    ["two good ones", [younger, young], ["answers_differ"], young],
    ["one that is due", [young, due], ["expires_soon", "answers_differ"], due],
    ["three of them", [young, due, old], ["expired", "answers_differ"], old],
    ["one for another name", [young, other], ["name_missing", "answers_differ"], other],
    ["two with the same", [young, young], [], young],
  ];
  for (const [what, processes, reasons, leaf] of table) {
    await using servers = new AsyncDisposableStack();
    const ports: number[] = [];
    for (const one of processes) {
      ports.push(servers.use(await startTlsServer(served(one))).port);
    }
    let turn = 0;
    await using balancer = listenAt(["127.0.0.1"], async (near) => {
      const port = ports[turn++ % ports.length]!;
      using far = await Deno.connect({ hostname: "127.0.0.1", port });
      await Promise.race([near.readable.pipeTo(far.writable), far.readable.pipeTo(near.writable)]);
      near.close();
    });
    const at = ["--connect", `127.0.0.1:${balancer.port}`, "--servername", "service.example"];
    const { code, report } = await check("", at);
    const [{ findings, certificate }] = report.records as [(typeof report.records)[0]];
    assert.deepEqual(findings.map(({ reason }) => reason), reasons, what);
    assert.equal(certificate!.serial, leaf.certificate.serial, what);
    if (reasons.length === 0) continue;
    const { text } = findings.at(-1)!;
    assert.match(text, /^8 handshakes were not answered alike \(\d with serial /, what);
    assert.ok(code > 0, what);
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
