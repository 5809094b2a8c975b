import assert from "node:assert/strict";
import type { SelfTestReport } from "../../lib/self_test/findings.ts";
import { formatReport, formatReportAsJson } from "../../lib/self_test/format.ts";
import { UNSAFE } from "../unsafe_text.ts";

const HOSTILE = "\x1b[2J\nok    forged\u202e\u0085";

const REPORT: SelfTestReport = {
  ok: false,
  token: "acme-lb-self-test-x",
  paths: [
    {
      ...{ port: "challenge", address: "[2001:db8::f001]:31080", host: "service.example" },
      ...{ of: ["lb0", "this balancer"], outcome: "found", ms: 2, findings: [] },
    },
    {
      ...{ port: "challenge", address: "192.0.2.12:31080", host: "service.example" },
      ...{ of: [], outcome: "absent", ms: 3 },
      findings: [{ level: "note", rule: "configuration", text: "no acme-lb" }],
    },
    {
      ...{ port: "public", address: "192.0.2.13:80", host: "service.example" },
      ...{ of: ["lb2"], outcome: "found", ms: 4 },
      findings: [
        { level: "fail", rule: "location", text: `leads to ${HOSTILE}` },
        { level: "warn", rule: "slow", text: "it took 6 s" },
      ],
    },
  ],
  findings: [{ level: "note", rule: "weekly_limit", about: "Let's Encrypt", text: "few" }],
  verdict: {
    ...{ answer: "no", text: `no: ${HOSTILE}`, through: [], not_through: ["192.0.2.13"] },
    cause: null,
  },
};

Deno.test("formatReport() has exactly one line for each path or finding", () => {
  assert.deepEqual(formatReport(REPORT).split("\n"), [
    "ok    challenge [2001:db8::f001]:31080 (lb0, this balancer): found, 2 ms",
    "ok    challenge 192.0.2.12:31080: absent, as it should be, 3 ms",
    "note  challenge 192.0.2.12:31080: configuration: no acme-lb",
    "fail  public 192.0.2.13:80 (lb2): location: " +
    "leads to \\x1b[2J\\x0aok    forged\\u202e\\x85",
    "warn  public 192.0.2.13:80 (lb2): slow: it took 6 s",
    "note  Let's Encrypt: weekly_limit: few",
    "3 paths: 1 fault, 1 warning",
    "no: \\x1b[2J\\x0aok    forged\\u202e\\x85",
    "",
  ]);
  const { paths, ...rest } = REPORT;
  const well = { ...rest, ok: true, paths: paths.slice(0, 1), findings: [] };
  assert.deepEqual(formatReport(well).split("\n").at(-3), "1 path: all well");
});

Deno.test("formatReportAsJson() reads back as the report, without control characters", () => {
  const text = formatReportAsJson(REPORT);
  assert.deepEqual(JSON.parse(text), REPORT);
  assert.doesNotMatch(text, UNSAFE);
});

Deno.test("formatReport() begins with an address that two balancers hold at once", () => {
  const held = {
    level: "fail",
    rule: "address_twice",
    about: "2001:db8::1",
    text: "held",
  } as const;
  const [first] = formatReport({ ...REPORT, findings: [...REPORT.findings, held] }).split("\n");
  assert.deepEqual(first, "fail  2001:db8::1: address_twice: held");
});
