import assert from "node:assert/strict";
import { compareWithDisk, type Served } from "../../lib/expiry/compare_served.ts";
import type { ExpiryRecord, LeafFacts } from "../../lib/expiry/record.ts";
import { findLeftBehind } from "../../lib/expiry/stale_addresses.ts";
import { loadedRecord } from "../../lib/expiry/loaded_record.ts";
import { makeRecord } from "../../lib/expiry/certificate_record.ts";
import { DAY, NOW } from "./issue.ts";
import { summaryOf } from "./judge.ts";

interface Shape extends Partial<LeafFacts> {
  /** Days since it was issued. */
  age?: number;
  /** In days. */
  lifetime?: number;
}

/** The facts of a certificate; equal serials are the same certificate. */
function leaf(serial: string, { age = 0, lifetime = 90, ...facts }: Shape = {}): LeafFacts {
  const notBefore = new Date(NOW.getTime() - age * DAY);
  return {
    title: "a.example",
    serial,
    fingerprint: `FINGERPRINT ${serial}`,
    issuer: "CN=CA",
    names: ["a.example"],
    key: "P-256",
    notBefore,
    notAfter: new Date(notBefore.getTime() + lifetime * DAY),
    placeholder: false,
    ...facts,
  };
}

function file(place: string, facts?: LeafFacts): ExpiryRecord {
  return makeRecord({ source: "file", place }, [], facts && { leaf: facts });
}

function served(place: string, facts?: LeafFacts, name?: string): Served {
  const record = makeRecord({ source: "endpoint", place }, [], facts && { leaf: facts });
  return { record, name, address: place };
}

function against(endpoint: Served, ...files: ExpiryRecord[]): ExpiryRecord {
  return compareWithDisk([endpoint], files)[0]!.record;
}

Deno.test("compareWithDisk is CRITICAL with both serials when the file is newer than what is served", () => {
  const record = against(served("x", leaf("01", { age: 60 })), file("/a.pem", leaf("02")));
  assert.equal(summaryOf(record), "CRITICAL not_served");
  assert.equal(
    record.findings[0]!.text,
    "serves serial 01, but /a.pem holds the newer serial 02: reload the server, or swap the file in",
  );
});

Deno.test("compareWithDisk takes the newest file for the name, of the same kind of key when there is one", () => {
  const old = leaf("01", { age: 60 });
  const other = { names: ["b.example"] };
  const rsa = { key: "RSA 2048" };
  const table: Record<string, [endpoint: Served, files: ExpiryRecord[], summary: string]> = {
    "the same": [served("x", old), [file("/a", old)], "OK"],
    "older on disk": [served("x", leaf("02")), [file("/a", old)], "OK"],
    "the same among older": [
      served("x", leaf("02")),
      [file("/a", old), file("/b", leaf("02"))],
      "OK",
    ],
    "an old copy served": [
      served("x", old),
      [file("/a", old), file("/b", leaf("02"))],
      "CRITICAL not_served",
    ],
    "issued in the same second": [
      served("x", old),
      [file("/a", leaf("02", { age: 60 }))],
      "CRITICAL not_served",
    ],
    "both issued in the same second": [
      served("x", old),
      [file("/a", leaf("02", { age: 60 })), file("/b", old)],
      "OK",
    ],
    "for another name": [served("x", old), [file("/b", leaf("02", other))], "OK"],
    "asked for that name": [
      served("x", old, "b.example"),
      [file("/b", leaf("02", other))],
      "CRITICAL not_served",
    ],
    "below a wildcard": [
      served("x", leaf("01", { age: 60, names: ["w.a.example"] })),
      [file("/w", leaf("02", { names: ["*.a.example"] }))],
      "CRITICAL not_served",
    ],
    "an RSA twin": [
      served("x", old),
      [file("/a.rsa", leaf("03", rsa)), file("/a.ecdsa", old)],
      "OK",
    ],
    "another curve": [
      served("x", old),
      [file("/a", leaf("02", { key: "P-384" }))],
      "CRITICAL not_served",
    ],
    "renewed with another kind": [
      served("x", old),
      [file("/a", leaf("02", rsa))],
      "CRITICAL not_served",
    ],
    "a placeholder on disk": [
      served("x", old),
      [file("/p", leaf("02", { placeholder: true }))],
      "OK",
    ],
    "a placeholder served": [
      served("x", leaf("01", { age: 1, placeholder: true })),
      [file("/a", leaf("02"))],
      "CRITICAL not_served",
    ],
    "a file without certificate": [served("x", old), [file("/a")], "OK"],
    "no answer": [served("x"), [file("/a", old)], "OK"],
  };
  for (const [what, [endpoint, files, summary]] of Object.entries(table)) {
    assert.equal(summaryOf(against(endpoint, ...files)), summary, what);
  }
});

