import assert from "node:assert/strict";
import fc from "fast-check";
import { ageFindings } from "../../lib/expiry/age_findings.ts";
import type { State } from "../../lib/expiry/record.ts";
import { changesOf, DEFAULT_THRESHOLDS } from "../../lib/expiry/thresholds.ts";
import { DAY, HOUR, issue, NOW } from "./issue.ts";
import { judge, summaryOf } from "./judge.ts";

const SECOND = 1000;

/** The lives that Let's Encrypt's certificates have or will have, and what is in them, by hand. */
const LIVES: [name: string, lifetime: number, warning: number, critical: number][] = [
  ["6 days", 160 * HOUR, 120 * HOUR, 140 * HOUR],
  ["45 days", 45 * DAY, 33.75 * DAY, 39.375 * DAY],
  ["90 days", 90 * DAY, 67.5 * DAY, 78.75 * DAY],
];

Deno.test("a certificate of 6, 45 and 90 days, walked through its life, changes exactly at the thresholds", async () => {
  for (const [name, lifetime, warning, critical] of LIVES) {
    const start = NOW.getTime();
    const { pem, key } = await issue({
      notBefore: NOW,
      notAfter: new Date(start + lifetime),
    });
    const at = async (age: number) =>
      summaryOf(await judge(key.pem + pem, { now: new Date(start + age) }));
    const phases: [from: number, summary: string][] = [
      [-DAY, "CRITICAL not_yet_valid"],
      [0, "OK"],
      [warning, "WARNING expires_soon"],
      [critical, "CRITICAL expires_soon"],
      [lifetime, "CRITICAL expired"],
    ];
    const expected = (age: number) => phases.findLast(([from]) => age >= from)![1];
    // Every hour of the life, a day before and after it, and each side of each change.
    const ages = phases.flatMap(([from]) => [from - 1, from, from + 1]);
    for (let age = -DAY; age <= lifetime + DAY; age += HOUR) ages.push(age);
    for (const age of ages.filter((age) => age >= -DAY)) {
      assert.equal(await at(age), expected(age), `${name}, at ${age / SECOND} s`);
    }
  }
});

Deno.test("a state never gets better while a certificate ages, whatever the thresholds", () => {
  const order: State[] = ["OK", "WARNING", "CRITICAL"];
  const threshold = fc.oneof(
    fc.integer({ min: 1, max: 999 }).map((n) => ({ share: n / 1000 })),
    fc.integer({ min: 1, max: 500 * DAY }).map((ms) => ({ ms })),
  );
  fc.assert(
    fc.property(
      threshold,
      threshold,
      fc.integer({ min: SECOND, max: 400 * DAY }),
      fc.array(fc.double({ min: 0, max: 1.2, noNaN: true }), { minLength: 2 }),
      (warning, critical, lifetime, shares) => {
        const notAfter = new Date(NOW.getTime() + lifetime);
        const thresholds = { warning, critical };
        const changes = changesOf({ notBefore: NOW, notAfter }, thresholds);
        const states = shares.toSorted((a, b) => a - b).map((share) => {
          const now = new Date(NOW.getTime() + Math.round(share * lifetime));
          const clock = { now, earliestNow: new Date(0) };
          const [finding] = ageFindings({ notBefore: NOW, notAfter }, {
            clock,
            thresholds,
            changes,
          });
          // The same as in a graph of the changes.
          const state = now >= changes.criticalFrom
            ? "CRITICAL"
            : now >= changes.warningFrom
            ? "WARNING"
            : "OK";
          assert.equal(finding?.state ?? "OK", state);
          return order.indexOf(state);
        });
        assert.deepEqual(states, states.toSorted((a, b) => a - b));
      },
    ),
  );
});

Deno.test("a clock that is certainly slow makes nothing OK, and nothing expired better", () => {
  const validity = { notBefore: NOW, notAfter: new Date(NOW.getTime() + 90 * DAY) };
  const changes = changesOf(validity, DEFAULT_THRESHOLDS);
  const earliestNow = new Date(NOW.getTime() + 200 * DAY);
  const at = (days: number) => {
    const clock = { now: new Date(NOW.getTime() + days * DAY), earliestNow };
    const findings = ageFindings(validity, { clock, thresholds: DEFAULT_THRESHOLDS, changes });
    return findings.map(({ state, reason }) => `${state} ${reason}`);
  };
  assert.deepEqual(at(-20_000), ["UNKNOWN clock"]);
  assert.deepEqual(at(10), ["UNKNOWN clock"]);
  assert.deepEqual(at(70), ["WARNING expires_soon", "UNKNOWN clock"]);
  assert.deepEqual(at(91), ["CRITICAL expired", "UNKNOWN clock"]);
  assert.deepEqual(at(200), ["CRITICAL expired"]);
});

Deno.test("the text of a finding says since when, until when, and what to do", async () => {
  const { pem } = await issue({ notBefore: NOW, notAfter: new Date(NOW.getTime() + 90 * DAY) });
  const textAt = async (days: number) =>
    (await judge(pem, { now: new Date(NOW.getTime() + days * DAY) })).findings[0]!.text;
  assert.match(await textAt(70), /^expires in 20d, on \S+Z, less than 25% of its lifetime ahead: /);
  assert.match(await textAt(85), /^expires in 5d, on \S+Z, less than 12\.5% of its lifetime ahead/);
  assert.match(await textAt(90), /^expired this second, on \S+Z: renew it now$/);
  assert.match(await textAt(93), /^expired 3d ago, on \S+Z: renew it now$/);
  assert.match(
    await textAt(-1),
    /^is not valid before \S+Z, and the clock says \S+Z: is it right\?$/,
  );
});
