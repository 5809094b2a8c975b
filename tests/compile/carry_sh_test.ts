/**
 * The first start of the carrying form on real directories: hostile, full, noexec, contended, and
 * from a file that a copy has damaged. Needs nothing when the executable has the compiled form.
 */

import assert from "node:assert/strict";
import { lchown } from "node:fs/promises";
import {
  entries,
  executableCommand,
  executableForm,
  executablePath,
  runExecutable,
} from "../executable.ts";
import { works } from "../works.ts";

const carrying = await executableForm() === "carrying";
// Root in a container often may not mount.
const asRoot = carrying && Deno.uid() === 0 &&
  await works("unshare", { args: ["--mount", "true"] });
if (carrying && !asRoot) skipped("owners and mounts need root and mount namespaces");
if (!carrying) skipped("the executable has the compiled form, which unpacks nothing");

const NOBODY = 65534;
const STRANGER = 65533;
// Hides what earlier runs have unpacked on this machine.
const EMPTY_SYSTEM_CACHE = "mount -t tmpfs -o mode=755 tmpfs /var/cache";
const NOEXEC_SYSTEM_CACHE = "mount -t tmpfs -o mode=755,noexec tmpfs /var/cache";

interface Room extends AsyncDisposable {
  /** Open to every user, and not sticky or writable by any. */
  path: string;
}

async function room(): Promise<Room> {
  const path = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
  await Deno.chmod(path, 0o755);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** A copy of the executable that any user may run, wherever the checkout lies. */
async function copyInto({ path }: Room): Promise<string> {
  await Deno.copyFile(await executablePath(), `${path}/acme-lb`);
  return `${path}/acme-lb`;
}

interface Packed {
  id: string;
  files: { name: string; size: number }[];
}

/** What the executable says about itself in its first lines. */
async function facts(executable: string): Promise<Packed> {
  using file = await Deno.open(executable);
  const start = new Uint8Array(20480);
  await file.read(start);
  const text = new TextDecoder().decode(start);
  const list = /^files='([^']+)'$/m.exec(text)![1]!.split("\n").map((line) => line.split(":"));
  return {
    id: /^id='([0-9a-f]+)'$/m.exec(text)![1]!,
    files: list.map(([name, size]) => ({ name: name!, size: Number(size) })),
  };
}

/** Waits until the condition holds; fails rather than hang. */
async function eventually(condition: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail("waited 20 s in vain");
}

function skipped(reason: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`skipped: first start: ${reason}\n`));
}

Deno.test({
  name: "two and more first starts at once all answer and leave one copy",
  ignore: !carrying,
  fn: async () => {
    await using place = await room();
    const env = { ACME_LB_CACHE: `${place.path}/cache` };
    const runs = Array.from({ length: 4 }, () => runExecutable(["--version"], { env }));
    for (const { code, stdout, stderr } of await Promise.all(runs)) {
      assert.equal(stderr, "");
      assert.match(stdout, /^acme-lb /);
      assert.equal(code, 0);
    }
    const left = await entries(env.ACME_LB_CACHE);
    assert.equal(left.length, 1, left.join());
    assert.match(left[0]!, /^carried-[0-9a-f]{32}$/);
  },
});

