import assert from "node:assert/strict";
import fc from "fast-check";
import { globMatcher, isGlob } from "../lib/glob.ts";

const TABLE: [pattern: string, fits: string[], fails: string[]][] = [
  ["*.pem", ["a.pem", ".pem".slice(1) + ".pem", "a.b.pem"], [".a.pem", "a.pem~", "a.pemx", "pem"]],
  ["?.pem", ["a.pem", "ü.pem", "😀.pem"], ["ab.pem", ".pem"]],
  [".*", [".a"], ["a"]],
  ["[ab].pem", ["a.pem", "b.pem"], ["c.pem", "[ab].pem"]],
  ["[!ab].pem", ["c.pem"], ["a.pem"]],
  ["[a-c]x", ["bx"], ["dx"]],
  ["[]]x", ["]x"], ["[x"]],
  ["[&~^]", ["&", "~", "^"], ["a"]],
  ["[z-a]", [], ["z", "a"]],
  ["[", ["["], ["a"]],
  ["a+(b)|c$", ["a+(b)|c$"], ["aab|c$"]],
  ["a\\b", ["a\\b"], ["ab"]],
  ["*", ["a", "a\nb"], [".a"]],
];

Deno.test("globMatcher knows the patterns of a shell, and nothing of regular expressions", () => {
  for (const [pattern, fits, fails] of TABLE) {
    const matches = globMatcher(pattern);
    for (const name of fits) assert.ok(matches(name), `${pattern} fits ${name}`);
    for (const name of fails) assert.ok(!matches(name), `${pattern} does not fit ${name}`);
  }
});

Deno.test("globMatcher fits a name without special characters to itself alone", () => {
  const name = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !isGlob(text));
  fc.assert(fc.property(name, name, (one, other) => {
    assert.ok(globMatcher(one)(one));
    assert.equal(globMatcher(one)(other), one === other);
  }));
});
