/** Warnings about a webroot whose files cannot be served, for the user that runs the check. */

import assert from "node:assert/strict";
import { layoutDoubt, silentWebroots, webrootWarnings } from "../../lib/config/webroot_warnings.ts";

async function webroot(): Promise<{ path: string; base: string } & AsyncDisposable> {
  const base = await Deno.makeTempDir();
  const path = `${base}/webroot`;
  await Deno.mkdir(`${path}/.well-known/acme-challenge`, { recursive: true });
  await Deno.mkdir(`${base}/elsewhere`);
  return { path, base, [Symbol.asyncDispose]: () => Deno.remove(base, { recursive: true }) };
}

Deno.test("webrootWarnings() is empty for a correct webroot", async () => {
  await using dir = await webroot();
  assert.deepEqual(await webrootWarnings(dir.path), []);
  assert.deepEqual(await silentWebroots([dir.path, `${dir.base}/none`]), []);
  await Deno.remove(`${dir.path}/.well-known`, { recursive: true });
  assert.deepEqual(await webrootWarnings(dir.path), []);
});

Deno.test("webrootWarnings() names each fault and what to do", async () => {
  const table: [string, (dir: { path: string; base: string }) => Promise<void>, RegExp][] = [
    ["missing", ({ path }) => Deno.remove(path, { recursive: true }), /does not exist yet/],
    ["a file", async ({ path }) => {
      await Deno.remove(path, { recursive: true });
      await Deno.writeTextFile(path, "");
    }, /is not a directory/],
    ["open to all", ({ path }) => Deno.chmod(path, 0o777), /chmod o-w/],
    ["its nested directory is a link", async ({ path, base }) => {
      await Deno.remove(`${path}/.well-known/acme-challenge`);
      await Deno.symlink(`${base}/elsewhere`, `${path}/.well-known/acme-challenge`);
    }, /acme-challenge is a symbolic link, and nothing is served through one/],
    ["the directory above it is a link", async ({ path, base }) => {
      await Deno.remove(`${path}/.well-known`, { recursive: true });
      await Deno.symlink(`${base}/elsewhere`, `${path}/.well-known`);
    }, /\.well-known is a symbolic link/],
    ["a dangling link", async ({ path }) => {
      await Deno.remove(`${path}/.well-known/acme-challenge`);
      await Deno.symlink("/nonexistent", `${path}/.well-known/acme-challenge`);
    }, /is a symbolic link/],
  ];
  for (const [name, make, expected] of table) {
    await using dir = await webroot();
    await make(dir);
    const [line = ""] = await webrootWarnings(dir.path);
    assert.match(line, expected, name);
    assert.match(line, /^webroot: \//, name);
  }
  await using dir = await webroot();
  assert.deepEqual(await layoutDoubt(dir.path), undefined);
});

Deno.test("webrootWarnings() does not take a pause of this process for a dead disk", async () => {
  await using dir = await webroot();
  const looked = Promise.all([webrootWarnings(dir.path), silentWebroots([dir.path])]);
  for (const until = performance.now() + 1_100; performance.now() < until;);
  assert.deepEqual(await looked, [[], []]);
});