Deno.test({
  name: "a runtime that another user has put in the way is never run",
  ignore: !asRoot,
  fn: async (t) => {
    await using place = await room();
    const executable = await copyInto(place);
    const packed = await facts(executable);
    const tmp = `${place.path}/tmp`;
    await Deno.mkdir(tmp);
    await Deno.chmod(tmp, 0o1777);
    const trap = `${tmp}/acme-lb-${NOBODY}`;
    const planted = `${trap}/carried-${packed.id}`;
    const plant = async () => {
      await Deno.mkdir(planted, { recursive: true });
      for (const { name, size } of packed.files) {
        const mode = name === "acme-lb" ? 0o755 : 0o644;
        await Deno.writeTextFile(`${planted}/${name}`, "#!/bin/sh\necho trapped\nexit\n", { mode });
        await Deno.truncate(`${planted}/${name}`, size);
      }
    };
    await plant();
    const options = { executable, uid: NOBODY, prelude: EMPTY_SYSTEM_CACHE, env: { TMPDIR: tmp } };
    const files = packed.files.map(({ name }) => `${planted}/${name}`);
    const own = async (uid: number) => {
      for (const path of [trap, planted, ...files]) await Deno.chown(path, uid, uid);
    };

    await t.step("when the directory is the stranger's", async () => {
      await own(STRANGER);
      const { code, stdout, stderr } = await runExecutable(["--version"], options);
      assert.equal(stdout, "");
      assert.match(stderr, /^acme-lb: nowhere to unpack to; .*others can write to it.*\n$/);
      assert.equal(code, 1);
    });

    await t.step("when it is the caller's but open to others", async () => {
      await own(NOBODY);
      await Deno.chmod(trap, 0o777);
      assert.equal((await runExecutable(["--version"], options)).stdout, "");
      await Deno.chmod(trap, 0o755);
    });

    await t.step("when a directory above it is the stranger's", async () => {
      await Deno.chown(tmp, STRANGER, STRANGER);
      assert.equal((await runExecutable(["--version"], options)).stdout, "");
      await Deno.chown(tmp, 0, 0);
    });

    await t.step("when a stranger's symbolic link leads to a good directory", async () => {
      await Deno.rename(trap, `${place.path}/good`);
      await Deno.symlink(`${place.path}/good`, trap);
      await lchown(trap, STRANGER, STRANGER);
      assert.equal((await runExecutable(["--version"], options)).stdout, "");
      await Deno.remove(trap);
      await Deno.rename(`${place.path}/good`, trap);
    });

    await t.step("a runtime in a directory without these faults is run", async () => {
      assert.equal((await runExecutable(["--version"], options)).stdout, "trapped\n");
    });

    const module = files.at(-1)!;
    const spoilt: Record<string, () => Promise<void>> = {
      "is the stranger's": () => Deno.chown(module, STRANGER, STRANGER),
      "is open to others": () => Deno.chmod(module, 0o1666),
      "is a link": async () => {
        await Deno.rename(module, `${module}.other`);
        await Deno.symlink(`${module}.other`, module);
        await lchown(module, NOBODY, NOBODY);
      },
      "is cut short": () => Deno.truncate(module, 1),
      "is gone": () => Deno.remove(module),
    };
    for (const [how, spoil] of Object.entries(spoilt)) {
      await t.step(`nor when one module in it ${how}: it is unpacked again`, async () => {
        await spoil();
        assert.match((await runExecutable(["--version"], options)).stdout, /^acme-lb \d/);
        assert.ok(
          packed.files.every(({ name, size }) =>
            Deno.lstatSync(`${planted}/${name}`).size === size
          ),
        );
        await Deno.remove(planted, { recursive: true });
        await plant();
        await own(NOBODY);
      });
    }

    await t.step("and the next place serves instead", async () => {
      await own(STRANGER);
      const env = {
        ACME_LB_CACHE: trap,
        XDG_CACHE_HOME: `${place.path}/xdg`,
        TMPDIR: `${place.path}/none`,
      };
      await Deno.mkdir(env.XDG_CACHE_HOME);
      await Deno.chown(env.XDG_CACHE_HOME, NOBODY, NOBODY);
      const { code, stdout, stderr } = await runExecutable(["--version"], { ...options, env });
      assert.equal(stderr, "");
      assert.match(stdout, /^acme-lb \d/);
      assert.equal(code, 0);
      assert.equal((await entries(`${env.XDG_CACHE_HOME}/acme-lb`, "carried-")).length, 1);
    });
  },
});

Deno.test({
  name: "a full and a noexec file system are passed over and left as they were",
  ignore: !asRoot,
  fn: async () => {
    await using place = await room();
    for (const name of ["full", "noexec", "good"]) await Deno.mkdir(`${place.path}/${name}`);
    const { code, stdout, stderr } = await runExecutable(["--version"], {
      prelude: `mount -t tmpfs -o mode=755,size=20m tmpfs ${place.path}/full
        mount -t tmpfs -o mode=755,noexec tmpfs ${place.path}/noexec
        ${NOEXEC_SYSTEM_CACHE}
        trap 'ls -A ${place.path}/full ${place.path}/noexec >${place.path}/left' EXIT
        "$@"; exit`,
      env: {
        ACME_LB_CACHE: `${place.path}/full`,
        CACHE_DIRECTORY: `${place.path}/noexec:/nowhere`,
        XDG_CACHE_HOME: `${place.path}/good`,
      },
    });
    assert.equal(stderr, "");
    assert.match(stdout, /^acme-lb \d/);
    assert.equal(code, 0);
    assert.equal((await entries(`${place.path}/good/acme-lb`, "carried-")).length, 1);
    const left = await Deno.readTextFile(`${place.path}/left`);
    assert.equal(left, `${place.path}/full:\n\n${place.path}/noexec:\n`);
  },
});

Deno.test({
  name: "no place at all is one line that names each and why, and unknown to a monitoring system",
  ignore: !asRoot,
  fn: async () => {
    await using place = await room();
    const options = {
      prelude: `mount -t tmpfs -o mode=755,size=20m tmpfs ${place.path}
        ${NOEXEC_SYSTEM_CACHE}`,
      env: { ACME_LB_CACHE: "relative", HOME: place.path, TMPDIR: "/dev/null" },
    };
    const { code, stderr } = await runExecutable(["serve"], options);
    assert.match(stderr, /^acme-lb: nowhere to unpack to; [^\n]*\n$/);
    for (
      const reason of [
        "; relative: not an absolute path;",
        "; /var/cache/acme-lb: takes no executable file (noexec?);",
        `; ${place.path}/.cache/acme-lb: not unpacked whole: head: error writing`,
        "; /dev/null/acme-lb-0: cannot be created;",
      ]
    ) assert.ok(stderr.includes(reason), `${reason} in ${stderr}`);
    assert.equal(code, 1);
    assert.equal((await runExecutable(["check-expiry"], options)).code, 3);
  },
});

