/** Operations on a file system that never answers, with a clock that is moved by hand. */

import assert from "node:assert/strict";
import { boundFiles, type FileSystem } from "../lib/bounded_files.ts";
import { SilentFileError } from "../lib/silent_file.ts";
import { SYSTEM_CLOCK } from "../lib/time.ts";
import { ManualClock } from "./manual_clock.ts";

/** Files; those below /dead do not answer until the test allows it. */
function halfDead(): FileSystem & { asked: string[]; revive(): void } {
  const asked: string[] = [];
  const { promise: forever, resolve } = Promise.withResolvers<void>();
  const answer = async <T>(path: string, value: T): Promise<T> => {
    asked.push(path);
    if (path.includes("/dead")) await forever;
    return value;
  };
  return {
    asked,
    revive: () => resolve(),
    stat: (path) => answer(path, { isFile: true } as Deno.FileInfo),
    readLink: (path) => answer(path, "x"),
    list: (path) => answer(path, []),
    read: (path) => answer(path, { bytes: new Uint8Array([1]) }),
  };
}

Deno.test("a read that does not finish ends at its deadline, and other reads are not affected", async () => {
  const [clock, system] = [new ManualClock(), halfDead()];
  const files = boundFiles({ patienceMs: 2000, clock, system });
  const questions: [what: string, ask: (path: string) => Promise<unknown>][] = [
    ["stat", files.stat],
    ["readLink", files.readLink],
    ["list", files.list],
  ];
  for (const [what, ask] of questions) {
    const hung = ask(`/dead/${what}`);
    clock.advance(1999);
    assert.deepEqual(await Promise.race([hung.catch(() => "ended"), "waiting"]), "waiting");
    clock.advance(1);
    await assert.rejects(hung, SilentFileError, what);
    assert.ok(await ask(`/alive/${what}`), what);
  }
  const hung = files.read("/dead/read");
  clock.advance(2000);
  const read = await hung;
  assert.match("reason" in read ? read.reason : "", /does not answer/);
  assert.deepEqual(await files.read("/alive/read"), { bytes: new Uint8Array([1]) });
});

Deno.test("a silent path, and paths below it, are not read again before its first read finishes", async () => {
  const [clock, system] = [new ManualClock(), halfDead()];
  const files = boundFiles({ clock, system });
  const hung = files.list("/mnt/dead");
  clock.advance(2000);
  await assert.rejects(hung, SilentFileError);
  const asked = system.asked.length;
  for (const path of ["/mnt/dead", "/mnt/dead/a", "/mnt/dead/a/b.pem"]) {
    await assert.rejects(
      files.stat(path),
      /was not looked at, because \/mnt\/dead does not answer/,
    );
  }
  assert.deepEqual(system.asked.length, asked);
  assert.ok(await files.stat("/mnt/alive"));
  assert.ok(await files.stat("/mnt/dea"));
  system.revive();
  await Promise.resolve();
  await new Promise((resolve) => setTimeout(resolve));
  assert.ok(await files.stat("/mnt/dead/a"));
});

Deno.test("three silent files in a row mark their directory as silent, unless others in it answer", async () => {
  const [clock, system] = [new ManualClock(), halfDead()];
  const files = boundFiles({ clock, system });
  const hang = async (path: string) => {
    const hung = files.read(path);
    clock.advance(2000);
    assert.ok("reason" in await hung);
  };
  for (let i = 0; i < 5; i++) {
    await hang(`/certs/dead${i}`);
    assert.ok("bytes" in await files.read(`/certs/good${i}`), `${i} are silent`);
  }
  for (let i = 5; i < 8; i++) await hang(`/certs/dead${i}`);
  const beside = await files.read("/certs/good");
  assert.match("reason" in beside ? beside.reason : "", /because \/certs does not answer/);
  assert.ok("bytes" in await files.read("/other/good"));
});

Deno.test("time in which the process itself stood still is not counted against a file", async () => {
  const waiting: (() => void)[] = [];
  const clock = {
    ...SYSTEM_CLOCK,
    schedule: (_ms: number, wake: () => void) => (waiting.push(wake), () => {}),
  };
  for (const hurry of [undefined, AbortSignal.abort()]) {
    const system = halfDead();
    const files = boundFiles({ patienceMs: 2000, hurry, clock, system });
    const asked = files.read("/dead/slow");
    // However late its timers come, each counts as an eighth of the wait: of 2 s, or in a hurry of 500 ms.
    for (let stalls = 1; stalls < 8; stalls++) waiting.pop()!();
    system.revive();
    assert.deepEqual(await asked, { bytes: new Uint8Array([1]) });
    const { read } = boundFiles({ hurry, clock, system: halfDead() });
    const hung = read("/dead/hung");
    for (let stalls = 0; stalls < 8; stalls++) waiting.pop()!();
    assert.ok("reason" in await hung);
  }
});

Deno.test("the number of blocked threads is bounded, and a short deadline is kept", async () => {
  const [clock, system] = [new ManualClock(), halfDead()];
  const files = boundFiles({ clock, system, maxSilent: 4, hurry: AbortSignal.abort() });
  for (let i = 0; i < 4; i++) {
    const hung = files.list(`/${i}/dead`);
    clock.advance(500);
    await assert.rejects(hung, SilentFileError);
  }
  await assert.rejects(files.stat("/alive"), /the file system, in 4 places, does not answer/);
});
