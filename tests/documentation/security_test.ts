/** docs/security.md: each defence is shown by a test that exists. */

import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url).pathname;

Deno.test("every threat in docs/security.md names an existing test", async () => {
  const page = await Deno.readTextFile(`${ROOT}docs/security.md`);
  const table = page.split("\n").filter((line) => /^\| /.test(line)).slice(1);
  const rows = table.filter((line) => !line.startsWith("| ---"));
  assert.ok(rows.length > 30, `only ${rows.length} rows`);
  const wrong = [];
  for (const row of rows) {
    const match = /`(tests\/[\w/]+\.ts)`: (.*?) \|$/.exec(row);
    const text = match && await Deno.readTextFile(`${ROOT}${match[1]}`).catch(() => undefined);
    // A long name may stand over two lines of the source.
    const found = text?.replaceAll(/"\s*\+\s*"/g, "").includes(match![2]!);
    if (!found) wrong.push(row);
  }
  assert.deepEqual(wrong, []);
});
