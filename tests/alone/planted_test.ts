/**
 * What root writes in directories of others, with links, files and directories planted there
 * beforehand: nothing outside changes, and no secret reaches another user.
 *
 * In a process of its own, because the tests change user and umask for the whole process.
 */
import assert from "node:assert/strict";
import { lchown } from "node:fs/promises";
import { atomicWrite, type AtomicWriteOptions, putBack } from "../../lib/atomic_write.ts";
import { JobError } from "../../lib/errors.ts";
import { findPlaces, placeFiles } from "../../lib/commands/place_files.ts";
import { lockFile, lockTarget } from "../../lib/file_lock.ts";
import { makeDirectory } from "../../lib/make_directory.ts";
import { readWithMode } from "../../lib/read_input.ts";
import { works } from "../works.ts";

const isRoot = Deno.uid() === 0;
const STRANGER = 65533;
const hasLists = isRoot && await keepsLists();
const SECRET = "root:secret";

/** Whether setfacl is there, and the file system of temporary folders keeps access control lists. */
async function keepsLists(): Promise<boolean> {
  const folder = await Deno.makeTempDir();
  try {
    const kept = await works("setfacl", { args: ["-m", `u:${STRANGER}:r`, folder] });
    // deno-lint-ignore no-console -- the reason belongs beside the tests' "ignored" lines
    if (!kept) console.error("skipped: access control lists: no setfacl, or none are kept here");
    return kept;
  } finally {
    await Deno.remove(folder);
  }
}

async function setList(path: string, ...flags: string[]): Promise<void> {
  const { success } = await new Deno.Command("setfacl", { args: [...flags, path] }).output();
  assert.ok(success, `setfacl ${flags.join(" ")}`);
}

interface Scene extends AsyncDisposable {
  at(name: string): string;
  directory(name: string, uid: number, mode: number): Promise<void>;
  link(name: string, to: string, uid?: number): Promise<void>;
  file(name: string, uid: number, options?: { text?: string; mode?: number }): Promise<void>;
  /** Fails unless everything below `etc` is as it was. */
  assertEtcUntouched(): Promise<void>;
}

/** A directory of root with `etc` in it, which holds a private file of root. */
async function scene(): Promise<Scene> {
  const top = await Deno.realPath(await Deno.makeTempDir({ prefix: "planted_" }));
  const at = (name: string) => `${top}/${name}`;
  await Deno.chmod(top, 0o755);
  await Deno.mkdir(at("etc"), { mode: 0o755 });
  await Deno.writeTextFile(at("etc/shadow"), SECRET, { mode: 0o600 });
  const state = async () => {
    const lines = [];
    for (const name of ["etc", "etc/shadow"]) {
      const { ino, mode, uid, gid } = await Deno.lstat(at(name));
      lines.push(`${name} ${ino} ${mode} ${uid} ${gid}`);
    }
    const names = await Array.fromAsync(Deno.readDir(at("etc")), ({ name }) => name);
    return [...lines, names.sort().join(), await Deno.readTextFile(at("etc/shadow"))].join("\n");
  };
  const before = await state();
  return {
    at,
    async directory(name, uid, mode) {
      await Deno.mkdir(at(name));
      await Deno.chown(at(name), uid, uid);
      await Deno.chmod(at(name), mode);
    },
    async link(name, to, uid = STRANGER) {
      await Deno.symlink(to, at(name));
      await lchown(at(name), uid, uid);
    },
    async file(name, uid, { text = "", mode = 0o600 } = {}) {
      await Deno.writeTextFile(at(name), text);
      await Deno.chown(at(name), uid, uid);
      await Deno.chmod(at(name), mode);
    },
    async assertEtcUntouched() {
      assert.equal(await state(), before);
    },
    [Symbol.asyncDispose]: () => Deno.remove(top, { recursive: true }),
  };
}

/** What a file came to: its owner and mode, or undefined when it is not a regular one. */
async function factsOf(path: string): Promise<string | undefined> {
  const info = await Deno.lstat(path).catch(() => undefined);
  return info?.isFile ? `${info.uid}:${info.gid} ${(info.mode! & 0o7777).toString(8)}` : undefined;
}

