/** Webroots side by side: which answer counts, and what a file system that does not answer costs. */

import assert from "node:assert/strict";
import type { TokenFile } from "../../lib/http/token_file.ts";
import { findInWebroots, type Webroot, Webroots } from "../../lib/http/webroots.ts";
import { ManualClock } from "../manual_clock.ts";

const FOUND: TokenFile = { kind: "found", body: "tok.thumb", path: "/a/tok" };
const ABSENT: TokenFile = { kind: "absent", faults: [] };
const CLOSED: TokenFile = {
  kind: "unreadable",
  faults: [{ path: "/a/tok", fault: "unreadable" }, { path: "/a/.w/tok", fault: "unreadable" }],
};

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A clock that the test moves, with a turn of the event loop on either side. */
class HandClock extends ManualClock {
  async pass(ms: number): Promise<void> {
    await turn();
    this.advance(ms);
    await turn();
  }
}

/** Webroots whose reads end when the test says so; `/dead…` never does by itself. */
function laboratory(paths: string[], files: Record<string, TokenFile> = {}) {
  const clock = new HandClock();
  const log: string[] = [];
  const hanging: { path: string; end: (file: TokenFile) => void }[] = [];
  const state = { dead: true };
  const note = (event: string, fields?: { webroot?: unknown }) =>
    void log.push(`${event} ${fields?.webroot}`);
  const all = new Webroots({
    clock,
    log: { info: note, warn: note },
    read: (path) =>
      path.startsWith("/dead") && state.dead
        ? new Promise((end) => hanging.push({ path, end }))
        : Promise.resolve(files[path] ?? ABSENT),
  });
  const webroots = all.of(paths);
  const find = (token: string) => findInWebroots(webroots, { token, source: "192.0.2.1" });
  return { clock, log, hanging, state, all, webroots, find };
}

const kindOf = async (finding: Promise<{ kind: string }>) => (await finding).kind;

Deno.test("findInWebroots() returns the token, else the most severe of the outcomes", async () => {
  const table: [Record<string, TokenFile>, string][] = [
    [{}, "absent"],
    [{ "/a": FOUND }, "found"],
    [{ "/b": FOUND }, "found"],
    [{ "/a": CLOSED, "/b": FOUND }, "found"],
    [{ "/a": CLOSED }, "unreadable"],
    [{ "/b": CLOSED, "/c": CLOSED }, "unreadable"],
  ];
  for (const [files, kind] of table) {
    assert.deepEqual(await kindOf(laboratory(["/a", "/b", "/c"], files).find("tok")), kind);
  }
  assert.deepEqual(await kindOf(findInWebroots([], { token: "tok", source: "" })), "absent");
});

Deno.test("a webroot that does not answer does not delay a token of another", async () => {
  const { find, clock, log, all } = laboratory(["/a", "/dead"], { "/a": FOUND });
  assert.deepEqual(await kindOf(find("tok")), "found");
  const missing = laboratory(["/a", "/dead"]);
  const finding = missing.find("tok");
  await missing.clock.pass(1_001);
  assert.deepEqual(await kindOf(finding), "silent");
  // From now on it is not waited for at all.
  assert.deepEqual(await kindOf(missing.find("tok")), "silent");
  assert.deepEqual(missing.log, ["webroot_silent /dead"]);
  assert.deepEqual(missing.all.states(), [
    { path: "/a", fault: undefined },
    { path: "/dead", fault: "silent" },
  ]);
  await clock.pass(1_001);
  assert.deepEqual([log, all.states()[1]!.fault], [["webroot_silent /dead"], "silent"]);
});

Deno.test("dead webroots block few threads for any number of requested tokens", async () => {
  const table: [string[], number][] = [
    [["/dead"], 12],
    [["/a", "/dead"], 6],
    [["/dead1", "/dead2", "/dead3", "/dead4"], 12],
    [Array.from({ length: 16 }, (_, i) => `/dead${i}`), 16],
    [[...Array.from({ length: 15 }, (_, i) => `/dead${i}`), "/a"], 15],
  ];
  for (const [paths, threads] of table) {
    const { find, hanging, clock } = laboratory(paths, { "/a": FOUND });
    for (let second = 0; second < 100; second++) {
      for (let i = 0; i < 20; i++) void find(`scan${second}-${i}`);
      await turn();
      if (paths.includes("/a")) assert.deepEqual(await kindOf(find("tok")), "found");
      await clock.pass(1_001);
    }
    // Those of the first moment, and four with which it is tried whether they answer again.
    assert.ok(hanging.length <= threads + 4, `${paths.length}: ${hanging.length}`);
  }
});

