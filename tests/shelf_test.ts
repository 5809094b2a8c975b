/** The smallest tools of the shelf: durations, near names, peers, YAML positions. */

import { deepStrictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { formatDuration, parseDuration } from "../lib/duration.ts";
import { nearest } from "../lib/nearest.ts";
import { formatPeer, parsePeer } from "../lib/peer.ts";
import { formatYaml, parseYaml } from "../lib/yaml.ts";

Deno.test("parseDuration() reads what operators write, and what formatDuration() writes", () => {
  const table: [string, number][] = [
    ["500ms", 500],
    ["2s", 2000],
    ["1.5s", 1500],
    ["5m", 300_000],
    ["48h", 172_800_000],
    ["30d", 2_592_000_000],
  ];
  for (const [text, ms] of table) deepStrictEqual(parseDuration(text), ms, text);
  fc.assert(fc.property(fc.nat(1e9), (ms) => {
    deepStrictEqual(parseDuration(formatDuration(ms)), ms);
  }));
});

Deno.test("parseDuration() refuses near misses", () => {
  for (const text of ["", "2", "s", "2 s", "-2s", "2S", "2sec", "1e3s", "0x2s", "2s ", "1,5s"]) {
    throws(() => parseDuration(text), SyntaxError, text);
  }
});

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
  for (const [word, expected] of table) deepStrictEqual(nearest(word, names), expected, word);
});

Deno.test("parsePeer() reads back what formatPeer() writes", () => {
  const spellings = [
    "[2001:db8::f001]:31080",
    "192.0.2.11:31080",
    "[fe80::1%eth0]:31080",
    "dns:lb0.example:31080",
  ];
  for (const text of spellings) deepStrictEqual(formatPeer(parsePeer(text)), text);
});

Deno.test("parseYaml() knows where each key and value stands", () => {
  const { value, problems, positionOf } = parseYaml(
    "a: 1\npeers:\n  - one\n  -   two\nb:\n  c: {d: e}\n",
  );
  deepStrictEqual(problems, []);
  deepStrictEqual(value, { a: 1, peers: ["one", "two"], b: { c: { d: "e" } } });
  deepStrictEqual(positionOf(["a"]), { line: 1, column: 4 });
  deepStrictEqual(positionOf(["a"], "key"), { line: 1, column: 1 });
  deepStrictEqual(positionOf(["peers", 1]), { line: 4, column: 7 });
  deepStrictEqual(positionOf(["b", "c", "d"]), { line: 6, column: 10 });
  deepStrictEqual(positionOf(["b", "missing"]), { line: 6, column: 3 });
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