/** The summaries of addresses that serve these. */
function among(...all: Served[]): string[] {
  return findLeftBehind(all, NOW).map(({ record }) => summaryOf(record));
}

Deno.test("findLeftBehind blames the address that serves an older certificate than most", () => {
  const [old, renewed] = [leaf("01", { age: 40 }), leaf("02")];
  const records = findLeftBehind(
    [served("x", renewed), served("y", old), served("z", renewed)],
    NOW,
  ).map(({ record }) => record);
  assert.deepEqual(records.map(summaryOf), ["OK", "WARNING left_behind", "OK"]);
  assert.equal(
    records[1]!.findings[0]!.text,
    "serves serial 01, while 2 of 3 addresses serve the newer serial 02: it was left behind",
  );
  // The first one to renew a shared certificate is no fault of the others, for a while.
  assert.deepEqual(among(served("x", renewed), served("y", old), served("z", old)), [
    "OK",
    "OK",
    "OK",
  ]);
});

Deno.test("findLeftBehind blames an overdue certificate when another balancer has renewed its own", () => {
  const ages = (...days: number[]) =>
    among(...days.map((age, i) => served(`${i}`, leaf(`0${i}`, { age }))));
  const blamed = "WARNING left_behind";
  assert.deepEqual(ages(5, 30, 59), ["OK", "OK", "OK"]);
  assert.deepEqual(ages(5, 30, 63), ["OK", "OK", blamed]);
  assert.deepEqual(ages(70, 65), ["OK", "OK"], "all are late: their age says so");
  assert.deepEqual(ages(5), ["OK"]);
  const short = (age: number) => served(`${age}`, leaf(`${age}`, { age, lifetime: 6 }));
  assert.deepEqual(among(short(1), short(2.9)), ["OK", "OK"]);
  assert.deepEqual(among(short(1), short(3.3)), ["OK", blamed]);
});

Deno.test("findLeftBehind compares what belongs together alone", () => {
  const [old, renewed] = [leaf("01", { age: 80 }), leaf("02")];
  const other = leaf("01", { age: 80, names: ["b.example"] });
  assert.deepEqual(among(served("x", renewed), served("y", other)), ["OK", "OK"]);
  const asked = [served("x", renewed, "a.example"), served("y", other, "a.example")];
  assert.deepEqual(among(...asked), ["OK", "WARNING left_behind"]);
  assert.deepEqual(among(served("x", renewed), served("y"), served("z", old)), [
    "OK",
    "OK",
    "WARNING left_behind",
  ]);
});

Deno.test("loadedRecord is as the file when it is the same, CRITICAL when not, UNKNOWN without a file", () => {
  const place = "/a.pem at /run/haproxy.sock";
  const expired = makeRecord({ source: "file", place: "/a.pem" }, [
    { state: "CRITICAL", reason: "expired", text: "expired" },
    { state: "CRITICAL", reason: "key_mismatch", text: "of the file alone" },
  ], { leaf: leaf("02"), warningFrom: NOW, criticalFrom: NOW });
  const good = file("/a.pem", leaf("02"));
  const judge = (record: ExpiryRecord | undefined, same: boolean) =>
    loadedRecord({ place, serial: "01", file: record, same });
  assert.equal(summaryOf(judge(good, true)), "OK");
  assert.equal(judge(good, true).leaf, good.leaf);
  assert.equal(summaryOf(judge(expired, true)), "CRITICAL expired");
  const stale = judge(good, false);
  assert.equal(summaryOf(stale), "CRITICAL not_served");
  assert.match(stale.findings[0]!.text, /holds serial 01, but \/a\.pem holds serial 02: reload/);
  assert.equal(summaryOf(judge(file("/a.pem"), false)), "UNKNOWN unsupported");
  assert.equal(summaryOf(judge(undefined, false)), "UNKNOWN unsupported");
});
