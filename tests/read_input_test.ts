import assert from "node:assert/strict";
import { readUnbounded, tryToRead } from "../lib/read_input.ts";
import { temporaryFolder } from "./temporary_folder.ts";

const MIB = 1024 * 1024;

Deno.test("tryToRead gives bytes and mode of regular files of any size, and of links to them", async () => {
  await using folder = await temporaryFolder();
  const directory = folder.path;
  for (const size of [0, 1, 4095, 4096, 70_000, MIB]) {
    const bytes = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
    const whole = new Uint8Array(size);
    for (let at = 0; at < size; at += 65_536) whole.set(bytes.subarray(0, size - at), at);
    await Deno.writeFile(`${directory}/file`, whole);
    await Deno.chmod(`${directory}/file`, 0o640);
    await Deno.remove(`${directory}/link`).catch(() => {});
    await Deno.symlink("file", `${directory}/link`);
    for (const name of ["file", "link"]) {
      assert.deepEqual(
        await tryToRead(`${directory}/${name}`),
        { bytes: whole, mode: 0o640 },
        `${size}`,
      );
    }
  }
});

Deno.test("tryToRead reads a file to its end when it says that it is empty, as those of /proc do", async () => {
  const read = await tryToRead("/proc/self/mountinfo");
  if ("bytes" in read) assert.ok(read.bytes.length > 10);
  // The compiled program may not open it; then it says so.
  else assert.match(read.reason, /may not open/);
});

Deno.test("tryToRead() gives the reason when a file cannot be read, and opens no pipe", async () => {
  await using folder = await temporaryFolder();
  const directory = folder.path;
  const at = (name: string) => `${directory}/${name}`;
  await Deno.writeFile(at("large"), new Uint8Array(MIB + 1));
  await Deno.mkdir(at("directory"));
  await Deno.symlink("loop", at("loop"));
  await Deno.symlink("nowhere", at("dangling"));
  assert.ok((await new Deno.Command("mkfifo", { args: [at("pipe")] }).output()).success);
  const table: [name: string, reason: RegExp, absent: boolean][] = [
    ["large", /larger than 1 MiB/, false],
    ["directory", /not a regular file/, false],
    ["pipe", /not a regular file/, false],
    ["loop", /form a loop/, false],
    ["dangling", /ENOENT/, true],
    ["missing", /ENOENT/, true],
    ["large/inside", /ENOTDIR/, false],
  ];
  for (const [name, reason, absent] of table) {
    for (const way of [tryToRead, readUnbounded]) {
      const read = await way(at(name));
      assert.ok("reason" in read, name);
      assert.match(read.reason, reason, name);
      assert.equal(read.absent, absent, name);
    }
  }
});
