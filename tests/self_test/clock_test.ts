import assert from "node:assert/strict";
import fc from "fast-check";
import type { ReceivedResponse } from "../../lib/http/ask.ts";
import { clockFinding } from "../../lib/self_test/clock.ts";
import { NOW } from "./evidence.ts";

function told(
  fields: Record<string, string>,
  more: Partial<ReceivedResponse> = {},
): ReceivedResponse {
  return { status: 404, body: "", fields, sent: NOW, received: NOW, ...more };
}

const at = (seconds: number) => told({ date: new Date(NOW + seconds * 1000).toUTCString() });

/** [seconds that its Date is ahead, level, text] */
const CLOCKS: [number, string | undefined, RegExp?][] = [
  [0, undefined],
  [5, undefined],
  // Cut to the second: what says -5 may be 4.001 s behind.
  [-5, undefined],
  [6, "warn", /^its clock is 6 s ahead of the one here; run timedatectl on both$/],
  [-7, "warn", /^its clock is 6 s behind the one here/],
  [300, "warn", /5 min ahead/],
  [301, "fail", /5 min ahead/],
  [-302, "fail", /5 min behind/],
  [86_400, "fail", /1440 min ahead/],
];

for (const [seconds, level, pattern] of CLOCKS) {
  Deno.test(`clockFinding() says ${level ?? "nothing"} of a clock ${seconds} s ahead`, () => {
    const finding = clockFinding(at(seconds));
    assert.deepEqual(finding?.level, level);
    if (pattern) assert.match(finding!.text, pattern);
  });
}

Deno.test("clockFinding() notes an answer without a Date, or with one that is none", () => {
  for (const fields of [{}, { date: "yesterday" }, { date: "" }] as Record<string, string>[]) {
    assert.deepEqual(clockFinding(told(fields))?.level, "note");
  }
});

Deno.test("clockFinding() never blames a clock that is right, however long the answer took", () => {
  const moments = fc.tuple(fc.nat(20_000), fc.nat(20_000));
  fc.assert(fc.property(moments, ([before, after]) => {
    const date = new Date(Math.floor(NOW / 1000) * 1000).toUTCString();
    const answer = told({ date }, { sent: NOW - before, received: NOW + after });
    assert.deepEqual(clockFinding(answer), undefined);
  }));
});
