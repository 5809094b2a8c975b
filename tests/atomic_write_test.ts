import assert from "node:assert/strict";
import { atomicWrite, putBack } from "../lib/atomic_write.ts";
import { JobError } from "../lib/errors.ts";
import { lockTarget } from "../lib/file_lock.ts";
import { works } from "./works.ts";

const CHILD = new URL("atomic_write_child.ts", import.meta.url).pathname;
/** Of the child, whose randomness is switched off. */
const TEMPORARY = ".acme-lb-000000000000.tmp";

const isRoot = Deno.uid() === 0;
const hasStrace = await works("strace", { args: ["-V"] });
/** Whether the user nobody can run this at all: it cannot where Deno lives in /root. */
const hasNobody = isRoot && await works(Deno.execPath(), {
  args: ["eval", `await Deno.readTextFile(${JSON.stringify(CHILD)})`],
  uid: 65534,
  clearEnv: true,
});
const needs = { root: isRoot, strace: hasStrace, nobody: hasNobody };

/** What is missing to run a test, told once; undefined when nothing is. */
function missing(...names: (keyof typeof needs)[]): boolean {
  const absent = names.filter((name) => !needs[name]);
  // deno-lint-ignore no-console
  if (absent.length > 0) console.warn(`atomic_write_test: skipping a test: no ${absent}`);
  return absent.length > 0;
}

interface Scene extends AsyncDisposable {
  directory: string;
  target: string;
  /** Names in the directory, the lock file left out. */
  names: () => Promise<string[]>;
}

async function scene(old?: string): Promise<Scene> {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "atomic_write_" }));
  const target = `${directory}/service.pem`;
  if (old !== undefined) await Deno.writeTextFile(target, old, { mode: 0o600 });
  const names = async () => {
    const entries = await Array.fromAsync(Deno.readDir(directory));
    return entries.map(({ name }) => name).filter((name) => name !== ".acme-lb.lock").sort();
  };
  const remove = () => Deno.remove(directory, { recursive: true });
  return { directory, target, names, [Symbol.asyncDispose]: remove };
}

async function modeOf(path: string): Promise<number> {
  return (await Deno.lstat(path)).mode! & 0o7777;
}

async function runChild(
  args: string[],
  { before = [], uid }: { before?: string[]; uid?: number } = {},
) {
  const [command, ...rest] = [...before, Deno.execPath(), "run", "-A", "--no-lock", CHILD, ...args];
  const child = new Deno.Command(command!, {
    args: rest,
    uid,
    clearEnv: uid !== undefined,
    stdin: "null",
  });
  const { code, signal, stderr } = await child.output();
  return { code, signal, stderr: new TextDecoder().decode(stderr) };
}

function refusesWith(pattern: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof JobError, String(error));
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  };
}

Deno.test("atomicWrite() makes a new file that only its owner can read", async () => {
  await using at = await scene();
  assert.equal(await atomicWrite(at.target, "new"), "written");
  assert.equal(await Deno.readTextFile(at.target), "new");
  assert.equal(await modeOf(at.target), 0o600);
  assert.deepEqual(await at.names(), ["service.pem"]);
});

Deno.test("atomicWrite() does not write a file that has the content already", async () => {
  await using at = await scene("same");
  const before = await Deno.stat(at.target);
  assert.equal(await atomicWrite(at.target, "same"), "unchanged");
  assert.equal((await Deno.stat(at.target)).ino, before.ino);
  assert.equal(await atomicWrite(at.target, "sama"), "written");
  assert.notEqual((await Deno.stat(at.target)).ino, before.ino);
});

Deno.test("atomicWrite() keeps the mode of the old file without any right for others", async () => {
  const table: [old: number, expected: number][] = [
    [0o600, 0o600],
    [0o640, 0o640],
    [0o644, 0o640],
    [0o666, 0o660],
    [0o777, 0o770],
    [0o4755, 0o750],
    [0o400, 0o400],
  ];
  for (const [old, expected] of table) {
    for (const text of ["old", "new"]) {
      await using at = await scene("old");
      await Deno.chmod(at.target, old);
      const result = await atomicWrite(at.target, text);
      assert.equal(await modeOf(at.target), expected, `${old.toString(8)} ${text}`);
      assert.equal(result, text === "old" ? "unchanged" : "written");
    }
  }
});

