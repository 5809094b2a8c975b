import assert from "node:assert/strict";
import { JobError } from "../lib/errors.ts";
import { lockFile, lockTarget } from "../lib/file_lock.ts";
import { inTemporaryFolder } from "./temporary_folder.ts";

Deno.test("lockTarget() blocks the next caller until it is disposed", () =>
  inTemporaryFolder(async (directory) => {
    const order: string[] = [];
    let waiting: Promise<void>;
    {
      using lock = await lockTarget(`${directory}/a.pem`);
      assert.equal(lock.path, `${directory}/.acme-lb.lock`);
      waiting = lockTarget(`${directory}/b.pem`).then((other) => {
        order.push("second");
        other[Symbol.dispose]();
      });
      await new Promise((resolve) => setTimeout(resolve, 200));
      order.push("first");
    }
    await waiting;
    assert.deepEqual(order, ["first", "second"]);
  }));

Deno.test("lockTarget() gives up after its wait, naming file and time", () =>
  inTemporaryFolder(async (directory) => {
    using lock = await lockTarget(`${directory}/a.pem`);
    await assert.rejects(lockTarget(`${directory}/a.pem`, { waitMs: 100 }), (error) => {
      assert.ok(error instanceof JobError);
      assert.match(error.message, /another process has held it for 0\.1 s/);
      assert.ok(error.message.includes(lock.path));
      return true;
    });
  }));

Deno.test("lockTarget() of a symlink locks the directory of the real file", () =>
  inTemporaryFolder(async (directory) => {
    await Deno.mkdir(`${directory}/real`);
    await Deno.symlink("real/a.pem", `${directory}/a.pem`);
    using lock = await lockTarget(`${directory}/a.pem`);
    assert.equal(lock.path, `${directory}/real/.acme-lb.lock`);
  }));

Deno.test("lockFile() makes a file that nobody else can open, and leaves it", () =>
  inTemporaryFolder(async (directory) => {
    const path = `${directory}/.lock`;
    (await lockFile(path))[Symbol.dispose]();
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  }));

Deno.test("lockFile() is free again when its holder has been killed", () =>
  inTemporaryFolder(async (directory) => {
    const path = `${directory}/.lock`;
    const module = new URL("../lib/file_lock.ts", import.meta.url).href;
    const code = `const { lockFile } = await import(${JSON.stringify(module)});
      await lockFile(${JSON.stringify(path)}); console.log("held"); setInterval(() => {}, 1000);`;
    const holder = new Deno.Command(Deno.execPath(), {
      args: ["eval", code],
      stdout: "piped",
    }).spawn();
    const reader = holder.stdout.getReader();
    await reader.read();
    await assert.rejects(lockFile(path, { waitMs: 50 }), JobError);
    holder.kill("SIGKILL");
    (await lockFile(path, { waitMs: 30_000 }))[Symbol.dispose]();
    await reader.cancel();
    await holder.status;
  }));

Deno.test("lockFile() refuses a link, a directory and a missing place", () =>
  inTemporaryFolder(async (directory) => {
    await Deno.writeTextFile(`${directory}/file`, "");
    await Deno.symlink("file", `${directory}/link`);
    for (const name of ["link", "", "missing/lock"]) {
      await assert.rejects(lockFile(`${directory}/${name}`), JobError, name);
    }
  }));
