/**
 * examples/ as a whole: each part of it is loaded by its own program in some test, and its scripts
 * are scripts.
 */

import assert from "node:assert/strict";
import { works } from "../works.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Where each part is loaded, by a test that names it. */
const LOADED_IN: Record<string, string> = {
  "article": "tests/render/examples_test.ts",
  "config.yaml": "tests/render/examples_test.ts",
  "demo.ts": "install.sh",
  "demo_fleet.ts": "tests/fleet_test.ts",
  "hooks": "tests/e2e/hooks.ts",
  "monitoring": "tests/monitoring_examples_test.ts",
  "nginx-migration": "tests/e2e/nginx.ts",
  "systemd": "tests/render/systemd_test.ts",
};

Deno.test("each part of examples/ is loaded in a test, or by the commands of a page", async () => {
  const parts = await Array.fromAsync(Deno.readDir(`${ROOT}examples`), ({ name }) => name);
  assert.deepEqual(parts.sort(), Object.keys(LOADED_IN).sort());
  for (const [part, test] of Object.entries(LOADED_IN)) {
    const text = await Deno.readTextFile(`${ROOT}${test}`);
    const named = text.includes(`examples/${part}`) ||
      (text.includes('examples/"') || text.includes("examples/`")) && text.includes(part);
    assert.ok(named, `${test} does not name examples/${part}`);
  }
});

Deno.test("each hook of an ACME client is named on the page whose commands are run", async () => {
  const page = await Deno.readTextFile(`${ROOT}docs/clients.md`);
  for (const path of await filesBelow("examples/hooks")) assert.ok(page.includes(path), path);
});

const scripts = await filesBelow("examples/hooks");

Deno.test("executable files there are valid shell scripts, and no other file is executable", async () => {
  for (const path of scripts) {
    const file = `${ROOT}${path}`;
    const script = (await Deno.readTextFile(file)).startsWith("#!/bin/sh\n");
    assert.equal(((await Deno.stat(file)).mode! & 0o111) !== 0, script, path);
    if (script) assert.ok(await works("sh", { args: ["-n", file] }), path);
  }
});

const shellcheck = await works("shellcheck", { args: ["--version"] });
// deno-lint-ignore no-console -- the reason belongs beside the test's "ignored" line
if (!shellcheck) console.error("skipped: scripts of examples/ under shellcheck: not installed");

Deno.test({
  name: "the scripts there are clean under shellcheck",
  ignore: !shellcheck,
  async fn() {
    const shell = [];
    for (const path of scripts) {
      if ((await Deno.readTextFile(`${ROOT}${path}`)).startsWith("#!/bin/sh\n")) shell.push(path);
    }
    const { stdout } = await new Deno.Command("shellcheck", { args: shell, cwd: ROOT }).output();
    assert.equal(new TextDecoder().decode(stdout), "");
  },
});

/** Paths from the checkout. */
async function filesBelow(folder: string): Promise<string[]> {
  const paths = [];
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}${folder}`)) {
    const path = `${folder}/${name}`;
    paths.push(...isDirectory ? await filesBelow(path) : [path]);
  }
  return paths.sort();
}
