import assert from "node:assert/strict";
import fc from "fast-check";
import { BOUNDS } from "../../lib/status/balancer_report.ts";
import { readReport } from "../../lib/status/read_report.ts";
import { before, NOW, sampleCertificate, sampleChallenge, sampleReport } from "./sample_fleet.ts";

const read = (value: unknown) => readReport(JSON.stringify(value), NOW.getTime());

Deno.test("readReport() returns the known members of a balancer's report", () => {
  const report = sampleReport("lb0");
  assert.deepEqual(read({ ...report, later: "<b>", __proto__: { version: "x" } }), report);
});

Deno.test("readReport() brings addresses to one spelling, so that they can be compared", () => {
  const holds = [{ address: "2001:DB8:0::1", since: null }];
  assert.deepEqual(read({ ...sampleReport("lb0"), holds }).holds[0]!.address, "2001:db8::1");
});

/** What is changed in a good report, and the member that the refusal names. */
const LIES: [string, Record<string, unknown>, RegExp][] = [
  ["another format", { format: 2 }, /^format: /],
  ["no instance", { instance: undefined }, /^instance: /],
  ["a name that is markup", { name: "<script>alert(1)</script>" }, /^name: /],
  ["a version that is markup", { version: "<img src=x>" }, /^version: /],
  ["a version of a megabyte", { version: "1".repeat(1e5) }, /^version: /],
  ["a clock in the year 9999", { now: "9999-12-31T23:59:59Z" }, /^now: /],
  ["a clock that shows the 30th of February", { now: "2026-02-30T00:00:00Z" }, /^now: /],
  ["a clock that is a number", { now: 1_795_608_000 }, /^now: /],
  ["an uptime below zero", { uptime_s: -1 }, /^uptime_s: /],
  ["an uptime of a fraction", { uptime_s: 1.5 }, /^uptime_s: /],
  ["an uptime that is no number", { uptime_s: "1e999" }, /^uptime_s: /],
  ["a digest that is no digest", { config: "../../etc/passwd" }, /^config: /],
  ["addresses as text", { holds: "2001:db8::1" }, /^holds: /],
  ["an address that is none", { holds: [{ address: "localhost", since: null }] }, /^holds\[0\]/],
  [
    "an address held from tomorrow",
    { holds: [{ address: "2001:db8::1", since: before(-86_400_000) }] },
    /^holds\[0\]\.since: is later/,
  ],
  [
    "more addresses than there can be",
    { holds: Array(256).fill({ address: "2001:db8::1", since: null }) },
    /^holds: /,
  ],
  ["a port with a blank", { ports: [{ role: "public", address: "[::]:80 x" }] }, /^ports\[0\]/],
  [
    "an outcome that is a sentence",
    { peers: [{ peer: "192.0.2.1:1", outcome: "all is well", at: before(1000) }] },
    /^peers\[0\]\.outcome: /,
  ],
  [
    "more challenges than are kept",
    { challenges: Array(BOUNDS.challenges + 1).fill(sampleChallenge()) },
    /^challenges: /,
  ],
  ["a whole token", { challenges: [sampleChallenge({ token: "x".repeat(43) })] }, /token: /],
  [
    "a challenge that is yet to come",
    { challenges: [sampleChallenge({ at: before(-3_600_000) })] },
    /^challenges\[0\]\.at: is later/,
  ],
  ["a challenger that is a name", { challenges: [sampleChallenge({ from: "evil" })] }, /from: /],
  [
    "a verdict of its own",
    { certificates: [{ ...sampleCertificate(), verdict: "FINE" }] },
    /^certificates\[0\]\.verdict: /,
  ],
  [
    "a certificate that ends before it begins",
    { certificates: [sampleCertificate({ not_after: before(86_400_000 * 30) })] },
    /^certificates\[0\]: it ends/,
  ],
  [
    "a certificate with one date",
    { certificates: [sampleCertificate({ not_after: null })] },
    /^certificates\[0\]: expected both/,
  ],
  [
    "a certificate of a thousand names",
    { certificates: [sampleCertificate({ names: Array(1000).fill("a.example") })] },
    /^certificates\[0\]\.names: /,
  ],
  ["a hook that is a list", { hook: [] }, /^hook: /],
  [
    "a hook that ran in the future",
    { hook: { ...sampleReport("lb0").hook, at: before(-10_000) } },
    /^hook\.at: is later/,
  ],
];

for (const [name, changes, reason] of LIES) {
  Deno.test(`readReport() refuses ${name}, and names the member alone`, () => {
    assert.throws(() => read({ ...sampleReport("lb0"), ...changes }), (error: unknown) => {
      assert.ok(error instanceof SyntaxError);
      assert.match(error.message, reason);
      assert.ok(error.message.length < 120 && !/[<>]/.test(error.message), error.message);
      return true;
    });
  });
}

Deno.test("readReport() refuses invalid JSON and values other than objects with its own message", () => {
  const bodies = ["", "null", "[]", "1", '"x"', "{", "[".repeat(60_000), "x".repeat(200_000)];
  for (const body of bodies) {
    assert.throws(() => readReport(body, NOW.getTime()), (error: unknown) => {
      assert.ok(error instanceof SyntaxError && error.message.length < 80, String(error));
      return true;
    });
  }
});

Deno.test("readReport() throws only its SyntaxError for any JSON", () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(...Object.keys(sampleReport("lb0"))), (json, key) => {
      try {
        read({ ...sampleReport("lb0"), [key]: JSON.parse(json) });
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
      }
    }),
  );
});
