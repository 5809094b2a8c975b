/** What stands on top, and what the whole comes to. */

import assert from "node:assert/strict";
import type { State } from "../../lib/expiry/record.ts";
import { describeCounts, dueFirst, overallState } from "../../lib/expiry/due_order.ts";
import { leafOf, MIXED, recordOf, reportOf } from "./reports.ts";

const stateOnly = (state: State) =>
  recordOf(`/${state}`, {
    findings: state === "OK" ? [] : [{ state, reason: "unreadable", text: "" }],
  });

Deno.test("dueFirst() puts the worst and the soonest on top, and changes nothing", () => {
  const before = structuredClone(MIXED);
  assert.deepEqual(dueFirst(MIXED).map(({ place }) => place), [
    "/etc/haproxy/certs/gone.pem",
    "[2001:db8::1]:443",
    "/etc/haproxy/certs/soon.pem",
    "/etc/haproxy/certs/secret.pem",
    "/etc/haproxy/certs/good.pem",
  ]);
  assert.deepEqual(MIXED, before);
  const [late, soon, never] = [
    recordOf("/a", { leaf: leafOf("a", 60) }),
    recordOf("/b", { leaf: leafOf("b", 50) }),
    recordOf("/0", {}),
  ];
  assert.deepEqual(dueFirst(reportOf([late!, never!, soon!])), [soon, late, never]);
  const equal = ["/c", "/a", "/b"].map((place) => recordOf(place, { leaf: leafOf("x", 60) }));
  assert.deepEqual(dueFirst(reportOf(equal)).map(({ place }) => place), ["/a", "/b", "/c"]);
});

Deno.test("overallState() is the worst, and never OK with something unknown or without anything", () => {
  const table: [State[], State][] = [
    [[], "UNKNOWN"],
    [["OK"], "OK"],
    [["OK", "UNKNOWN"], "UNKNOWN"],
    [["UNKNOWN", "WARNING", "OK"], "WARNING"],
    [["WARNING", "CRITICAL", "UNKNOWN"], "CRITICAL"],
  ];
  for (const [states, expected] of table) {
    assert.deepEqual(overallState(reportOf(states.map(stateOnly))), expected, states.join());
  }
});

Deno.test("describeCounts() leaves out what there is none of", () => {
  assert.deepEqual(describeCounts(MIXED), "2 CRITICAL, 1 WARNING, 1 UNKNOWN, 1 OK");
  assert.deepEqual(describeCounts(reportOf([stateOnly("OK")])), "1 OK");
  assert.deepEqual(describeCounts(reportOf([])), "nothing was checked");
});
