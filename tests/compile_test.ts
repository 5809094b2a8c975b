/**
 * compile.ts from a copy of the tree: what a build gives does not depend on where or when it is
 * made, in either form.
 */

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import denoJson from "../deno.json" with { type: "json" };

const ROOT = new URL("..", import.meta.url).pathname;

/** Builds in a copy of the tree below `folder`; the bytes of the executable. */
async function build(folder: string, env: Record<string, string> = {}): Promise<Uint8Array> {
  const tree = await Deno.makeTempDir({ dir: folder });
  const sources = ["main.ts", "lib", "deno.json", "deno.lock", "compile.ts", "compile"];
  await run("cp", ["-r", ...sources.map((source) => ROOT + source), tree]);
  await run(Deno.execPath(), ["run", "--allow-all", "compile.ts"], { cwd: tree, env });
  return await Deno.readFile(`${tree}/dist/acme-lb`);
}

async function run(program: string, args: string[], options: Deno.CommandOptions = {}) {
  const { success, stderr } = await new Deno.Command(program, { args, ...options }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("compile gives the same file twice, of at most 45 MB when it carries the runtime", () =>
  inFolder(async (folder) => {
    const [first, second] = [await build(folder), await build(folder)];
    assert.ok(Buffer.from(first).equals(second));
    const carrying = first[0] === "#".charCodeAt(0);
    assert.ok(!carrying || first.length <= 45e6, `${first.length} bytes`);
  }));

Deno.test("compile embeds program and permissions in the base binary that DENORT_BIN names", () =>
  inFolder(async (folder) => {
    // Any ELF file will do for the embedding; this one only cannot run what it then holds.
    const base = await Deno.realPath("/bin/true");
    const [first, second] = [
      await build(folder, { DENORT_BIN: base }),
      await build(folder, { DENORT_BIN: base }),
    ];
    assert.ok(Buffer.from(first).equals(second));
    const text = new TextDecoder("latin1").decode(first);
    const permissions = JSON.parse(text.match(/"permissions":(\{[^{}]*\})/)![1]!);
    assert.deepEqual(
      {
        net: permissions.allow_net,
        read: permissions.allow_read,
        write: permissions.allow_write,
        env: permissions.allow_env,
        sys: permissions.allow_sys,
        run: permissions.allow_run,
        ffi: permissions.allow_ffi,
        import: permissions.deny_import,
        prompt: permissions.prompt,
      },
      {
        net: [], // an empty list allows all, null nothing
        read: [],
        write: [],
        env: denoJson.compile.permissions.env,
        sys: denoJson.compile.permissions.sys,
        run: null,
        ffi: null,
        import: [],
        prompt: false,
      },
    );
    assert.match(text, /Let's Encrypt HTTP-01/);
  }));

Deno.test("compile fails when the base binary that DENORT_BIN names is missing", () =>
  inFolder(async (folder) => {
    await assert.rejects(build(folder, { DENORT_BIN: `${folder}/none` }), /Could not find denort/);
  }));
