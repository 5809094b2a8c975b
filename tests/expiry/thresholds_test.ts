import assert from "node:assert/strict";
import fc from "fast-check";
import {
  changesOf,
  DEFAULT_THRESHOLDS,
  formatThreshold,
  makeThresholds,
  parseThreshold,
} from "../../lib/expiry/thresholds.ts";
import { ageFindings } from "../../lib/expiry/age_findings.ts";
import { DAY, HOUR, NOW } from "../cert/issue.ts";

Deno.test("parseThreshold reads shares and spans, and formatThreshold writes them back", () => {
  const good: Record<string, object> = {
    "25%": { share: 0.25 },
    "12.5%": { share: 0.125 },
    "33.333%": { share: 0.33333 },
    "99.999%": { share: 0.99999 },
    "30d": { ms: 30 * DAY },
    "48h": { ms: 48 * HOUR },
    "90s": { ms: 90_000 },
    "36500d": { ms: 36_500 * DAY },
    "25%,30d": { share: 0.25, ms: 30 * DAY },
    "30d,25%": { share: 0.25, ms: 30 * DAY },
    "12.5%, 10d": { share: 0.125, ms: 10 * DAY },
  };
  for (const [text, threshold] of Object.entries(good)) {
    assert.deepEqual(parseThreshold(text), threshold, text);
    assert.deepEqual(parseThreshold(formatThreshold(parseThreshold(text))), threshold, text);
  }
});

Deno.test("parseThreshold refuses what could never alarm, would alarm always, or says nothing", () => {
  const bad = ["", "25", "%", "0%", "0.000%", "100%", "101%", "-5%", "1.2345%", "25 %", "1e2%"];
  const pairs = [
    "25%,",
    ",30d",
    "25%,30%",
    "30d,20d",
    "25%,30d,10d",
    "25%;30d",
    "0%,30d",
    "25%,0d",
  ];
  const spans = ["0s", "0d", "36501d", "999999999d", "-1d", "30", "30 d", "30D", "20:", "NaN%"];
  for (const text of [...bad, ...spans, ...pairs]) {
    assert.throws(() => parseThreshold(text), SyntaxError, JSON.stringify(text));
  }
});

Deno.test("makeThresholds refuses a WARNING that would come after CRITICAL, and allows both at once", () => {
  const make = (warning: string, critical: string) =>
    makeThresholds({ warning: parseThreshold(warning), critical: parseThreshold(critical) });
  assert.throws(() => make("10%", "20%"), /CRITICAL with 20% left .* before WARNING with 10% left/);
  assert.throws(() => make("47h", "2d"), SyntaxError);
  assert.throws(() => make("25%,5d", "12.5%,10d"), /CRITICAL with 12.5%,10d left/);
  assert.throws(() => make("10%,30d", "12.5%,10d"), SyntaxError);
  make("25%,30d", "12.5%,10d");
  make("25%,30d", "48h");
  for (const [warning, critical] of [["20%", "20%"], ["2d", "48h"], ["30d", "10%"], ["1%", "9d"]]) {
    make(warning!, critical!);
  }
});

Deno.test("changesOf gives Let's Encrypt's lifetimes the days that they need", () => {
  const table: [lifetime: number, warning: number, critical: number][] = [
    [160 * HOUR, 40 * HOUR, 20 * HOUR],
    [45 * DAY, 11.25 * DAY, 5.625 * DAY],
    [64 * DAY, 16 * DAY, 8 * DAY],
    [90 * DAY, 22.5 * DAY, 11.25 * DAY],
  ];
  for (const [lifetime, warning, critical] of table) {
    const notAfter = new Date(NOW.getTime() + lifetime);
    const changes = changesOf({ notBefore: NOW, notAfter }, DEFAULT_THRESHOLDS);
    assert.equal(notAfter.getTime() - changes.warningFrom.getTime(), warning);
    assert.equal(notAfter.getTime() - changes.criticalFrom.getTime(), critical);
  }
});

Deno.test("one setting of a share and a span fits six days and years: the smaller one holds", () => {
  const thresholds = {
    warning: parseThreshold("25%,30d"),
    critical: parseThreshold("12.5%,10d"),
  };
  const table: [lifetime: number, warning: number, critical: number][] = [
    [6 * DAY, 1.5 * DAY, 0.75 * DAY],
    [160 * HOUR, 40 * HOUR, 20 * HOUR],
    [45 * DAY, 11.25 * DAY, 5.625 * DAY],
    [90 * DAY, 22.5 * DAY, 10 * DAY],
    [100 * DAY, 25 * DAY, 10 * DAY],
    [120 * DAY, 30 * DAY, 10 * DAY],
    [365 * DAY, 30 * DAY, 10 * DAY],
    [3650 * DAY, 30 * DAY, 10 * DAY],
  ];
  for (const [lifetime, warning, critical] of table) {
    const notAfter = new Date(NOW.getTime() + lifetime);
    const changes = changesOf({ notBefore: NOW, notAfter }, thresholds);
    assert.equal(notAfter.getTime() - changes.warningFrom.getTime(), warning, `${lifetime / DAY}`);
    assert.equal(notAfter.getTime() - changes.criticalFrom.getTime(), critical);
    const now = new Date(notAfter.getTime() - warning);
    const clock = { now, earliestNow: new Date(0) };
    const [finding] = ageFindings({ notBefore: NOW, notAfter }, { clock, thresholds, changes });
    const words = lifetime < 120 * DAY
      ? /less than 25% of its lifetime ahead/
      : /less than 30d ahead|25% of/;
    assert.match(finding!.text, words);
  }
});

Deno.test("changesOf never puts CRITICAL before WARNING, nor either out of the calendar", () => {
  const threshold = fc.oneof(
    fc.integer({ min: 1, max: 99_999 }).map((n) => ({ share: n / 100_000 })),
    fc.integer({ min: 1, max: 36_500 * DAY }).map((ms) => ({ ms })),
    fc.record({
      share: fc.constantFrom(0.01, 0.125, 0.5),
      ms: fc.integer({ min: 1, max: 900 * DAY }),
    }),
  );
  const date = fc.date({
    min: new Date("1950-01-01Z"),
    max: new Date("9999-12-31Z"),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(threshold, threshold, date, date, (warning, critical, notBefore, notAfter) => {
      const changes = changesOf({ notBefore, notAfter }, { warning, critical });
      assert.ok(changes.warningFrom <= changes.criticalFrom);
      if (notBefore <= notAfter) assert.ok(changes.criticalFrom <= notAfter);
    }),
  );
});
