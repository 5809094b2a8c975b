/** What assemble-pem leaves of its runs for `serve`: through the whole program, as a hook is run. */

import assert from "node:assert/strict";
import { boundFiles } from "../../lib/bounded_files.ts";
import { readHookStates } from "../../lib/status/hook_state.ts";
import { issue, makeKey } from "../cert/issue.ts";
import { acmeLb } from "./program.ts";
import { temporary } from "./server_process.ts";

async function setUp(path: string, { mismatch = false } = {}): Promise<string[]> {
  const { pem, key } = await issue();
  await Deno.writeTextFile(`${path}/key.pem`, mismatch ? (await makeKey()).pem : key.pem);
  await Deno.writeTextFile(`${path}/fullchain.pem`, pem);
  await Deno.writeTextFile(`${path}/config.yaml`, `state: ${path}/state\n`);
  return [
    ...["assemble-pem", "--config", `${path}/config.yaml`, "--key", `${path}/key.pem`],
    ...["--fullchain", `${path}/fullchain.pem`, "--out", `${path}/out.pem`],
  ];
}

Deno.test("a run leaves how it ended with the certificate that is in place, and a failure keeps that", async () => {
  await using folder = await temporary();
  await Deno.mkdir(`${folder.path}/state`);
  assert.deepEqual((await acmeLb(await setUp(folder.path))).code, 0);
  const [done] = await readHookStates(`${folder.path}/state`, boundFiles());
  assert.deepEqual([done!.ok, done!.client, done!.text], [true, "assemble-pem", ""]);
  assert.deepEqual(done!.leaf!.names, ["service.example"]);
  assert.deepEqual(done!.renewed_at, done!.at);

  assert.deepEqual((await acmeLb(await setUp(folder.path, { mismatch: true }))).code, 1);
  const [failed, ...others] = await readHookStates(`${folder.path}/state`, boundFiles());
  assert.deepEqual([failed!.ok, others], [false, []]);
  assert.match(failed!.text, /is not written/);
  assert.deepEqual([failed!.leaf, failed!.renewed_at], [done!.leaf, done!.renewed_at]);
  const [name] = await Array.fromAsync(Deno.readDir(`${folder.path}/state`), ({ name }) => name);
  const text = await Deno.readTextFile(`${folder.path}/state/${name}`);
  assert.deepEqual(/PRIVATE|BEGIN/.test(text), false);
});

Deno.test("without the directory, or with a wrong configuration, a run does its work and leaves nothing", async () => {
  await using folder = await temporary();
  const args = await setUp(folder.path);
  const { code, stderr } = await acmeLb(args);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.deepEqual(await readHookStates(`${folder.path}/state`, boundFiles()), []);
});
