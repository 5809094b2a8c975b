import assert from "node:assert/strict";
import { parseSocketAddress } from "../../lib/address.ts";
import {
  type BalancerAnswer,
  fleetRows,
  readAnswer,
  type Target,
} from "../../lib/status/fleet_rows.ts";
import { NOW, sampleReport } from "./sample_fleet.ts";

const target = (address: string, node?: string, here = false): Target => ({
  address: parseSocketAddress(address),
  node,
  here,
});
const told = (name: string): BalancerAnswer => ({ report: sampleReport(name), ms: 2 });
const TIMEOUT: BalancerAnswer = { silence: "timeout", ms: 1800 };

const shown = (targets: Target[], answers: BalancerAnswer[]) =>
  fleetRows(targets, answers).map(({ name, address, here, report, silence, deaf }) =>
    [name, address, here, report?.instance ?? silence, deaf] as const
  );

Deno.test("fleetRows() makes one row of a node's addresses, by the first that answers", () => {
  const targets = [
    target("192.0.2.11:31080", "lb0"),
    target("[2001:db8::f001]:31080", "lb0", true),
    target("[2001:db8::f002]:31080", "lb1"),
  ];
  assert.deepEqual(shown(targets, [TIMEOUT, told("lb0"), TIMEOUT]), [
    ["lb0", "[2001:db8::f001]:31080", true, "0000000000000000", ["192.0.2.11:31080"]],
    ["lb1", "[2001:db8::f002]:31080", false, "timeout", []],
  ]);
});

Deno.test("fleetRows() makes one row of two addresses with the same instance, without nodes", () => {
  const targets = [
    target("192.0.2.11:31080"),
    target("[2001:db8::f001]:31080"),
    target("192.0.2.12:1"),
  ];
  assert.deepEqual(shown(targets, [told("lb0"), told("lb0"), told("lb1")]), [
    ["192.0.2.11:31080", "192.0.2.11:31080", false, "0000000000000000", []],
    ["192.0.2.12:1", "192.0.2.12:1", false, "0000000000000010", []],
  ]);
});

Deno.test("fleetRows() does not merge two nodes when one reports the other's instance", () => {
  const targets = [target("192.0.2.11:1", "lb0"), target("192.0.2.12:1", "lb1")];
  assert.deepEqual(shown(targets, [told("lb0"), told("lb0")]).map(([name]) => name), [
    "lb0",
    "lb1",
  ]);
});

Deno.test("readAnswer() accepts a report, and names the fault of any other text", () => {
  const report = sampleReport("lb0");
  assert.deepEqual(readAnswer(JSON.stringify(report), NOW.getTime()), { report });
  assert.deepEqual(readAnswer("<html>", NOW.getTime()), {
    silence: "bad_report",
    reason: "not JSON",
  });
});
