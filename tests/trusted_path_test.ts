import assert from "node:assert/strict";
import { lchown } from "node:fs/promises";
import {
  actorIn,
  countFixed,
  type Directory,
  isClosed,
  UntrustedLinkError,
  walk,
} from "../lib/trusted_path.ts";
import { temporaryFolder } from "./temporary_folder.ts";

const ME = Deno.uid()!;
const STRANGER = 65533;

/** Directories from / on, each as OWNER:MODE. */
function directories(...facts: [uid: number, mode: number][]): Directory[] {
  return facts.map(([uid, mode], i) => ({ path: `/${i}`, uid, gid: uid, mode }));
}

Deno.test("isClosed() is true where nobody but root and the caller can write", () => {
  const table: [uid: number, mode: number, closed: boolean][] = [
    [0, 0o755, true],
    [ME, 0o700, true],
    [0, 0o775, false],
    [0, 0o757, false],
    [0, 0o1777, false],
    [ME, 0o2775, false],
    [STRANGER, 0o755, false],
    [STRANGER, 0o500, false],
  ];
  for (const [uid, mode, closed] of table) {
    const [directory] = directories([uid, mode]);
    assert.equal(isClosed(directory!), closed, `${uid} ${mode.toString(8)}`);
  }
});

Deno.test("countFixed() and actorIn() say which directory can be replaced, and who should write there", () => {
  const root: [number, number] = [0, 0o755];
  const table: [what: string, facts: [number, number][], fixed: number, by: number | undefined][] =
    [
      ["all of root", [root, root, root], 3, undefined],
      ["ours in a sticky directory", [root, [0, 0o1777], [ME, 0o700], root], 4, undefined],
      ["a stranger's own is the last", [root, [STRANGER, 0o755]], 2, undefined],
      ["root's below a stranger's", [root, [STRANGER, 0o755], root], 2, undefined],
      [
        "a stranger's below a stranger's",
        [root, [STRANGER, 0o755], [STRANGER, 0o755]],
        2,
        STRANGER,
      ],
      ["a stranger's in a sticky directory", [root, [0, 0o1777], [STRANGER, 0o755]], 2, STRANGER],
      ["root's in a group's directory", [root, [0, 0o775], root], 2, undefined],
      ["a stranger's in a group's directory", [root, [0, 0o2775], [STRANGER, 0o755]], 2, STRANGER],
      ["in a stranger's sticky directory", [root, [STRANGER, 0o1777], [65532, 0o755]], 2, STRANGER],
      ["further down", [root, [STRANGER, 0o755], root, root, [65532, 0o700]], 2, STRANGER],
    ];
  for (const [what, facts, fixed, by] of table) {
    const all = directories(...facts);
    assert.equal(countFixed(all), fixed, what);
    assert.equal(actorIn(all)?.uid, by, what);
  }
});

Deno.test("walk() resolves as the system does, and stops where something is missing", async () => {
  await using folder = await temporaryFolder();
  const top = folder.path;
  await Deno.mkdir(`${top}/a/b`, { recursive: true });
  await Deno.writeTextFile(`${top}/a/b/file`, "");
  await Deno.symlink("a/b", `${top}/relative`);
  await Deno.symlink(`${top}/a/../relative/.`, `${top}/absolute`);
  await Deno.symlink("nowhere/x", `${top}/dangling`);
  await Deno.symlink("loop", `${top}/loop`);
  const table: [path: string, at: string, rest: string[]][] = [
    ["a/b/file", "a/b", ["file"]],
    ["relative/file", "a/b", ["file"]],
    ["absolute//file", "a/b", ["file"]],
    ["relative/../b/./file", "a/b", ["file"]],
    ["absolute", "a/b", []],
    ["a/x/y", "a", ["x", "y"]],
    ["dangling/z", "", ["nowhere", "x", "z"]],
  ];
  for (const [path, at, rest] of table) {
    const walked = await walk(`${top}/${path}`);
    assert.equal(walked.directories.at(-1)!.path, at === "" ? top : `${top}/${at}`, path);
    assert.deepEqual(walked.rest, rest, path);
  }
  const stopped = await walk(`${top}/absolute`, { stopAtLink: true });
  assert.deepEqual([stopped.rest, stopped.info?.isSymlink], [["absolute"], true]);
  await assert.rejects(walk(`${top}/loop`), Deno.errors.FilesystemLoop);
  await assert.rejects(walk(`${top}/a/b/file/x`), Deno.errors.NotADirectory);
});

Deno.test({
  name: "walk() follows no link that another user could have created or could replace",
  ignore: ME !== 0,
  fn: async () => {
    await using folder = await temporaryFolder();
    const top = folder.path;
    const at = (path: string) => `${top}/${path}`;
    const directory = async (name: string, uid: number, mode: number) => {
      await Deno.mkdir(at(name));
      await Deno.chown(at(name), uid, uid);
      await Deno.chmod(at(name), mode);
    };
    await Deno.chmod(top, 0o755);
    await directory("real", 0, 0o755);
    const table: [name: string, uid: number, mode: number, link: number, followed: boolean][] = [
      ["ours", 0, 0o755, 0, true],
      ["planted", 0, 0o755, STRANGER, false],
      ["group", 0, 0o775, 0, false],
      ["world", 0, 0o777, 0, false],
      ["sticky", 0, 0o1777, 0, false],
      ["sticky-planted", 0, 0o1777, STRANGER, false],
      ["strangers", STRANGER, 0o755, 0, false],
      ["strangers-own", STRANGER, 0o755, STRANGER, false],
    ];
    for (const [name, uid, mode, link, followed] of table) {
      await directory(name, uid, mode);
      await Deno.mkdir(at(`${name}/below`));
      for (const place of [name, `${name}/below`]) {
        await Deno.symlink(at("real"), at(`${place}/link`));
        await lchown(at(`${place}/link`), link, link);
        for (const path of [`${place}/link`, `${place}/link/file`]) {
          // In a sticky directory nobody else can rename a file of root.
          const safe = followed || (name === "sticky" && place.endsWith("below"));
          if (safe) assert.equal((await walk(at(path))).directories.at(-1)!.path, at("real"));
          else await assert.rejects(walk(at(path)), UntrustedLinkError, path);
        }
      }
    }
  },
});