Deno.test("a silent webroot is tried from time to time, and used again once it answers", async () => {
  const { find, hanging, clock, log, state, webroots } = laboratory(["/dead"], { "/dead": FOUND });
  void find("tok");
  await clock.pass(1_001);
  const first = hanging.length;
  await clock.pass(5_000);
  assert.deepEqual(await kindOf(find("tok")), "silent");
  assert.deepEqual(hanging.length, first, "not before its time");
  await clock.pass(5_000);
  const trying = find("tok");
  assert.deepEqual(hanging.length, first + 1);
  for (let i = 0; i < 5; i++) assert.deepEqual(await kindOf(find("tok")), "silent");
  await clock.pass(60_000);
  assert.deepEqual(await kindOf(trying), "silent");
  assert.deepEqual(hanging.length, first + 1, "one at a time");
  // The server is back, so the reads that hung end.
  state.dead = false;
  for (const { end } of hanging) end(ABSENT);
  await turn();
  assert.deepEqual([await kindOf(find("tok")), webroots[0]!.fault], ["found", undefined]);
  assert.deepEqual(log, ["webroot_silent /dead", "webroot_answers /dead"]);
});

Deno.test("a webroot that was mounted anew is found by trying it", async () => {
  const { find, clock, state, webroots } = laboratory(["/dead"], { "/dead": FOUND });
  void find("tok");
  await clock.pass(1_001);
  // A read that hangs on the old mount never returns.
  state.dead = false;
  await clock.pass(10_001);
  assert.deepEqual([await kindOf(find("tok")), webroots[0]!.fault], ["found", undefined]);
});

Deno.test("the state of a webroot is kept when the configuration is read again", async () => {
  const { find, clock, all, log } = laboratory(["/a", "/dead"]);
  void find("tok");
  await clock.pass(1_001);
  const again = all.of(["/dead", "/b"]);
  const ask = (webroots: readonly Webroot[]) =>
    kindOf(findInWebroots(webroots, { token: "tok", source: "" }));
  assert.deepEqual(await ask(again), "silent");
  assert.deepEqual(all.states().map(({ path }) => path), ["/dead", "/b"]);
  assert.deepEqual(log, ["webroot_silent /dead"], "named once");
  assert.deepEqual(await ask(all.of(["/b"])), "absent");
});

Deno.test("a webroot that this user cannot enter is reported once; a single unreadable token is not", async () => {
  const files: Record<string, TokenFile> = { "/a": CLOSED };
  const { find, all, log } = laboratory(["/a", "/b"], files);
  for (let i = 0; i < 3; i++) await find("tok");
  assert.deepEqual([all.states()[0]!.fault, log], ["unreadable", ["webroot_unreadable /a"]]);
  files["/a"] = ABSENT;
  await find("tok");
  assert.deepEqual(all.states()[0]!.fault, undefined);
  files["/b"] = { kind: "unreadable", faults: [{ path: "/b/tok", fault: "not_public" }] };
  await find("tok");
  assert.deepEqual([all.states()[1]!.fault, log.length], [undefined, 1]);
});

Deno.test("a webroot that cannot be read is reported with the reason of the system", async () => {
  const table: [string, RegExp][] = [
    ["permission denied (EACCES)", /^permission denied \(EACCES\); the user .* able to enter it$/],
    ["its symbolic links form a loop (ELOOP)", /^its symbolic links form a loop \(ELOOP\)$/],
    ["Transport endpoint is not connected", /^Transport endpoint is not connected$/],
  ];
  for (const [reason, expected] of table) {
    const faults = ["/a/tok", "/a/.w/tok"].map((path) => ({
      path,
      fault: "unreadable" as const,
      reason,
    }));
    const told: unknown[] = [];
    const webroots = new Webroots({
      log: { info: () => {}, warn: (_, fields) => void told.push(fields?.reason) },
      read: () => Promise.resolve({ kind: "unreadable", faults }),
    });
    await findInWebroots(webroots.of(["/a"]), { token: "tok", source: "" });
    assert.deepEqual(told.length, 1);
    assert.match(String(told[0]), expected);
  }
});
