/** How the commands of a page are read. */

import assert from "node:assert/strict";
import { callsIn, printsAsShown, spansOf, stepsOf } from "./commands.ts";

function page(...lines: string[]): string {
  return ["# Page", "```sh", ...lines, "```", "after"].join("\n");
}

Deno.test("stepsOf() reads each line of a plain block as a command, and joins continued lines", () => {
  const steps = stepsOf("a.md", page("# comment", "one \\", "  two", "", "three  # why"));
  assert.deepEqual(steps.map(({ line, command }) => [line, command]), [
    [4, "one \\\n  two"],
    [7, "three  # why"],
  ]);
});

Deno.test("stepsOf() reads the lines after a prompt's command as its output", () => {
  const steps = stepsOf("a.md", page("lb0# one", "printed", "# too", "you$ two", "lb1# three"));
  assert.deepEqual(steps.map(({ host, command, expected }) => [host, command, expected]), [
    ["lb0", "one", ["printed", "# too"]],
    ["you", "two", []],
    ["lb1", "three", []],
  ]);
});

Deno.test("stepsOf() refuses blocks that it cannot read, and ignores other kinds", () => {
  assert.throws(
    () => stepsOf("a.md", page("printed", "lb0# one")),
    /a.md:3: output before any prompt/,
  );
  assert.throws(() => stepsOf("a.md", "```sh\none"), /a.md:1: a block without an end/);
  assert.deepEqual(stepsOf("a.md", "```yaml\nlb0# one\n```\n"), []);
});

Deno.test("stepsOf() reads the blocks of a list, without their indent", () => {
  const steps = stepsOf("a.md", "1. Do\n\n   ```sh\n   one \\\n     two\n   ```\n");
  assert.deepEqual(steps.map(({ line, command }) => [line, command]), [[4, "one \\\n  two"]]);
});

Deno.test("printsAsShown() matches … with any text, and a line of … with any lines", () => {
  const table: [string, string[], boolean][] = [
    ["anything\n", [], true],
    ["a b c\n", ["a … c"], true],
    ["a.c\n", ["a.c"], true],
    ["abc\n", ["a.c"], false],
    ["a\n1\n2\nb\n", ["a", "…", "b"], true],
    ["a\nb\n", ["a", "…", "b"], true],
    ["a\nb\nc\n", ["a", "b"], false],
    ["a\n", ["a", "b"], false],
  ];
  for (const [output, expected, right] of table) {
    assert.deepEqual(printsAsShown(output, expected), right, JSON.stringify([output, expected]));
  }
});

Deno.test("callsIn() finds the calls of acme-lb in a shell's line, with their flags", () => {
  const table: [string, [string[], string[]][]][] = [
    ["acme-lb serve --peer '[::1]:1' --webroot /w", [[["serve"], ["--peer", "--webroot"]]]],
    ["printf %s x | acme-lb challenge put T; acme-lb --version", [
      [["challenge", "put"], []],
      [[], ["--version"]],
    ]],
    ["exec acme-lb assemble-pem --hook=lego \\\n  --out-dir D -- --not-ours", [
      [["assemble-pem"], ["--hook", "--out-dir"]],
    ]],
    ["ssh lb0 acme-lb serve  # comment --no", [[["serve"], []]]],
    ["dist/acme-lb self-test", [[["self-test"], []]]],
    ["ssh lb0 'true && \\\n  acme-lb self-test --document'; acme-lb --version", [
      [["self-test"], ["--document"]],
      [[], ["--version"]],
    ]],
    ["cp dist/acme-lb /usr/local/bin/", []],
    ["journalctl -u acme-lb --since -1h", []],
    ["ls /etc/acme-lb/config.yaml", []],
  ];
  for (const [command, expected] of table) {
    assert.deepEqual(callsIn(command).map(({ words, flags }) => [words, flags]), expected, command);
  }
});

Deno.test("spansOf() finds code spans that call acme-lb, also across a line end", () => {
  const text =
    "Run `acme-lb check-config\n--config x`, not `acme-lb COMMAND --help`; `acme-lb` is.";
  assert.deepEqual(spansOf("a.md", text).map(({ command }) => command), [
    "acme-lb check-config --config x",
  ]);
});