Deno.test("atomicWrite() gives the mode asked for, rights for others too", async () => {
  await using at = await scene("old");
  await atomicWrite(at.target, "new", { mode: 0o644 });
  assert.equal(await modeOf(at.target), 0o644);
});

Deno.test({
  name: "atomicWrite() keeps the owner of the old file, or gives the one asked for",
  ignore: missing("root"),
  fn: async () => {
    await using at = await scene("old");
    await Deno.chown(at.target, 65534, 12345);
    await atomicWrite(at.target, "new");
    const kept = await Deno.stat(at.target);
    assert.deepEqual([kept.uid, kept.gid], [65534, 12345]);
    await atomicWrite(at.target, "newer", { gid: 0 });
    const given = await Deno.stat(at.target);
    assert.deepEqual([given.uid, given.gid], [65534, 0]);
  },
});

Deno.test("atomicWrite() writes behind a symlink and leaves the link", async () => {
  await using at = await scene();
  await Deno.mkdir(`${at.directory}/real`);
  await Deno.symlink("real/key.pem", at.target);
  for (const text of ["through a dangling link", "through a good one"]) {
    await atomicWrite(at.target, text);
    assert.ok((await Deno.lstat(at.target)).isSymlink);
    assert.equal(await Deno.readTextFile(`${at.directory}/real/key.pem`), text);
  }
  assert.deepEqual(await at.names(), ["real", "service.pem"]);
});

Deno.test("atomicWrite() with replaceLink does not touch what a symlink points at", async () => {
  await using at = await scene();
  const victim = `${at.directory}/victim`;
  await Deno.writeTextFile(victim, "precious");
  await Deno.symlink(victim, at.target);
  await atomicWrite(at.target, "token", { replaceLink: true, mode: 0o644 });
  assert.equal(await Deno.readTextFile(victim), "precious");
  assert.ok((await Deno.lstat(at.target)).isFile);
});

Deno.test("atomicWrite() refuses targets that are not regular files, and broken links", async () => {
  await using at = await scene();
  await Deno.symlink("loop", `${at.directory}/loop`);
  const table: [path: string, reason: RegExp][] = [
    ["missing/service.pem", /missing\/service\.pem: its directory does not exist \(ENOENT\)/],
    ["", /: it is a directory \(EISDIR\)$/],
    ["loop", /loop: its symbolic links form a loop \(ELOOP\)/],
    ["x".repeat(256), /: its name is too long \(ENAMETOOLONG\)/],
  ];
  for (const [path, reason] of table) {
    await assert.rejects(atomicWrite(`${at.directory}/${path}`, "x"), refusesWith(reason), path);
  }
  await assert.rejects(atomicWrite("/dev/null", "x"), refusesWith(/not a regular file/));
  await assert.rejects(atomicWrite(at.directory, "x"), refusesWith(/not a regular file/));
  assert.deepEqual(await at.names(), ["loop"]);
});

Deno.test("atomicWrite() under the lock removes what crashed runs left, and only that", async () => {
  await using at = await scene("old");
  const others = [".acme-lb-0123456789ab.part", ".acme-lb-0123456789ab.tmp.pem", ".other.tmp"];
  for (const name of [".acme-lb-0123456789ab.tmp", ...others]) {
    await Deno.writeTextFile(`${at.directory}/${name}`, "half a k");
  }
  await atomicWrite(at.target, "new");
  assert.equal((await at.names()).length, 5, "without the lock nothing is removed");
  using lock = await lockTarget(at.target);
  await atomicWrite(at.target, "new", { lock });
  assert.deepEqual(await at.names(), [...others, "service.pem"].sort());
});