Deno.test({
  name: "a file that a copy cut short or changed says so and unpacks nothing",
  ignore: !asRoot,
  fn: async () => {
    await using place = await room();
    const executable = await copyInto(place);
    const env = { ACME_LB_CACHE: `${place.path}/cache`, TMPDIR: `${place.path}/tmp` };
    const options = { executable, env, prelude: EMPTY_SYSTEM_CACHE };
    const { size } = await Deno.stat(executable);
    {
      using file = await Deno.open(executable, { read: true, write: true });
      await file.seek(-1000, Deno.SeekMode.End); // within the program, after the runtime
      await file.write(new Uint8Array(8));
    }
    const changed = await runExecutable(["--version"], options);
    assert.equal(changed.stdout, "");
    assert.match(
      changed.stderr,
      /^acme-lb: nowhere to unpack to; .*not unpacked whole: gzip: .*\n$/,
    );
    assert.equal(changed.code, 1);

    await Deno.truncate(executable, size - 1);
    const cut = await runExecutable(["--version"], options);
    assert.equal(cut.stdout, "");
    assert.match(cut.stderr, new RegExp(`^acme-lb: .* is not whole: .* ${size} bytes; .*\n$`));
    assert.equal(cut.code, 1);
    assert.deepEqual(await entries(env.ACME_LB_CACHE), []);
  },
});

Deno.test({
  name: "a first start that is ended leaves nothing, and what a killed one left is swept later",
  ignore: !carrying,
  fn: async () => {
    await using place = await room();
    const cache = `${place.path}/cache`;
    // A gzip that never ends holds the first start where it can be ended.
    await Deno.mkdir(`${place.path}/bin`);
    await Deno.writeTextFile(`${place.path}/bin/gzip`, "#!/bin/sh\nexec sleep 60\n", {
      mode: 0o755,
    });
    const env = { ACME_LB_CACHE: cache, PATH: `${place.path}/bin:/usr/bin:/bin` };
    for (const [signal, code, left] of [["SIGTERM", 143, 0], ["SIGKILL", 137, 1]] as const) {
      const group = [await executablePath(), "--version"];
      await using process = (await executableCommand(group, { executable: "setsid", env })).spawn();
      await eventually(async () => (await entries(cache, ".acme-lb-unpack-")).length === 1);
      Deno.kill(-process.pid, signal);
      assert.equal((await process.status).code, code);
      assert.equal((await entries(cache)).length, left, signal);
    }
    const [stale] = await entries(cache);
    await Deno.utime(`${cache}/${stale}`, 0, 0);
    await runExecutable(["--version"], { env: { ACME_LB_CACHE: cache } });
    assert.match((await entries(cache)).join(), /^carried-[0-9a-f]{32}$/);
  },
});

Deno.test({
  name: "the runtime never sees SIGUSR1, at which it would open its debugger, and serves on",
  ignore: !carrying || !await works("env", { args: ["--block-signal=USR1", "true"] }),
  fn: async () => {
    await using place = await room();
    await Deno.writeTextFile(`${place.path}/token`, "token.thumbprint");
    const args = ["challenge-server", "--listen", "127.0.0.1:0", "--webroot", place.path];
    await using server = (await executableCommand(args)).spawn();
    const reader = server.stderr.pipeThrough(new TextDecoderStream()).getReader();
    let log = "";
    while (!/role=challenge address=\S+:\d+\n/.test(log)) {
      const { value, done } = await reader.read();
      assert.ok(!done, log);
      log += value;
    }
    const port = Number(/role=challenge address=\S+:(\d+)\n/.exec(log)![1]);
    for (const signal of ["SIGUSR1", "SIGUSR1"] as const) Deno.kill(server.pid, signal);
    const status = await Deno.readTextFile(`/proc/${server.pid}/status`);
    const bits = (name: string) =>
      parseInt(new RegExp(`^${name}:\\s*([0-9a-f]+)$`, "m").exec(status)![1]!.slice(-8), 16);
    const usr1 = 1 << (10 - 1);
    assert.equal(bits("SigBlk") & usr1, usr1);
    assert.equal(bits("ShdPnd") & usr1, usr1, "it waits where it was sent to");
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const request = "GET /.well-known/acme-challenge/token HTTP/1.0\r\nHost: a.example\r\n\r\n";
    await connection.write(new TextEncoder().encode(request));
    assert.match(await new Response(connection.readable).text(), /token\.thumbprint$/);
    await reader.cancel();
  },
});
