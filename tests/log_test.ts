/** One line for each event with any input of an attacker, and a bounded number of lines. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { createLog, printable } from "../lib/log.ts";
import { UNSAFE, UNSAFE_CHARACTERS } from "./unsafe_text.ts";

const NOW = Date.UTC(2026, 10, 23);

function collecting(options: Parameters<typeof createLog>[0] = {}) {
  const lines: string[] = [];
  const clock = { now: NOW };
  const log = createLog({ ...options, write: (line) => lines.push(line), now: () => clock.now });
  return { log, lines, clock };
}

Deno.test("createLog() writes key=value, quoting what holds a blank", () => {
  const { log, lines } = collecting();
  log.info("challenge", { status: 200, peers: "a=found b=absent", host: undefined, empty: "" });
  assert.deepEqual(lines, [
    'time=2026-11-23T00:00:00.000Z level=info event=challenge status=200 peers="a=found b=absent" empty=""\n',
  ]);
});

Deno.test("createLog() leaves out events below its level", () => {
  const { log, lines } = collecting({ level: "warn" });
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  assert.deepEqual(lines.map((line) => / event=(\w+)/.exec(line)![1]), ["c", "d"]);
});

const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 400 }),
  fc.constantFrom("\n", "\r\n", "\x1b[31m", 'a" b="c', "\\"),
  fc.constantFrom(...UNSAFE_CHARACTERS),
);

Deno.test("createLog() writes exactly one bounded, printable line for any value", () => {
  fc.assert(
    fc.property(hostile, fc.constantFrom("text" as const, "json" as const), (value, format) => {
      const { log, lines } = collecting({ format });
      log.info("event", { value });
      assert.deepEqual(lines.length, 1);
      const [line] = lines as [string];
      assert.deepEqual(line.indexOf("\n"), line.length - 1);
      assert.doesNotMatch(line, UNSAFE);
      assert.ok(line.length < 1500, String(line.length));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("createLog() as JSON parses back to the same values", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (value) => {
    const { log, lines } = collecting({ format: "json" });
    log.info("event", { value, n: 1, yes: true });
    const parsed = JSON.parse(lines[0]!);
    assert.deepEqual([parsed.event, parsed.value, parsed.n, parsed.yes], ["event", value, 1, true]);
  }));
});

Deno.test("createLog() as text cannot be made to show a field that is not there", () => {
  const { log, lines } = collecting();
  log.info("challenge", { host: 'x" status="200', other: "y status=200" });
  assert.ok(/ host="x\\" status=\\"200" other="y status=200"\n$/.test(lines[0]!), lines[0]);
});

Deno.test("createLog() gives each event a budget, and says what it left out", () => {
  const { log, lines, clock } = collecting();
  for (let i = 0; i < 100_000; i++) {
    clock.now += 0.1; // 10,000 a second, for ten seconds
    log.warn("turned_away", { reason: "full" });
  }
  assert.ok(lines.length < 1000, String(lines.length));
  log.info("challenge", { status: 200 });
  assert.ok(lines.at(-1)!.includes("event=challenge"), "another event has its own budget");
  clock.now += 60_000;
  log.warn("turned_away", { reason: "full" });
  const suppressed = lines.map((line) => Number(/ suppressed=(\d+)/.exec(line)?.[1] ?? 0));
  const written = lines.filter((line) => line.includes("turned_away")).length;
  assert.deepEqual(written + suppressed.reduce((sum, count) => sum + count), 100_001);
});

Deno.test("printable() doubles backslashes, so that an escape cannot be forged", () => {
  assert.deepEqual(printable("a\nb"), "a\\x0ab");
  assert.deepEqual(printable("a\\x0ab"), "a\\\\x0ab");
});

Deno.test("createLog() counts lines that its sink drops, and reports them in the next line of the event", () => {
  const lines: string[] = [];
  const reasons: string[] = [];
  let stalled = false;
  const log = createLog({
    now: () => NOW,
    write: (line) => !stalled && lines.push(line),
    onSuppressed: (reason) => reasons.push(reason),
  });
  log.info("challenge", { status: 200 });
  stalled = true;
  for (let i = 0; i < 7; i++) log.info("challenge", { status: 200 });
  log.info("other");
  stalled = false;
  log.info("challenge", { status: 200 });
  log.info("challenge", { status: 200 });
  log.info("other");
  assert.deepEqual(
    lines.map((line) => / event=(\w+).*?(?: suppressed=(\d+))?\n/.exec(line)!.slice(1)),
    [["challenge", undefined], ["challenge", "7"], ["challenge", undefined], ["other", "1"]],
  );
  assert.deepEqual(reasons, Array(8).fill("not_read"));
});
