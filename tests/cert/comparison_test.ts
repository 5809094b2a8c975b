import assert from "node:assert/strict";
import { compareWithDisk, type Served } from "../../lib/expiry/compare_served.ts";
import type { ExpiryRecord, LeafFacts } from "../../lib/expiry/record.ts";
import { findLeftBehind } from "../../lib/expiry/stale_addresses.ts";
import { compareMemories, loadedPaths } from "../../lib/expiry/check_loaded.ts";
import type { LoadedCertificate } from "../../lib/haproxy/loaded_certificates.ts";
import { loadedRecord } from "../../lib/expiry/loaded_record.ts";
import { makeRecord } from "../../lib/expiry/certificate_record.ts";
import { DAY, NOW } from "./issue.ts";
import { rulesAt, summaryOf } from "./judge.ts";

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
    authority: "CN=CA",
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

Deno.test("compareWithDisk expects the very name before a wildcard, however new that is", () => {
  const wild = (serial: string, age: number, key = "P-256") =>
    file(`/wild${serial}`, leaf(serial, { age, names: ["*.example", "example"], key }));
  const exact = (serial: string, age: number, key = "P-256") =>
    file(`/a${serial}`, leaf(serial, { age, key }));
  const serves = (serial: string, age: number, more: Shape = {}, name?: string) =>
    served("x", leaf(serial, { age, ...more }), name);
  const other = { names: ["*.example", "example"] };
  const table: [what: string, endpoint: Served, files: ExpiryRecord[], summary: string][] = [
    [
      "asked for the name",
      serves("01", 20, {}, "a.example"),
      [exact("01", 20), wild("02", 1)],
      "OK",
    ],
    ["asked for none", serves("01", 20), [exact("01", 20), wild("02", 1)], "OK"],
    ["in capitals", serves("01", 20, {}, "A.EXAMPLE"), [exact("01", 20), wild("02", 1)], "OK"],
    ["the wildcard's other name", serves("02", 1, other, "b.example"), [
      exact("01", 20),
      wild("02", 1),
    ], "OK"],
    [
      "the wildcard's own name",
      serves("02", 9, other, "example"),
      [wild("02", 9), wild("03", 1)],
      "CRITICAL not_served",
    ],
    ["a newer exact one", serves("01", 20, {}, "a.example"), [
      exact("01", 20),
      exact("03", 2),
      wild("02", 1),
    ], "CRITICAL not_served"],
    ["the wildcard in its place", serves("02", 9, other, "a.example"), [
      exact("01", 1),
      wild("02", 9),
    ], "CRITICAL not_served"],
    ["an older exact one unused", serves("02", 1, other, "a.example"), [
      exact("01", 20),
      wild("02", 1),
    ], "OK"],
    [
      "no exact file",
      serves("02", 9, other, "a.example"),
      [wild("02", 9), wild("03", 1)],
      "CRITICAL not_served",
    ],
    ["an RSA wildcard", serves("01", 20, {}, "a.example"), [
      exact("01", 20),
      wild("02", 1, "RSA 2048"),
    ], "OK"],
  ];
  for (const [what, endpoint, files, summary] of table) {
    assert.equal(summaryOf(against(endpoint, ...files)), summary, what);
  }
});

Deno.test("compareWithDisk compares each of two certificates of an address with files of its kind", () => {
  const files = [
    file("/a.ecdsa", leaf("11", { age: 1 })),
    file("/a.rsa", leaf("12", { age: 2, key: "RSA 2048" })),
    file("/wild.ecdsa", leaf("13", { age: 5, names: ["*.example"] })),
  ];
  const pair = (ec: LeafFacts, rsa: LeafFacts) =>
    compareWithDisk([
      served("x", ec, "a.example"),
      { ...served("x (RSA)", rsa, "a.example"), address: "x", second: true },
    ], files).map(({ record }) => summaryOf(record));
  const rsa = (serial: string, age: number) => leaf(serial, { age, key: "RSA 2048" });
  const table: [served: [LeafFacts, LeafFacts], summaries: string[]][] = [
    [[leaf("11", { age: 1 }), rsa("12", 2)], ["OK", "OK"]],
    [[leaf("01", { age: 60 }), rsa("12", 2)], ["CRITICAL not_served", "OK"]],
    [[leaf("11", { age: 1 }), rsa("02", 60)], ["OK", "CRITICAL not_served"]],
    [[leaf("01", { age: 60 }), rsa("02", 60)], ["CRITICAL not_served", "CRITICAL not_served"]],
    [[leaf("21", { age: 0 }), rsa("22", 0)], ["OK", "OK"]],
  ];
  for (const [both, summaries] of table) assert.deepEqual(pair(...both), summaries);
});

