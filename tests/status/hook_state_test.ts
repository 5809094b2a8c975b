import assert from "node:assert/strict";
import { boundFiles } from "../../lib/bounded_files.ts";
import {
  type FinishedRun,
  leaveHookState,
  readHookStates,
  runToTell,
} from "../../lib/status/hook_state.ts";
import { temporary } from "../commands/server_process.ts";

const AT = Date.parse("2026-11-25T12:00:00Z");
const OUT = "/etc/haproxy/certs/service.example.pem";
const leaf = {
  names: ["service.example"],
  serial: "04A1",
  issuer: "CN=E7",
  not_before: "2026-11-25T11:00:00Z",
  not_after: "2027-02-23T11:00:00Z",
};
const done = { client: "certbot", out: OUT, ok: true, text: "", renewed: true, leaf };
const failed = {
  ...done,
  ok: false,
  text: "the key does not fit the leaf",
  renewed: false,
  leaf: undefined,
};

Deno.test("the state of a hook reads back as one run for each target, and a renewal is remembered", async () => {
  await using folder = await temporary();
  const leave = (outcome: FinishedRun, at: number) =>
    leaveHookState(folder.path, outcome, { now: () => at });
  assert.deepEqual(await leave(done, AT), undefined);
  await leave({ ...done, renewed: false }, AT + 60_000);
  await leave(failed, AT + 120_000);
  await leave({ ...done, out: "/other.pem" }, AT);
  const states = await readHookStates(folder.path, boundFiles());
  assert.deepEqual(states.toSorted((a, b) => a.out < b.out ? -1 : 1), [
    {
      client: "certbot",
      out: OUT,
      ok: false,
      text: failed.text,
      at: "2026-11-25T12:02:00Z",
      renewed_at: "2026-11-25T12:00:00Z",
      leaf,
    },
    {
      client: "certbot",
      out: "/other.pem",
      ok: true,
      text: "",
      at: "2026-11-25T12:00:00Z",
      renewed_at: "2026-11-25T12:00:00Z",
      leaf,
    },
  ]);
  assert.deepEqual(runToTell(states)?.out, OUT);
});

Deno.test("the file may be read by all, as the server is another user", async () => {
  await using folder = await temporary();
  await leaveHookState(folder.path, done);
  const [name] = await Array.fromAsync(Deno.readDir(folder.path), ({ name }) => name);
  assert.match(name!, /^hook-[0-9a-f]{16}\.json$/);
  assert.deepEqual((await Deno.stat(`${folder.path}/${name}`)).mode! & 0o777, 0o644);
});

Deno.test("without the directory nothing is kept or reported; a file in its place is reported", async () => {
  await using folder = await temporary();
  assert.deepEqual(await leaveHookState(`${folder.path}/none`, done), undefined);
  assert.deepEqual(await readHookStates(`${folder.path}/none`, boundFiles()), []);
  await Deno.writeTextFile(`${folder.path}/file`, "");
  assert.match((await leaveHookState(`${folder.path}/file`, done))!, /is no directory/);
});

Deno.test("a planted link is replaced and not followed; what is no state is passed over", async () => {
  await using folder = await temporary();
  await leaveHookState(folder.path, done);
  const [name] = await Array.fromAsync(Deno.readDir(folder.path), ({ name }) => name);
  const path = `${folder.path}/${name}`;
  const victim = `${folder.path}/victim`;
  await Deno.writeTextFile(victim, "kept");
  await Deno.remove(path);
  await Deno.symlink(victim, path);
  await leaveHookState(folder.path, failed);
  assert.deepEqual(await Deno.readTextFile(victim), "kept");
  const others = ["{}", "not JSON", '{"at":"tomorrow"}', "x".repeat(100_000)];
  for (const [i, text] of others.entries()) {
    await Deno.writeTextFile(`${folder.path}/hook-000000000000000${i}.json`, text);
  }
  assert.deepEqual((await readHookStates(folder.path, boundFiles())).map(({ ok }) => ok), [false]);
});

Deno.test("runToTell() prefers the last failed run, of any age, to later successful ones", () => {
  const state = (ok: boolean, at: string) => ({ ...done, ok, at, renewed_at: null, leaf: null });
  assert.deepEqual(runToTell([]), null);
  const told = runToTell([
    state(true, "2026-11-25T12:00:00Z"),
    state(false, "2026-11-20T12:00:00Z"),
    state(false, "2026-11-21T12:00:00Z"),
  ]);
  assert.deepEqual([told!.ok, told!.at], [false, "2026-11-21T12:00:00Z"]);
  assert.deepEqual(runToTell([state(true, "2026-11-25T12:00:00Z")])?.ok, true);
});
