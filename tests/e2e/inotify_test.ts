/** The watch for challenges sees what a loop that lists the directory misses. */

import assert from "node:assert/strict";
import { watchDirectories } from "./inotify.ts";
import { lacking } from "./requirements.ts";
import { temporaryFolder } from "../temporary_folder.ts";

Deno.test({
  name: "watchDirectories() tells of every file, however short its life",
  ignore: lacking({ for: "a watch of directories", programs: ["sh"] }),
  async fn() {
    await using folder = await temporaryFolder();
    const directory = folder.path;
    const [flat, nested] = [`${directory}/flat`, `${directory}/nested`];
    for (const path of [flat, nested]) await Deno.mkdir(path);
    using watch = watchDirectories([flat, nested]);
    const expected = [];
    for (let i = 0; i < 1000; i++) {
      const [made, moved] = [`made-${i}`, `moved-${i}`];
      await Deno.writeTextFile(`${flat}/${made}`, "");
      await Deno.rename(`${flat}/${made}`, `${nested}/${moved}`);
      await Deno.remove(`${nested}/${moved}`);
      expected.push({ directory: flat, name: made }, { directory: nested, name: moved });
    }
    assert.deepEqual(watch.take(), expected);
    assert.deepEqual(watch.take(), []);
  },
});

Deno.test({
  name: "watchDirectories() refuses what is no directory",
  ignore: lacking({ for: "a watch of directories", programs: ["sh"] }),
  fn() {
    const file = new URL(import.meta.url).pathname;
    assert.throws(() => watchDirectories([file]), /cannot watch .*inotify_test\.ts/);
  },
});
