import assert from "node:assert/strict";
import { findFiles, type Found } from "../lib/find_files.ts";

/** Runs the job in a directory of its own; a final slash makes a directory, `->` a link. */
async function inTree(
  entries: string[],
  job: (
    at: (name: string) => string,
    find: (...names: string[]) => Promise<Found>,
  ) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir();
  const at = (name: string) => name === "" ? root : `${root}/${name}`;
  try {
    for (const entry of entries) {
      const [name, target] = entry.split(" -> ") as [string, string?];
      if (target !== undefined) await Deno.symlink(target, at(name));
      else if (name.endsWith("/")) await Deno.mkdir(at(name), { recursive: true });
      else await Deno.writeTextFile(at(name), "x");
    }
    const leaveOut = (name: string) => name.startsWith(".") ? { note: "hidden" } : undefined;
    const strip = (text: string) => text.replaceAll(`${root}/`, "").replaceAll(root, "ROOT");
    await job(at, async (...names) => {
      const { files, notes } = await findFiles(names.map(at), { leaveOut });
      return {
        files: files.map((file) => ({
          ...file,
          path: strip(file.path),
          ...file.problem === undefined ? {} : { problem: strip(file.problem) },
        })),
        notes: notes.map(strip),
      };
    });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const met = (path: string) => ({ path, met: true });
const named = (path: string) => ({ path, met: false });

Deno.test("findFiles finds what is below a directory, in one order, and notes what it leaves out", async () => {
  await inTree(
    ["b", "a", "sub/", "sub/c", "sub/deep/", "sub/deep/d", ".hidden/", ".hidden/x", "sub/.x", "B"],
    async (_, find) => {
      assert.deepEqual(await find(""), {
        files: ["B", "a", "b", "sub/c", "sub/deep/d"].map(met),
        notes: [".hidden: hidden", "sub/.x: hidden"],
      });
      assert.deepEqual(await find("sub/", "a", "sub", "sub/c", ".hidden/x"), {
        files: [met("sub/c"), met("sub/deep/d"), named("a"), named(".hidden/x")],
        notes: ["sub/.x: hidden"],
      });
    },
  );
});

Deno.test("findFiles follows links once, and says where they lead nowhere", async () => {
  await inTree(
    [
      "dir/",
      "dir/a",
      "dir/up -> ..",
      "link -> dir",
      "file -> dir/a",
      "gone -> nowhere",
      "one -> two",
      "two -> one",
    ],
    async (_, find) => {
      const loop = "cannot be read: its symbolic links form a loop (ELOOP)";
      assert.deepEqual(await find(""), {
        files: [
          met("dir/a"),
          met("file"),
          {
            path: "gone",
            met: true,
            problem: "is a symbolic link to nowhere, which does not exist",
          },
          { path: "one", met: true, problem: loop },
          { path: "two", met: true, problem: loop },
        ],
        notes: [
          "dir/up: leads to a directory that is checked already",
          "link: leads to a directory that is checked already",
        ],
      });
      assert.deepEqual((await find("link")).files.slice(0, 1), [met("link/a")]);
    },
  );
});

Deno.test("findFiles has a problem for each thing that cannot be looked at, and opens no pipe", async () => {
  await inTree(["empty/", "quiet/", "quiet/.x", "a"], async (at, find) => {
    const fifo = await new Deno.Command("mkfifo", { args: [at("pipe")] }).output();
    assert.ok(fifo.success);
    const problems = async (...names: string[]) =>
      (await find(...names)).files.map(({ path, problem }) => `${path}: ${problem}`);
    assert.deepEqual(await problems("empty"), ["empty: no file to check is in it"]);
    assert.deepEqual(await problems("quiet"), ["quiet: no file to check is in it"]);
    assert.deepEqual(await problems("pipe"), [
      "pipe: is a pipe, socket or device; it was not opened",
    ]);
    assert.deepEqual(await problems("missing"), ["missing: there is no such file"]);
    assert.deepEqual(await problems("a/b"), [
      "a/b: cannot be read: a part of its path is not a directory (ENOTDIR)",
    ]);
    assert.deepEqual(await problems("*.pem", "x/*"), [
      "*.pem: no file to check fits this pattern",
      "x/*: no file to check fits this pattern",
    ]);
    const device = await findFiles(["/dev/null"], { leaveOut: () => undefined });
    assert.match(device.files[0]!.problem!, /device/);
  });
});

Deno.test("findFiles takes patterns in every part of a path, and a name before a pattern", async () => {
  await inTree(
    ["a/", "a/x.pem", "b/", "b/x.pem", "b/y.pem", ".c/", ".c/x.pem", "d.pem", "[ab]/", "[ab]/z"],
    async (_, find) => {
      const paths = async (...names: string[]) =>
        (await find(...names)).files.map(({ path }) => path);
      assert.deepEqual(await paths("*/x.pem"), ["a/x.pem", "b/x.pem"]);
      assert.deepEqual(await paths("b/*.pem"), ["b/x.pem", "b/y.pem"]);
      assert.deepEqual(await paths("?"), ["a/x.pem", "b/x.pem", "b/y.pem"]);
      assert.deepEqual(await paths("[ab]"), ["[ab]/z"]);
      assert.deepEqual(await paths("[ab]/x.pem"), ["a/x.pem", "b/x.pem"]);
      assert.deepEqual(await paths("*/y.pem", "b/y.pem"), ["b/y.pem"]);
      const { files, notes } = await find("*");
      assert.equal(files.length, 5);
      assert.deepEqual(notes, []);
    },
  );
});
