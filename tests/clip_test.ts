import assert from "node:assert/strict";
import fc from "fast-check";
import { clip, startOf } from "../lib/clip.ts";

const TEXT = fc.string({ unit: "binary", maxLength: 40 });
const MOST = fc.integer({ min: 1, max: 40 });

Deno.test("clip() and startOf() never cut a character in two, and stay within the limit", () => {
  fc.assert(fc.property(TEXT, MOST, (text, most) => {
    for (const part of [clip(text, most), startOf(text, most)]) {
      assert.ok(part.isWellFormed(), JSON.stringify(part));
      assert.ok(part.length <= most);
    }
    assert.ok(text.startsWith(startOf(text, most)));
    if (text.length <= most) assert.equal(clip(text, most), text);
  }));
});

Deno.test("clip() marks what it cuts", () => {
  const table: [text: string, most: number, expected: string][] = [
    ["abc", 3, "abc"],
    ["abcd", 3, "ab…"],
    ["a😀b", 4, "a😀b"],
    ["a😀b", 3, "a…"],
    ["😀😀", 3, "😀…"],
    ["", 1, ""],
  ];
  for (const [text, most, expected] of table) assert.equal(clip(text, most), expected, text);
});