Deno.test({
  name: "a planted link is replaced or refused, and what it leads to stays as it was",
  ignore: !isRoot,
  fn: async (t) => {
    const kinds: [what: string, options: AtomicWriteOptions][] = [
      ["a report or token", { mode: 0o644, replaceLink: true }],
      ["a rendered file", { mode: 0o644 }],
      ["a private key", {}],
      ["a private key with an owner", { uid: STRANGER, gid: STRANGER }],
    ];
    const places: [what: string, uid: number, mode: number][] = [
      ["a stranger's", STRANGER, 0o755],
      ["a group's", 0, 0o775],
      ["a sticky", 0, 0o1777],
      ["everybody's", 0, 0o777],
    ];
    const targets = ["etc/shadow", "etc/nothing", "etc", "loop"];
    for (const [what, options] of kinds) {
      for (const [whose, uid, mode] of places) {
        await t.step(`${what} in ${whose} directory`, async () => {
          for (const target of targets) {
            await using at = await scene();
            await at.directory("node", uid, mode);
            await at.link("node/out", target === "loop" ? "out" : at.at(target));
            const done = await atomicWrite(at.at("node/out"), "text", options).catch((error) => {
              assert.ok(error instanceof JobError, String(error));
              return error.message;
            });
            await at.assertEtcUntouched();
            if (options.replaceLink) {
              assert.equal(done, "written");
              assert.equal(await factsOf(at.at("node/out")), "0:0 644", target);
            } else assert.match(done, /belongs to user 65533; it is not followed/);
          }
        });
      }
    }
  },
});

Deno.test({
  name: "a link in the middle of a path is checked like one at its end",
  ignore: !isRoot,
  fn: async () => {
    for (const options of [{ mode: 0o644, replaceLink: true }, { mode: 0o644 }, {}]) {
      await using at = await scene();
      await at.directory("node", STRANGER, 0o755);
      await at.link("node/sub", at.at("etc"));
      for (const path of ["node/sub/out", "node/sub/../etc/out", "node/sub/./shadow"]) {
        const refused = { name: "JobError", message: /sub is a symbolic link that belongs to/ };
        await assert.rejects(atomicWrite(at.at(path), "text", options), refused);
        await assert.rejects(lockTarget(at.at(path)), refused);
        await assert.rejects(putBack(at.at(path), undefined, options), refused);
      }
      await assert.rejects(makeDirectory(at.at("node/sub/made")), JobError);
      await at.assertEtcUntouched();
    }
  },
});

Deno.test({
  name: "no key goes into a file that another user has prepared, nor takes over its rights",
  ignore: !isRoot,
  fn: async () => {
    const places: [what: string, uid: number, mode: number][] = [
      ["group", 0, 0o2775],
      ["sticky", 0, 0o1777],
      ["world", 0, 0o777],
      ["theirs", STRANGER, 0o755],
    ];
    for (const [what, uid, mode] of places) {
      await using at = await scene();
      await at.directory(what, uid, mode);
      await at.file(`${what}/a.pem`, STRANGER);
      await assert.rejects(atomicWrite(at.at(`${what}/a.pem`), "KEY"), {
        message: /a\.pem: it belongs to user 65533, and others .* --owner 65533, or remove it/,
      });
      assert.equal(await Deno.readTextFile(at.at(`${what}/a.pem`)), "");
      // The operator's own word decides.
      await atomicWrite(at.at(`${what}/a.pem`), "KEY", { uid: 65532 });
      assert.match((await factsOf(at.at(`${what}/a.pem`)))!, /^65532:\d+ 600$/);
      // A file of root that a stranger can read, moved to this name.
      await Deno.remove(at.at(`${what}/a.pem`));
      await at.file(`${what}/b.pem`, 0, { mode: 0o640 });
      await Deno.chown(at.at(`${what}/b.pem`), 0, STRANGER);
      await atomicWrite(at.at(`${what}/b.pem`), "KEY");
      assert.match((await factsOf(at.at(`${what}/b.pem`)))!, /^0:\d+ 600$/);
      // A hard link to a file of root.
      await Deno.link(at.at("etc/shadow"), at.at(`${what}/c.pem`));
      await atomicWrite(at.at(`${what}/c.pem`), "KEY");
      await at.assertEtcUntouched();
    }
    await using at = await scene();
    await at.file("etc/own.pem", STRANGER, { mode: 0o640 });
    await atomicWrite(at.at("etc/own.pem"), "KEY");
    assert.equal(await factsOf(at.at("etc/own.pem")), "65533:65533 640", "root's own arrangement");
  },
});

