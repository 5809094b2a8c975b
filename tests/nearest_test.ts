/** Which name was meant, held against a plain edit distance. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { nearest } from "../lib/nearest.ts";

/** Levenshtein's distance by its definition, so that it shares nothing with what it judges. */
function levenshtein(a: string, b: string): number {
  if (a === "" || b === "") return a.length + b.length;
  const [restA, restB] = [a.slice(1), b.slice(1)];
  if (a[0] === b[0]) return levenshtein(restA, restB);
  return 1 + Math.min(levenshtein(restA, b), levenshtein(a, restB), levenshtein(restA, restB));
}

const limitOf = (word: string) => Math.min(3, Math.max(1, Math.floor(word.length / 3)));

Deno.test("nearest() finds the name that was meant, or none", () => {
  const names = ["serve", "self-test", "redirect", "webroot", "peers"];
  const table: [string, string | undefined][] = [
    ["srve", "serve"],
    ["sevre", "serve"],
    ["redirct", "redirect"],
    ["REDIRECT", "redirect"],
    ["webroots", "webroot"],
    ["peer", "peers"],
    ["xyz", undefined],
    ["toString", undefined],
    ["", undefined],
  ];
  for (const [word, expected] of table) assert.deepEqual(nearest(word, names), expected, word);
});

Deno.test("nearest() counts each kind of slip as one edit", () => {
  const slips = ["webroo", "webrooot", "wbroot", "webrpot", "wberoot", "ewbroot", "WebRoot"];
  for (const word of slips) assert.deepEqual(nearest(word, ["peers", "webroot"]), "webroot", word);
});

Deno.test("nearest() allows an edit for each three letters, from one to three", () => {
  const table: [string, string, boolean][] = [
    ["ab", "a", true],
    ["ab", "xy", false],
    ["abcde", "abcxy", false],
    ["abcdef", "abcdxy", true],
    ["abcdef", "abcxyz", false],
    ["abcdefghi", "abcdefxyz", true],
    ["abcdefghi", "abcdewxyz", false],
    ["abcdefghijklmnop", "abcdefghijklwxyz", false],
    ["a", "b", true],
    ["", "a", true],
    ["", "ab", false],
  ];
  for (const [word, candidate, near] of table) {
    assert.deepEqual(
      nearest(word, [candidate]),
      near ? candidate : undefined,
      `${word} ${candidate}`,
    );
  }
});

Deno.test("nearest() takes the first of those that are equally near, and any iterable", () => {
  assert.deepEqual(nearest("cat", ["car", "cap"]), "car");
  assert.deepEqual(nearest("cat", new Set(["cap", "car"])), "cap");
  assert.deepEqual(nearest("cat", ["car", "cat"]), "cat");
  assert.deepEqual(nearest("cat", []), undefined);
});

Deno.test("nearest() names what is within its limit, and never a worse candidate than another", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });
  fc.assert(
    fc.property(word, fc.array(word, { maxLength: 5 }), (text, candidates) => {
      const found = nearest(text, candidates);
      const least = Math.min(...candidates.map((candidate) => levenshtein(text, candidate)));
      // A swap of neighbours is one edit here and two there, so Levenshtein's can only be larger.
      if (least <= limitOf(text)) assert.ok(found !== undefined);
      if (found === undefined) return;
      assert.ok(candidates.includes(found));
      assert.ok(levenshtein(text, found) <= 2 * Math.min(least, limitOf(text)));
    }),
    { numRuns: 2000 },
  );
});
