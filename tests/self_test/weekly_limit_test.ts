import assert from "node:assert/strict";
import { parseDuration } from "../../lib/time.ts";
import { weeklyLimitFinding } from "../../lib/self_test/weekly_limit.ts";

const findingFor = (balancers: number, lifetime: string) =>
  weeklyLimitFinding({ balancers, lifetimeMs: parseDuration(lifetime) });

/** [balancers, lifetime, level, orders a week] */
const TABLE: [number, string, string, string][] = [
  [1, "90d", "note", "0.1"],
  [3, "90d", "note", "0.3"],
  [5, "90d", "note", "0.6"],
  [6, "90d", "warn", "0.7"],
  [3, "45d", "note", "0.7"],
  // With six-day certificates two balancers are within the limit, and three are not.
  [2, "160h", "note", "4.2"],
  [3, "160h", "warn", "6.3"],
  [5, "10d", "warn", "5.2"],
  [4, "10d", "note", "4.2"],
  [40, "45d", "warn", "9.3"],
];

for (const [balancers, lifetime, level, perWeek] of TABLE) {
  Deno.test(`weeklyLimitFinding() ${level}s ${balancers} balancers with ${lifetime}`, () => {
    const finding = findingFor(balancers, lifetime);
    assert.deepEqual(finding.level, level);
    assert.deepEqual(/: ([\d.]+) orders a week/.exec(finding.text)?.[1], perWeek);
  });
}

Deno.test("weeklyLimitFinding() shows its calculation and what to do", () => {
  assert.match(
    findingFor(3, "160h").text,
    /^3 balancers, certificates of 160h renewed with half left: 6\.3 orders a week against the limit of 5 .*ARI are exempt\); use clients with ARI/,
  );
  assert.match(
    findingFor(6, "90d").text,
    /renewed with a third left.* the first 6 orders at once are too many/,
  );
});