Deno.test({
  name: "in another user's directory the group of a key is not that user's choice",
  ignore: !isRoot,
  fn: async () => {
    await using at = await scene();
    await at.directory("setgid", STRANGER, 0o2755);
    if (hasLists) {
      // Whom the list names has the rights that the mode gives the group.
      await setList(at.at("setgid"), "-d", "-m", "u:65532:rw,m::-");
    }
    const path = at.at("setgid/a.pem");
    const refused = {
      name: "JobError",
      message: /user 65533 owns .* use --mode 0600, .*: --owner 65533 or --owner :65533$/,
    };
    for (const options of [{}, { gid: 0 }, { uid: 65532 }, { uid: 65532, gid: 65532 }]) {
      await assert.rejects(atomicWrite(path, "KEY", { mode: 0o640, ...options }), refused);
    }
    assert.equal(await factsOf(path), undefined);
    // The user, or a group that the user belongs to, may read it by the operator's own word.
    await atomicWrite(path, "KEY", { mode: 0o640, gid: STRANGER });
    assert.equal(await factsOf(path), "0:65533 640");
    await Deno.remove(path);
    await atomicWrite(path, "KEY", { mode: 0o640, uid: STRANGER, gid: 65532 });
    assert.equal(await factsOf(path), "65533:65532 640");
    await Deno.remove(path);
    await atomicWrite(path, "KEY", { mode: 0o600 });
    await atomicWrite(at.at("setgid/token"), "public", { mode: 0o644 });
    // A setgid directory of root is root's own arrangement.
    await at.directory("shared", 0, 0o2775);
    await Deno.chown(at.at("shared"), 0, 65532);
    await Deno.chmod(at.at("shared"), 0o2775);
    await atomicWrite(at.at("shared/a.pem"), "KEY", { mode: 0o640 });
    assert.equal(await factsOf(at.at("shared/a.pem")), "0:65532 640");
  },
});

Deno.test({
  name: "a temporary file of another user that may not be removed does not stop a user's write",
  ignore: !isRoot,
  fn: async () => {
    await using at = await scene();
    // Sticky: users remove only their own files there.
    await at.directory("sticky", 0, 0o1777);
    await at.file("sticky/.acme-lb-0123456789ab.tmp", 0);
    const { default: process } = await import("node:process");
    process.seteuid!(STRANGER);
    try {
      using lock = await lockTarget(at.at("sticky/a.pem"));
      await atomicWrite(at.at("sticky/a.pem"), "KEY", { lock });
    } finally {
      process.seteuid!(0);
    }
    assert.match((await factsOf(at.at("sticky/a.pem")))!, /^65533:/);
  },
});

Deno.test({
  name: "an access control list that lets another user write counts as writable",
  ignore: !hasLists,
  fn: async () => {
    await using at = await scene();
    await at.directory("listed", 0, 0o755);
    await setList(at.at("listed"), "-m", `u:${STRANGER}:rwx`);
    await at.file("listed/a.pem", STRANGER);
    await assert.rejects(atomicWrite(at.at("listed/a.pem"), "KEY"), /belongs to user 65533/);
    await at.link("listed/b.pem", at.at("etc/shadow"), 0);
    await assert.rejects(atomicWrite(at.at("listed/b.pem"), "KEY"), /is not followed/);
    await at.assertEtcUntouched();
  },
});

Deno.test({
  name: "no copy is made of what a planted link leads to, when a rendered file is replaced",
  ignore: !isRoot,
  fn: async () => {
    await using at = await scene();
    await at.directory("staging", STRANGER, 0o755);
    await at.link("staging/haproxy.cfg", at.at("etc/shadow"));
    const files = await findPlaces([{ path: "/haproxy.cfg", text: "new" }], at.at("staging"));
    await assert.rejects(placeFiles(files, { force: true }), /belongs to user 65533; it is not/);
    const names = await Array.fromAsync(Deno.readDir(at.at("staging")), ({ name }) => name);
    assert.deepEqual(names, ["haproxy.cfg"]);
    // The link may come later, between a look at the file and its reading.
    const { bytes, mode } = await readWithMode(at.at("staging/haproxy.cfg"));
    assert.deepEqual([new TextDecoder().decode(bytes), mode], [SECRET, 0o600]);
    await at.assertEtcUntouched();
  },
});