/** The summaries of addresses that serve these. */
function among(...all: Served[]): string[] {
  return findLeftBehind(all, NOW).map(({ record }) => summaryOf(record));
}

Deno.test("findLeftBehind blames no address for being older than most, as after a failover", () => {
  const [old, renewed] = [leaf("01", { age: 50 }), leaf("02")];
  // One balancer holds two addresses and serves its own certificate on both.
  const [x, y, z] = [served("x", renewed), served("y", old), served("z", renewed)];
  assert.deepEqual(among(x, y, z), ["OK", "OK", "OK"]);
  assert.deepEqual(among(x, y, served("z", old)), ["OK", "OK", "OK"]);
});

Deno.test("findLeftBehind names the address that has renewed, and since when renewal is due", () => {
  const all = [served("x", leaf("02")), served("y", leaf("01", { age: 70 }))];
  const [, blamed] = findLeftBehind(all, NOW);
  assert.match(
    blamed!.record.findings[0]!.text,
    /^serves serial 01, due for renewal since \S+Z, while x serves the newer serial 02: it was left behind$/,
  );
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

/** What HAProxy tells of a certificate that was issued so many days ago. */
function loaded(age: number | undefined, more: Partial<LoadedCertificate> = {}): LoadedCertificate {
  const name = "/a.pem";
  if (age === undefined) return { name, serial: "01", names: [] };
  const { notBefore, notAfter } = leaf("01", { age });
  return {
    name,
    serial: "01",
    names: ["a.example"],
    notBefore,
    notAfter,
    authority: "CN=CA",
    ...more,
  };
}

Deno.test("loadedRecord is as the file when it is the same, and tells of itself what HAProxy tells", () => {
  const place = "/a.pem at /run/haproxy.sock";
  const expired = makeRecord({ source: "file", place: "/a.pem" }, [
    { state: "CRITICAL", reason: "expired", text: "expired" },
    { state: "CRITICAL", reason: "key_mismatch", text: "of the file alone" },
  ], { leaf: leaf("02"), warningFrom: NOW, criticalFrom: NOW });
  const good = file("/a.pem", leaf("02"));
  const rules = rulesAt(NOW);
  const summary = (
    memory: LoadedCertificate,
    record?: ExpiryRecord,
    same = false,
    names = rules.names,
  ) => summaryOf(loadedRecord({ place, loaded: memory, file: record, same }, { ...rules, names }));
  const young = leaf("02", { age: 1 });
  const backdated = leaf("02", { age: 7, lifetime: 398, authority: "CN=Other" });
  const table: [what: string, found: string, summary: string][] = [
    ["the file's", summary(loaded(0), good, true), "OK"],
    ["the file's, expired", summary(loaded(0), expired, true), "CRITICAL expired"],
    ["older than the file", summary(loaded(5), file("/a.pem", young)), "CRITICAL not_served"],
    ["without dates", summary(loaded(undefined), good), "CRITICAL not_served"],
    ["of the same second", summary(loaded(1), file("/a.pem", young)), "CRITICAL not_served"],
    [
      "newer than the file",
      summary(loaded(1), file("/a.pem", leaf("02", { age: 60 }))),
      "WARNING memory_only",
    ],
    [
      "newer than an expired file",
      summary(loaded(1), file("/a.pem", leaf("02", { age: 99 }))),
      "WARNING memory_only",
    ],
    [
      "older than a placeholder, as by a CA that dates back",
      summary(loaded(1), file("/a.pem", { ...leaf("02", { age: 0 }), placeholder: true })),
      "WARNING memory_only",
    ],
    [
      "a placeholder, older than another",
      summary(
        loaded(1, { organisation: "acme-lb placeholder" }),
        file("/a.pem", { ...leaf("02", { age: 0 }), placeholder: true }),
      ),
      "CRITICAL not_served, placeholder",
    ],
    [
      "older than a file of a CA that backdates",
      summary(loaded(5), file("/a.pem", backdated)),
      "CRITICAL not_served",
    ],
    [
      "in memory, expired",
      summary(loaded(99), file("/a.pem", young)),
      "CRITICAL not_served, expired",
    ],
    ["in memory, soon", summary(loaded(70), undefined), "WARNING expires_soon"],
    ["without a file", summary(loaded(1), undefined), "OK"],
    ["without a file or dates", summary(loaded(undefined), undefined), "UNKNOWN unsupported"],
    ["of a file that cannot be read", summary(loaded(1), file("/a.pem")), "UNKNOWN unsupported"],
    [
      "of a file whose name HAProxy cannot be asked for",
      summary({ name: "/a b.pem", names: [], unasked: "it holds a blank" }, good),
      "UNKNOWN unsupported",
    ],
    [
      "for another name",
      summary(loaded(1), undefined, false, ["b.example"]),
      "CRITICAL name_missing",
    ],
    [
      "a placeholder",
      summary(loaded(1, { organisation: "acme-lb placeholder" }), undefined),
      "WARNING placeholder",
    ],
  ];
  for (const [what, found, expected] of table) assert.equal(found, expected, what);
  assert.equal(
    loadedRecord({ place, loaded: loaded(0), file: good, same: true }, rules).leaf,
    good.leaf,
  );
  const stale = loadedRecord(
    { place, loaded: loaded(5), file: file("/a.pem", young), same: false },
    rules,
  );
  assert.match(stale.findings[0]!.text, /holds serial 01, but \/a\.pem holds serial 02: reload/);
  const only = loadedRecord(
    { place, loaded: loaded(1), file: file("/a.pem", leaf("02", { age: 60 })), same: false },
    rules,
  );
  assert.match(only.findings[0]!.text, /in memory only, .* older serial 02.*--from-haproxy/);
  assert.doesNotMatch(only.findings[0]!.text, /reload/);
});

Deno.test("compareMemories finds the file of an alias by what HAProxy tells of it, or by the certificate itself", () => {
  const rules = rulesAt(NOW);
  const good = file("/certs/a.pem", leaf("02"));
  const sha1 = new Map([["/certs/a.pem", "AA"]]);
  const same = { serial: "02", fingerprintSha1: "AA" };
  const table: [what: string, memory: LoadedCertificate, summary: string, noted: boolean][] = [
    ["its path", loaded(0, { ...same, name: "/certs/a.pem" }), "OK", false],
    ["another spelling", loaded(0, { ...same, name: "/certs//./a.pem" }), "OK", false],
    [
      "an alias with its file",
      loaded(0, { ...same, name: "@s/a", crtFile: "/certs/a.pem" }),
      "OK",
      false,
    ],
    ["an alias without", loaded(0, { ...same, name: "@s/a" }), "OK", false],
    ["a relative path", loaded(0, { ...same, name: "certs/a.pem" }), "OK", false],
    [
      "an alias of a file that was renewed",
      loaded(5, { name: "@s/a", crtFile: "/certs/a.pem", fingerprintSha1: "BB" }),
      "CRITICAL not_served",
      false,
    ],
    [
      "an alias below a crt-base, which HAProxy does not tell",
      loaded(5, { name: "@s/a", crtFile: "a.pem", fingerprintSha1: "BB" }),
      "CRITICAL not_served",
      false,
    ],
    [
      "an alias of nobody knows what",
      loaded(5, { name: "@s/b", fingerprintSha1: "BB" }),
      "OK",
      true,
    ],
  ];
  for (const [what, one, summary, noted] of table) {
    const memory = { ok: true as const, socket: "/s", loaded: [one] };
    const { records, notes } = compareMemories([memory], { files: [good], sha1, rules });
    assert.equal(summaryOf(records[0]!), summary, what);
    assert.equal(notes.length === 1, noted, what);
  }
  const paths = loadedPaths([
    { ok: true, socket: "/s", loaded: table.map(([, one]) => one) },
    { ok: false, socket: "/t", text: "nobody answers" },
  ]);
  assert.deepEqual(
    new Set(paths.map((path) => path.replace("//./", "/"))),
    new Set(["/certs/a.pem"]),
  );
});
