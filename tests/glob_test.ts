import assert from "node:assert/strict";
import fc from "fast-check";
import { globMatcher, isGlob, pathMatcher } from "../lib/glob.ts";

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

Deno.test("globMatcher() reads shell patterns, and no regular expressions", () => {
  for (const [pattern, fits, fails] of TABLE) {
    const matches = globMatcher(pattern);
    for (const name of fits) assert.ok(matches(name), `${pattern} fits ${name}`);
    for (const name of fails) assert.ok(!matches(name), `${pattern} does not fit ${name}`);
  }
});

Deno.test("globMatcher() without special characters matches only the same name", () => {
  const name = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !isGlob(text));
  fc.assert(fc.property(name, name, (one, other) => {
    assert.ok(globMatcher(one)(one));
    assert.equal(globMatcher(one)(other), one === other);
  }));
});

Deno.test("pathMatcher fits a path or a directory on the way to it, names without a slash at any depth", () => {
  const table: [pattern: string, path: string, fits: boolean][] = [
    ["*.bak", "/etc/certs/a.pem.bak", true],
    ["*.bak", "a.bak", true],
    ["*.bak", "/etc/x.bak/a.pem", true],
    ["*.bak", "/etc/certs/a.pem", false],
    ["old", "/etc/old/certs/a.pem", true],
    ["old", "/etc/older/a.pem", false],
    ["/etc/certs/old", "/etc/certs/old/a/b.pem", true],
    ["/etc/certs/old", "/etc/certs/old.pem", false],
    ["/etc/certs/old", "etc/certs/old", false],
    ["/etc/*/a.pem", "/etc/certs/a.pem", true],
    ["/etc/*/a.pem", "/etc/x/y/a.pem", false],
    ["/etc/**/a.pem", "/etc/a.pem", true],
    ["/etc/**/a.pem", "/etc/x/y/a.pem", true],
    ["certs/*.pem", "certs/a.pem", true],
    ["certs/*.pem", "./certs//a.pem", true],
    ["certs/*.pem", "/certs/a.pem", false],
    ["certs/*.pem", "x/certs/a.pem", false],
    ["*", "/etc/.hidden", true],
    [".*", "/etc/.hidden", true],
    ["[!a]*", "/x/a.pem", true],
    ["a[", "/x/a[", true],
  ];
  for (const [pattern, path, fits] of table) {
    assert.equal(pathMatcher(pattern)(path), fits, `${pattern} ${path}`);
  }
});