Deno.test("putBack() restores the old content, or removes the file", async () => {
  await using at = await scene("old");
  await atomicWrite(at.target, "new");
  await putBack(at.target, "old");
  assert.equal(await Deno.readTextFile(at.target), "old");
  await putBack(at.target, undefined);
  assert.deepEqual(await at.names(), []);
  await putBack(at.target, undefined);
});

Deno.test({
  name: "atomicWrite() on a full, read-only or foreign file system loses nothing and says why",
  ignore: missing("root"),
  fn: async () => {
    await using at = await scene("old");
    const mount = `${at.directory}/small`;
    await Deno.mkdir(mount);
    const target = `${mount}/service.pem`;
    // In a separate mount namespace, so that nothing stays mounted after a failure.
    const script = `set -e
      mount -t tmpfs -o size=64k none ${mount}; printf old >${target}; touch ${mount}/.acme-lb.lock
      set +e
      "$@" ${target} "$(head -c 100000 /dev/zero | tr '\\0' x)"; echo " rc=$? $(cat ${target})" >&2
      mount -o remount,ro ${mount}
      "$@" ${target} new; echo " rc=$? $(cat ${target}) $(ls -A ${mount} | tr '\\n' ,)" >&2`;
    const child = [Deno.execPath(), "run", "-A", "--no-lock", CHILD];
    const { stderr } = await new Deno.Command("unshare", {
      args: ["--mount", "sh", "-c", script, "sh", ...child],
    }).output();
    const [full, readOnly] = new TextDecoder().decode(stderr).trim().split("\n");
    assert.equal(
      full,
      `cannot write ${target}: no space left on its file system (ENOSPC) rc=1 old`,
    );
    assert.equal(
      readOnly,
      `cannot lock ${mount}/.acme-lb.lock: its file system is mounted read-only (EROFS) ` +
        `rc=1 old .acme-lb.lock,service.pem,`,
    );
  },
});

Deno.test({
  name: "atomicWrite() as a user without the right says so and leaves the old file",
  ignore: missing("nobody"),
  fn: async () => {
    await using at = await scene("old");
    await Deno.chmod(at.directory, 0o755);
    const denied = await runChild([at.target, "new"], { uid: 65534 });
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /^cannot lock .*: permission denied \(EACCES\)$/);
    // The directory is writable now, but for others too, and the old file's owner cannot be kept.
    await Deno.chmod(at.directory, 0o777);
    const foreign = await runChild([at.target, "new"], { uid: 65534 });
    assert.equal(foreign.code, 1, foreign.stderr);
    assert.match(foreign.stderr, /^cannot write .*: it belongs to user 0, and others than root .*/);
    assert.equal(await Deno.readTextFile(at.target), "old");
    assert.deepEqual(await at.names(), ["service.pem"]);
  },
});

/** The system calls of one run that touch a file of `directory`, in order. */
async function trace(at: Scene, { umask = "022" } = {}): Promise<string[]> {
  const log = `${at.directory}.strace`;
  const wrapper = ["sh", "-c", `umask ${umask}; exec strace -f -y -qq -o ${log} "$@"`, "sh"];
  const { code, stderr } = await runChild([at.target, "newer"], { before: wrapper });
  assert.equal(code, 0, stderr);
  const text = await Deno.readTextFile(log);
  await Deno.remove(log);
  return text.split("\n").map((line) => line.replace(/^\d+ +/, "")).filter((line) =>
    line.includes(at.directory) && !line.startsWith("<...") && !line.startsWith("execve")
  );
}