Deno.test({
  name: "below a directory that a user can replace, root writes with that user's rights",
  ignore: !isRoot,
  fn: async () => {
    await using at = await scene();
    await at.directory("acme", STRANGER, 0o755);
    await at.directory("acme/webroot", STRANGER, 0o755);
    const token = { mode: 0o644, replaceLink: true };
    assert.equal(await atomicWrite(at.at("acme/webroot/tok"), "tok.thumb", token), "written");
    assert.equal(await factsOf(at.at("acme/webroot/tok")), `${STRANGER}:${STRANGER} 644`);
    const made = await makeDirectory(at.at("acme/webroot/more/still"));
    assert.deepEqual(made, [at.at("acme/webroot/more"), at.at("acme/webroot/more/still")]);
    assert.equal((await Deno.stat(made[1]!)).uid, STRANGER);
    assert.equal((await Deno.stat(made[1]!)).mode! & 0o7777, 0o755);
    await putBack(at.at("acme/webroot/tok"), undefined, token);
    (await lockTarget(at.at("acme/webroot/x")))[Symbol.dispose]();

    // What that user may not do is not done for it: this is where an exchange would lead.
    await at.directory("acme/private", 65532, 0o700);
    await assert.rejects(atomicWrite(at.at("acme/private/tok"), "tok.thumb", token), JobError);
    await assert.rejects(makeDirectory(at.at("acme/private/made")), JobError);
    await assert.rejects(lockTarget(at.at("acme/private/x")), JobError);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(at.at("acme/private"))), []);

    // Root must not leave a secret there, unless it belongs to that user.
    await assert.rejects(atomicWrite(at.at("acme/webroot/a.pem"), "KEY"), {
      message: /user 65533 could replace .*webroot at the same time; .* --owner 65533$/,
    });
    await atomicWrite(at.at("acme/webroot/a.pem"), "KEY", { uid: STRANGER });
    assert.equal(await factsOf(at.at("acme/webroot/a.pem")), `${STRANGER}:${STRANGER} 600`);
    const probe = at.at("etc/probe");
    await Deno.writeTextFile(probe, "");
    assert.equal((await Deno.stat(probe)).uid, 0, "root is root again");
  },
});

Deno.test({
  name: "root writes public files into its own directory below a user's, as node_exporter has it",
  ignore: !isRoot,
  fn: async () => {
    await using at = await scene();
    await at.directory("prometheus", STRANGER, 0o755);
    await at.directory("prometheus/text", 0, 0o755);
    const done = await atomicWrite(at.at("prometheus/text/a.prom"), "x", {
      mode: 0o644,
      replaceLink: true,
    }).catch((error) => error.message);
    assert.equal(done, "written");
    await assert.rejects(atomicWrite(at.at("prometheus/text/a.pem"), "KEY"), /could replace/);
  },
});

Deno.test({
  name: "a file or link planted under the name of a lock is neither followed nor opened",
  ignore: !isRoot,
  fn: async () => {
    for (const target of ["etc/shadow", "etc/nothing", "etc"]) {
      await using at = await scene();
      await at.directory("shared", 0, 0o1777);
      await at.link("shared/.acme-lb.lock", at.at(target));
      await assert.rejects(lockTarget(at.at("shared/a.pem")), /not a regular file; remove it/);
      await assert.rejects(lockFile(at.at("shared/.acme-lb.lock")), /not a regular file/);
      await at.assertEtcUntouched();
    }
    await using at = await scene();
    await at.directory("shared", 0, 0o1777);
    await new Deno.Command("mkfifo", { args: [at.at("shared/.acme-lb.lock")] }).output();
    await assert.rejects(lockTarget(at.at("shared/a.pem")), /not a regular file; remove it/);
    await assert.rejects(atomicWrite(at.at("shared/.acme-lb.lock"), "x"), /not a regular file/);
  },
});

Deno.test({
  name: "a default access control list keeps nobody out of a directory that is made",
  ignore: !hasLists,
  fn: async () => {
    await using at = await scene();
    await at.directory("www", 0, 0o2755);
    await setList(at.at("www"), "-d", "-m", "o::---,g::---");
    for (const path of await makeDirectory(at.at("www/acme/challenge"))) {
      assert.equal((await Deno.stat(path)).mode! & 0o7777, 0o2755, path);
    }
    // In another user's directory it would be a chmod of what that user puts in its place.
    await Deno.chown(at.at("www"), STRANGER, STRANGER);
    const [theirs] = await makeDirectory(at.at("www/theirs"));
    assert.equal((await Deno.stat(theirs!)).mode! & 0o005, 0);
  },
});

Deno.test("directories are made with their mode under any umask, and others stay as they are", async () => {
  await using at = await scene();
  await Deno.mkdir(at.at("old"));
  await Deno.chmod(at.at("old"), 0o750);
  const before = Deno.umask(0o077);
  try {
    const made = await makeDirectory(at.at("old/a/b"));
    assert.deepEqual(made, [at.at("old/a"), at.at("old/a/b")]);
    assert.deepEqual(await makeDirectory(at.at("old/a/b")), []);
    for (const path of made) assert.equal((await Deno.stat(path)).mode! & 0o777, 0o755);
    assert.equal((await Deno.stat(at.at("old"))).mode! & 0o777, 0o750);
    assert.equal(Deno.umask(), 0o077);
  } finally {
    Deno.umask(before);
  }
  await Deno.writeTextFile(at.at("file"), "");
  await assert.rejects(makeDirectory(at.at("file/x")), /cannot make .*not a directory \(ENOTDIR\)/);
  await assert.rejects(makeDirectory(at.at("file")), /cannot make .*not a directory \(ENOTDIR\)/);
});
