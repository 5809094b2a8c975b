import assert from "node:assert/strict";
import { parseKeyFileMode } from "../lib/file_mode.ts";

Deno.test("parseKeyFileMode takes three octal digits that leave others out", () => {
  for (const [text, mode] of [["600", 0o600], ["0640", 0o640], ["0400", 0o400], ["0770", 0o770]]) {
    assert.equal(parseKeyFileMode(text as string), mode);
  }
  for (
    const bad of [
      "",
      "6",
      "0644",
      "604",
      "0661",
      "4600",
      "00600",
      "0x180",
      "rw",
      "608",
      "0000",
      "200",
    ]
  ) {
    assert.throws(() => parseKeyFileMode(bad), SyntaxError, bad);
  }
});