Deno.test({
  name: "atomicWrite() under umask 0 in a setgid directory never opens the key to others",
  ignore: missing("root", "strace"),
  fn: async () => {
    for (const old of [undefined, "old"]) {
      await using at = await scene(old);
      await Deno.chown(at.directory, 0, 12345);
      await Deno.chmod(at.directory, 0o2777);
      if (old) await Deno.chmod(at.target, 0o644);
      const calls = await trace(at, { umask: "0" });
      for (const call of calls) {
        const [, made] = /^openat\(.*O_CREAT.*, (0\d+)\)? /.exec(call) ?? [];
        if (made) assert.equal(made, "0600", call);
        const [, changed] = /^f?chmod(?:at)?\(.*, (0\d+)(?:, 0)?\)? /.exec(call) ?? [];
        if (changed) assert.equal(Number.parseInt(changed, 8) & 0o007, 0, call);
      }
      const order = ["openat", "fchown", "fchmod", "write", "fsync", "rename"].map((name) =>
        calls.findIndex((call) => call.startsWith(`${name}(`) && call.includes(TEMPORARY))
      ).filter((index) => index >= 0);
      assert.deepEqual(order, order.toSorted((a, b) => a - b), calls.join("\n"));
      assert.ok(order.length >= 4, calls.join("\n"));
      assert.match(calls.filter((call) => call.startsWith("fsync(")).at(-1)!, /_[^/]*>/);
      assert.equal(await modeOf(at.target), 0o600, "nothing is taken over where others can write");
    }
  },
});

Deno.test({
  name: "atomicWrite() killed at any system call leaves the old file or the new one, whole",
  ignore: missing("root", "strace"),
  fn: async () => {
    const prepare = async () => {
      const at = await scene("old");
      await Deno.chown(at.target, 0, 12345);
      await Deno.chmod(at.target, 0o640);
      await Deno.writeTextFile(`${at.directory}/.acme-lb-0123456789ab.tmp`, "half");
      return at;
    };
    const points = new Set<string>();
    {
      await using at = await prepare();
      for (const call of await trace(at)) {
        const [name] = call.split("(");
        for (const [path] of call.matchAll(/(?<=[<"])\/[^>"]*/g)) {
          const file = path.slice(at.directory.length + 1);
          if (path.startsWith(at.directory)) points.add(`${name} ${file}`);
        }
      }
    }
    assert.ok(points.has(`rename ${TEMPORARY}`) && points.has("fsync "), [...points].join());
    let killed = 0;
    const ends = new Set<string>();
    for (const point of points) {
      const [name, file] = point.split(" ");
      // The count is strace's, for each thread: one more than any thread makes ends the loop.
      for (let when = 1; when <= 8; when++) {
        await using at = await prepare();
        const path = file ? `${at.directory}/${file}` : at.directory;
        const inject = ["-e", `trace=${name}`, "-e", `inject=${name}:signal=KILL:when=${when}`];
        const before = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", path, ...inject];
        const { code, signal } = await runChild([at.target, "newer"], { before });
        const text = await Deno.readTextFile(at.target);
        assert.ok(text === "old" || text === "newer", `${point} #${when}: ${text}`);
        assert.equal(await modeOf(at.target), 0o640, point);
        const alive = signal !== "SIGKILL";
        if (alive) assert.deepEqual([code, text], [0, "newer"], point);
        else [killed] = [killed + 1, ends.add(text)];
        await runChild([at.target, "newest"]);
        assert.equal(await Deno.readTextFile(at.target), "newest", `${point} #${when}`);
        assert.deepEqual(await at.names(), ["service.pem"], `${point} #${when}: cleaned up`);
        if (alive) break;
      }
    }
    assert.ok(killed >= points.size, `${killed} kills at ${points.size} points`);
    assert.deepEqual([...ends].sort(), ["newer", "old"], "kills on both sides of the rename");
  },
});

Deno.test("atomicWrite() by twenty processes at once leaves one of their files, whole", async () => {
  await using at = await scene("old");
  const texts = Array.from({ length: 20 }, (_, i) => `${i} `.repeat(5000));
  const runs = await Promise.all(texts.map((text) => runChild([at.target, text])));
  assert.deepEqual(runs.map(({ code, stderr }) => `${code}${stderr}`), texts.map(() => "0"));
  assert.ok(texts.includes(await Deno.readTextFile(at.target)));
  assert.deepEqual(await at.names(), ["service.pem"]);
});
