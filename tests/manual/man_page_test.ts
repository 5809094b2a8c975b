/** The man page, read by the two programs that people read it with. */

import assert from "node:assert/strict";
import { manPage } from "../../lib/manual/man_page.ts";
import { lacking } from "../e2e/requirements.ts";
import { formatted, lint, READERS } from "./man_reader.ts";
import { HOSTILE, SAMPLE } from "./usage_sample.ts";

const page = manPage(SAMPLE, "1.2.3");

for (const reader of READERS) {
  const ignore = lacking({ for: `man page by ${reader}`, programs: [reader] });

  Deno.test({
    name: `${reader} finds nothing wrong with the man page`,
    ignore,
    fn: async () => assert.deepEqual(await lint(reader, page), []),
  });

  Deno.test({
    name: `${reader} shows hostile text as it is, filled and in lines of its own`,
    ignore,
    fn: async () => {
      const text = await formatted(reader, page);
      const filled = text.replace(/\s+/g, " ");
      assert.ok(filled.includes(HOSTILE.join(" ")), text);
      for (const line of HOSTILE) {
        assert.ok(text.split("\n").some((shown) => shown.trim() === line), line);
      }
    },
  });

  Deno.test({
    name: `${reader} takes no text for a request`,
    ignore,
    fn: async () => {
      const lines = [
        ".ab",
        "'ab",
        ".so /etc/passwd",
        "\\n(.s",
        "...",
        ".\\}",
        "\\",
        "-x --long-flag",
      ];
      const notes = lines.map((line) => `.${line}\n\n${line} follows\n\n  ${line}`).join("\n\n");
      const commands = [{ ...SAMPLE.commands[0]!, notes, summary: ".so x" }];
      const odd = manPage({ ...SAMPLE, commands, description: ".so /etc/passwd" }, "1");
      assert.deepEqual(await lint(reader, odd), []);
      const text = await formatted(reader, odd);
      for (const line of lines) {
        assert.ok(text.split("\n").some((shown) => shown.trim() === line), `${line} in ${text}`);
        assert.ok(text.includes(`${line} follows`), `${line} follows in ${text}`);
      }
    },
  });
}

Deno.test("the man page has every section, in the order that readers expect", () => {
  const headings = [...page.matchAll(/^\.SH "(.*)"$/mg)].map((match) => match[1]);
  assert.deepEqual(headings, [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "COMMANDS",
    "OPTIONS",
    "FILES",
    "ENVIRONMENT",
    "EXIT STATUS",
    "SIGNALS",
    "EXAMPLES",
    "SEE ALSO",
  ]);
});

Deno.test("the man page of a version is the same each time", () => {
  assert.deepEqual(manPage(SAMPLE, "1.2.3"), page);
  assert.ok(page.includes("sample 1.2.3"));
});
