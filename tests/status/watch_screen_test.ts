/** Looks that follow each other on a terminal of some size. */

import assert from "node:assert/strict";
import { watchScreen } from "../../lib/status/watch_screen.ts";
import { wrapped } from "../../lib/text_layout.ts";

const SIZE = { columns: 20, rows: 5 };
/** The lines that are seen, without what moves the cursor. */
// deno-lint-ignore no-control-regex
const seen = (screen: string) => screen.replace(/\x1b\[2?[HJK]/g, "").split("\n");

Deno.test("output is drawn over the previous one, and clears the rest of it", () => {
  assert.deepEqual(
    watchScreen("one\ntwo\n", { ...SIZE, first: false }),
    "\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J",
  );
  assert.ok(watchScreen("one\n", { ...SIZE, first: true }).startsWith("\x1b[H\x1b[2J"));
});

Deno.test("the first line stays on the screen for output of any length", () => {
  const lines = Array.from({ length: 30 }, (_, i) => `line ${i}`).join("\n");
  const drawn = seen(watchScreen(`${lines}\n`, { ...SIZE, first: false }));
  assert.deepEqual(drawn.slice(0, 3), ["line 0", "line 1", "line 2"]);
  assert.deepEqual([drawn.length, drawn[3]!.slice(0, 15)], [5, "… 27 more lines"]);
  const wide = seen(watchScreen("x".repeat(50), { ...SIZE, first: false }));
  assert.deepEqual(wide[0], `${"x".repeat(19)}…`);
  assert.deepEqual(seen(watchScreen(lines, { columns: 20, rows: 1, first: false })).length, 3);
});

Deno.test("paragraphs are wrapped between words, with their spaces and nothing lost", () => {
  const text = "fail  lb0: a word and_one_that_is_longer_than_the_line more";
  const lines = wrapped(text, { width: 20, indent: 6 });
  assert.deepEqual(lines, [
    "fail  lb0: a word",
    "      and_one_that_is_longer_than_the_line",
    "      more",
  ]);
  assert.deepEqual(wrapped(text, { width: undefined, indent: 6 }), [text]);
});
