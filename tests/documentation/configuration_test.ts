/**
 * docs/configuration.md: its table is the schema's own keys, defaults and descriptions.
 *
 * `deno run -A tests/documentation/configuration_test.ts` writes the table after a change.
 */

import assert from "node:assert/strict";
import { configKeys } from "../../lib/config/schema.ts";

const PAGE = new URL("../../docs/configuration.md", import.meta.url);
const BEGIN = "<!-- keys: written from lib/config/schema.ts -->\n";
const END = "<!-- end of keys -->\n";

/** The rows of the table, as the schema has them. */
function table(): string {
  const rows = configKeys().map(({ key, fallback, description }) => {
    const shown = fallback === null || fallback === undefined ? "" : `\`${plain(fallback)}\``;
    return `| \`${key}\` | ${shown} | ${description.replaceAll("|", "\\|")} |\n`;
  });
  return ["| key | default | meaning |\n", "| --- | --- | --- |\n", ...rows].join("");
}

/** As an operator would write it. */
function plain(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function parts(page: string): { before: string; table: string; after: string } {
  const [before, rest] = page.split(BEGIN);
  const [rows, after] = rest?.split(END) ?? [];
  assert.ok(rows !== undefined && after !== undefined, "the marks around the table are missing");
  return { before: before!, table: rows, after };
}

Deno.test("docs/configuration.md has each key of the schema with its default and description", async () => {
  assert.equal(parts(await Deno.readTextFile(PAGE)).table, table());
});

if (import.meta.main) {
  const { before, after } = parts(await Deno.readTextFile(PAGE));
  await Deno.writeTextFile(PAGE, before + BEGIN + table() + END + after);
}
