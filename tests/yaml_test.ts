/** Mistakes in YAML that operators make: each is reported in plain words, with its position. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { formatYaml, parseYaml } from "../lib/yaml.ts";
import { UNSAFE, UNSAFE_CHARACTERS } from "./unsafe_text.ts";

/** The first problem as `line:column: message`, or undefined. */
function firstProblem(text: string): string | undefined {
  const [problem] = parseYaml(text).problems;
  return problem && `${problem.line}:${problem.column}: ${problem.message}`;
}

Deno.test("parseYaml() knows where each key and value stands", () => {
  const { value, problems, positionOf } = parseYaml(
    "a: 1\npeers:\n  - one\n  -   two\nb:\n  c: {d: e}\n",
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(value, { a: 1, peers: ["one", "two"], b: { c: { d: "e" } } });
  assert.deepEqual(positionOf(["a"]), { line: 1, column: 4 });
  assert.deepEqual(positionOf(["a"], "key"), { line: 1, column: 1 });
  assert.deepEqual(positionOf(["peers", 1]), { line: 4, column: 7 });
  assert.deepEqual(positionOf(["b", "c", "d"]), { line: 6, column: 10 });
  assert.deepEqual(positionOf(["b", "missing"]), { line: 6, column: 3 });
});

Deno.test("parseYaml() never throws for what a text holds", () => {
  const unit = fc.constantFrom(..."a1:-[]{}&*!|>'\"%@`#,? \n\t\\");
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
      const { value, problems } = parseYaml(text);
      if (problems.length === 0) parseYaml(formatYaml(value ?? null));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("parseYaml() explains what it cannot read", () => {
  const colon =
    "expected `key: value`; look for a missing colon, a wrong indentation or missing quotes";
  const table: [string, string][] = [
    ["a:\n\tb: 1\n", "2:1: indented with a tab; YAML allows only spaces"],
    ["a: 1\n\nb: 2\na: 3\n", "4:1: the key a is there twice"],
    ["a: {b: 1, b: 2}\n", "1:11: the key b is there twice"],
    ["a: 1\n---\nb: 2\n", "2:1: a second document begins here; a file holds one"],
    ["a: [b, c\nd: 1\n", "2:1: a [ further up is not closed"],
    ["a: {b: c\nd: 1\n", "2:1: a { further up is not closed"],
    ['a: "b\nd: 1\n', '3:1: a " further up is not closed'],
    ["a: 'b\nd: 1\n", "3:1: a ' further up is not closed"],
    ["a /b\nc: 1\n", `1:1: ${colon}`],
    ["a: b: c\n", `1:4: ${colon}`],
    ["a:\n  b: 1\n c: 2\n", "3:1: indented differently from the lines that it belongs to"],
    ["a: @b\n", "1:4: a value that begins with @ must be in quotes"],
    ["a: `b`\n", "1:4: a value that begins with ` must be in quotes"],
    ["a: !b c\n", "1:4: a value that begins with ! is a YAML tag; put it in quotes"],
    ["a: !b c\na: d\n", "1:4: a value that begins with ! is a YAML tag; put it in quotes"],
    ["? [a, b]\n: c\n", "1:3: a list or a section cannot be a key"],
    ["a: &x 1\nb: *x\n", "2:4: *x is a YAML alias, which is not allowed here"],
    ["a: *x\n", "1:4: *x is a YAML alias, which is not allowed here"],
  ];
  for (const [text, expected] of table) assert.deepEqual(firstProblem(text), expected, text);
});

Deno.test("parseYaml() refuses nested aliases before they expand", () => {
  const lines = ["a0: &a0 [x, x]"];
  for (let i = 1; i < 30; i++) lines.push(`a${i}: &a${i} [*a${i - 1}, *a${i - 1}]`);
  assert.ok(firstProblem(lines.join("\n"))?.startsWith("2:10: *a0 is a YAML alias"));
  for (const bracket of ["[", "{a: "]) {
    const deep = bracket.repeat(10_000);
    assert.ok(firstProblem(deep)?.endsWith("nested too deeply"), bracket);
  }
});

Deno.test("parseYaml() makes no object of __proto__, and no key of the prototype", () => {
  const { value, problems } = parseYaml("__proto__: {admin: true}\nconstructor: 1\n");
  assert.deepEqual(problems, []);
  assert.deepEqual(Object.keys(value as object), ["__proto__", "constructor"]);
  assert.deepEqual(({} as Record<string, unknown>).admin, undefined);
});

Deno.test("parseYaml() reads YAML 1.2: no word but true and false is a boolean, no 0 makes octal", () => {
  const { value } = parseYaml("a: yes\nb: no\nc: on\nd: 0755\ne: 12:30:45\nf: 2001-01-01\n~: g\n");
  assert.deepEqual(
    { ...value as object },
    { a: "yes", b: "no", c: "on", d: 755, e: "12:30:45", f: "2001-01-01", "~": "g" },
  );
});

Deno.test("parseYaml() refuses directives", () => {
  const expected = "1:1: a file in YAML 1.2 is expected; remove the %YAML line";
  assert.deepEqual(firstProblem("%YAML 1.1\n---\na: no\n"), expected);
  assert.deepEqual(firstProblem("%YAML 1.2\n---\na: no\n"), undefined);
});

Deno.test("parseYaml() reads back every value that formatYaml() writes, where nothing is invisible", () => {
  const word = fc.array(
    fc.oneof(fc.string({ unit: "binary", maxLength: 6 }), fc.constantFrom(...UNSAFE_CHARACTERS)),
    { maxLength: 4 },
  ).map((parts) => parts.join(""));
  const scalar = fc.oneof(word, fc.integer(), fc.boolean(), fc.constant(null));
  const value = fc.dictionary(word, fc.oneof(scalar, fc.array(scalar, { maxLength: 4 })));
  fc.assert(
    fc.property(value, (value) => {
      const text = formatYaml(value);
      assert.doesNotMatch(text, UNSAFE);
      const read = parseYaml(text);
      assert.deepEqual(read.problems, []);
      assert.deepEqual(JSON.stringify(read.value), JSON.stringify(value));
    }),
    { numRuns: 1000 },
  );
});
