/** Files of CA certificates: trust stores, chains, lone roots; and what only looks like one. */

import assert from "node:assert/strict";
import { DAY, issue, type Issued, type IssueOptions, NOW } from "../cert/issue.ts";
import { judge, summaryOf } from "../cert/judge.ts";

const inDays = (days: number) => new Date(NOW.getTime() + days * DAY);
const decade = (left: number) => ({ notBefore: inDays(left - 3650), notAfter: inDays(left) });
const root = (left: number, options: IssueOptions = {}) =>
  issue({ names: [], commonName: `Root ${left}`, ca: true, ...decade(left), ...options });
const pemOf = (...issued: Issued[]) => issued.map(({ pem }) => pem).join("");

Deno.test("a file of CA certificates is as good as the first of them to expire, whatever their order and version", async () => {
  const good = await root(2000);
  const old = await root(400, { v1: true });
  const gone = await root(-5);
  const goneOld = await root(-6, { v1: true });
  const soon = await root(5);
  const later = await root(20);
  const lower = await root(500, { commonName: "Lower", issuer: good });
  const table: [what: string, file: Issued[], summary: string][] = [
    ["two roots", [good, old], "OK"],
    ["version 1 first", [old, good], "OK"],
    ["an expired root behind version 1", [old, gone], "CRITICAL expired"],
    ["an expired root in front", [gone, old, good], "CRITICAL expired"],
    ["an expired one of version 1", [good, goneOld], "CRITICAL expired"],
    ["one that ends soon", [good, old, soon], "CRITICAL expires_soon"],
    ["one that ends within weeks", [later, good], "WARNING expires_soon"],
    ["a chain alone", [lower], "OK"],
    ["a chain with its root", [lower, good], "OK"],
    ["a lone root of ten years with 400 days left", [await root(400)], "OK"],
    ["a lone root of version 1", [old], "OK"],
    ["a lone root that ends soon", [soon], "CRITICAL expires_soon"],
    ["an expired lone root", [gone], "CRITICAL expired"],
    ["forty of them", [...Array.from({ length: 39 }, () => good), gone], "CRITICAL expired"],
  ];
  for (const [what, file, summary] of table) {
    assert.deepEqual(summaryOf(await judge(pemOf(...file))), summary, what);
  }
});

Deno.test("a server's own certificate is judged as one, whatever it says of itself", async () => {
  const years = decade(400);
  const named = await issue({ ca: true, ...years });
  const unnamed = await root(400);
  const signer = await root(2000);
  const versionOne = await issue({ commonName: "a.example", v1: true, issuer: signer, ...years });
  const table: [what: string, file: string, summary: string][] = [
    ["self-signed, with names", named.pem, "CRITICAL expires_soon"],
    ["with its key", unnamed.key.pem + unnamed.pem, "CRITICAL expires_soon"],
    ["of version 1, by a CA", versionOne.pem, "CRITICAL expires_soon"],
    ["of version 1, with its CA", versionOne.pem + signer.pem, "CRITICAL expires_soon"],
    [
      "no CA's, without names",
      (await issue({ names: [], commonName: "x", ...years })).pem,
      "CRITICAL expires_soon",
    ],
  ];
  for (const [what, file, summary] of table) {
    assert.deepEqual(summaryOf(await judge(file)), summary, what);
  }
});

Deno.test("a name that is demanded is demanded of whatever the file holds", async () => {
  const names = ["svc.example"];
  const signer = await root(2000);
  const lower = await root(500, { commonName: "Lower", issuer: signer });
  const files: Record<string, string> = {
    "a chain": lower.pem,
    "a lone root": signer.pem,
    "a trust store": pemOf(signer, await root(900)),
    "version 1": (await root(900, { v1: true })).pem,
    "a chain before the leaf": pemOf(lower, await issue({ issuer: lower, names })),
    "another leaf": (await issue({ names: ["other.example"] })).pem,
    "the name as common name alone": (await issue({ names: [], commonName: names[0] })).pem,
  };
  for (const [what, file] of Object.entries(files)) {
    const { state, findings } = await judge(file, { names });
    assert.deepEqual(state, "CRITICAL", what);
    assert.match(findings.map(({ text }) => text).join(), /is not for svc\.example/, what);
  }
  assert.deepEqual((await judge((await issue({ names })).pem, { names })).state, "OK");
});
