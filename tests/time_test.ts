/** Durations, exact to the thousandth of a millisecond. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Clock, deadline, formatDuration, parseDuration } from "../lib/time.ts";

const UNITS = { ms: 1n, s: 1000n, m: 60_000n, h: 3_600_000n, d: 86_400_000n };

Deno.test("parseDuration() reads the spellings of operators and of formatDuration()", () => {
  const table: [string, number][] = [
    ["500ms", 500],
    ["2s", 2000],
    ["1.5s", 1500],
    ["5m", 300_000],
    ["48h", 172_800_000],
    ["30d", 2_592_000_000],
  ];
  for (const [text, ms] of table) assert.deepEqual(parseDuration(text), ms, text);
  fc.assert(fc.property(fc.nat(1e9), (ms) => {
    assert.deepEqual(parseDuration(formatDuration(ms)), ms);
  }));
});

Deno.test("parseDuration() refuses near misses", () => {
  for (const text of ["", "2", "s", "2 s", "-2s", "2S", "2sec", "1e3s", "0x2s", "2s ", "1,5s"]) {
    assert.throws(() => parseDuration(text), SyntaxError, text);
  }
});

Deno.test("parseDuration() is exact when a fraction has no exact binary form", () => {
  const table: [string, number][] = [
    ["1.005s", 1005],
    ["1.001h", 3_603_600],
    ["2.3d", 198_720_000],
    ["0.007m", 420],
    ["0.5ms", 0.5],
    ["0s", 0],
    ["00002s", 2000],
  ];
  for (const [text, ms] of table) assert.deepEqual(parseDuration(text), ms, text);
});

Deno.test("parseDuration() agrees with whole-number arithmetic for any fraction and unit", () => {
  const units = fc.constantFrom(...Object.keys(UNITS) as (keyof typeof UNITS)[]);
  fc.assert(
    fc.property(fc.nat(99_999), fc.nat(999), units, (whole, thousandths, unit) => {
      const text = `${whole}.${String(thousandths).padStart(3, "0")}${unit}`;
      const thousandthsOfMs = (BigInt(whole) * 1000n + BigInt(thousandths)) * UNITS[unit];
      assert.deepEqual(parseDuration(text), Number(thousandthsOfMs) / 1000, text);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("parseDuration() refuses, with examples, when digits, point or unit are not its own", () => {
  const refused = [
    ...["1.1234s", ".5s", "1.s", "1..5s", "+2s", "2s\n", "\u0662s", "1_000s", "1h30m", "Infinitys"],
    ...[
      "1000000000s",
      "1 h",
      "2w",
      "2y",
      "2M",
      "2us",
      "msms",
      "NaNs",
      "constructor",
      "1constructor",
    ],
  ];
  for (const text of refused) {
    assert.throws(() => parseDuration(text), {
      name: "SyntaxError",
      message: "expected a duration such as 500ms, 2s, 5m, 48h or 30d",
    }, JSON.stringify(text));
  }
});

Deno.test("formatDuration() takes the largest unit that leaves no fraction", () => {
  const table: [number, string][] = [
    [0, "0ms"],
    [999, "999ms"],
    [1000, "1s"],
    [1500, "1500ms"],
    [59_000, "59s"],
    [60_000, "1m"],
    [90_000, "90s"],
    [3_600_000, "1h"],
    [90_000_000, "25h"],
    [86_400_000, "1d"],
  ];
  for (const [ms, text] of table) assert.deepEqual(formatDuration(ms), text);
});

Deno.test("deadline() with running time counts a pause of the process as one step of eight", () => {
  // Wakes each waiter late, as a machine does that gives the process no processor.
  const waiting: (() => void)[] = [];
  let woken = 0;
  const late: Clock = {
    now: () => 0,
    monotonic: () => 0,
    schedule(_ms, wake) {
      waiting.push(wake);
      return () => {};
    },
  };
  using plain = deadline(1_000, { clock: late });
  waiting.shift()!();
  assert.ok(plain.passed);
  using running = deadline(1_000, { clock: late, whileRunning: true });
  for (; !running.passed && woken < 100; woken++) waiting.shift()!();
  assert.deepEqual(woken, 8);
});
