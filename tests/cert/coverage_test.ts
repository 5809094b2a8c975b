import assert from "node:assert/strict";
import fc from "fast-check";
import { covers, parseSubjectName } from "../../lib/cert/coverage.ts";
import { issue } from "./issue.ts";
import { runPiped } from "../piped.ts";

Deno.test("parseSubjectName accepts names and addresses in one spelling, and refuses the rest", () => {
  const good: Record<string, string> = {
    "Service.Example": "service.example",
    "service.example.": "service.example",
    "*.service.example": "*.service.example",
    "localhost": "localhost",
    "_x.service.example": "_x.service.example",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "192.0.2.1": "192.0.2.1",
    "2001:DB8:0::F001": "2001:db8::f001",
    "[2001:db8::1]": "2001:db8::1",
  };
  for (const [text, name] of Object.entries(good)) assert.equal(parseSubjectName(text), name);
  const bad = [
    ...["", " ", "a b", "a..b", "-a.example", "a-.example", "a.*.example", "*", "*.", "a/b"],
    ...[
      "999.0.2.1",
      "1.2.3",
      "fe80::1%eth0",
      "a.example\n",
      "bücher.example",
      "a,b",
      "a.example:443",
    ],
    ...["a".repeat(64), "a.".repeat(128)],
  ];
  for (const text of bad) {
    assert.throws(() => parseSubjectName(text), SyntaxError, JSON.stringify(text));
  }
  assert.throws(() => parseSubjectName("bücher.example"), /xn--/);
});

const COVERAGE: [names: string[], name: string, covered: boolean][] = [
  [["a.example"], "a.example", true],
  [["A.Example"], "a.example", true],
  [["a.example"], "b.a.example", false],
  [["a.example"], "example", false],
  [["*.example.org"], "a.example.org", true],
  [["*.example.org"], "example.org", false],
  [["*.example.org"], "b.a.example.org", false],
  [["*.example.org"], "*.example.org", true],
  [["a.example.org"], "*.example.org", false],
  [["*.a.example.org"], "*.example.org", false],
  [["a*.example.org"], "ab.example.org", false],
  [["a.*.org"], "a.example.org", false],
  [["*"], "example", false],
  [["192.0.2.1"], "192.0.2.1", true],
  [["192.0.2.1"], "192.0.2.10", false],
  [["2001:db8::1"], "2001:db8::1", true],
  [["*.0.2.1"], "192.0.2.1", false],
  [["b.example", "a.example"], "a.example", true],
  [[], "service.example", false],
];

Deno.test("covers agrees with openssl's check of names, wildcards and addresses", async () => {
  for (const [names, name, covered] of COVERAGE) {
    const { certificate, pem } = await issue({ names, commonName: "service.example" });
    assert.equal(covers(certificate.names, name), covered, `${names} ${name}`);
    const option = /^[\d.]+$|:/.test(name) ? "-checkip" : "-checkhost";
    // From 3.5 on it ends with 1 for a name that does not match.
    const { stdout: answer } = await runPiped("openssl", ["x509", "-noout", option, name], pem);
    assert.match(answer, /does (?:NOT )?match/);
    const agrees = answer.includes("does match") === covered;
    // OpenSSL falls back to the common name, has partial wildcards and takes one for a name.
    const differs = names.length === 0 || names[0]!.startsWith("a*") || name.startsWith("*");
    assert.ok(agrees || differs, `${names} ${name}: ${answer}`);
  }
});

Deno.test("covers lets a wildcard stand for exactly one label, whatever the labels", () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
  fc.assert(fc.property(fc.array(label, { minLength: 1, maxLength: 4 }), label, (labels, base) => {
    const name = [...labels, base, "example"].join(".");
    const names = [{ kind: "DNS" as const, value: `*.${base}.example` }];
    assert.equal(covers(names, name), labels.length === 1);
  }));
});
