/**
 * `install.sh --install` below a prefix, and `--uninstall`: what it makes there, what it leaves, and
 * that a failure at any point leaves nothing. Without root, so that the machine stays as it is;
 * where the tests run as root, they give it up. What root may do is in tests/e2e.
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { executablePath } from "./executable.ts";
import { FILES, names, place, STAND_IN, tree, UID, WITH } from "./install_place.ts";
import { run } from "./install_script.ts";

const root = Deno.uid() === 0;

Deno.test("install.sh installs below a prefix, changes nothing the second time, and removes everything", async (t) => {
  await using there = await place();
  const prefix = `${there.path}/there`;
  await Deno.writeTextFile(`${prefix}/mine`, "kept");
  const before = await tree(there.path);

  await t.step("--dry-run names every file, and touches nothing", async () => {
    const { code, stdout, stderr } = await there.install(...WITH, "--dry-run");
    assert.deepEqual([code, stdout], [0, ""], stderr);
    const named = [...stderr.matchAll(/^install\.sh: would install (.*)$/mg)].map((line) =>
      line[1]
    );
    assert.deepEqual(named.sort(), FILES.map((file) => `${prefix}/${file}`));
    assert.deepEqual(await tree(there.path), before);
  });

  await t.step("--install", async () => {
    const { code, stdout, stderr } = await there.install("--install", ...WITH);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^install\.sh: without root: only what lies below /);
    assert.match(stdout, /acme-lb is installed\. Next.*put .*\/there\/bin on the PATH\n/s);
    assert.deepEqual(await names(prefix), [...FILES, "mine"].sort());
    const modes = (await tree(prefix)).map((line) => line.split(" "))
      .map(([path, mode]) => [path, mode] as const);
    for (const [path, mode] of modes.filter(([path]) => path !== "mine")) {
      const whole = FILES.includes(path!) && path !== "bin/acme-lb";
      assert.equal(mode, whole ? "644" : "755", path);
    }
    const made = await Deno.readFile(`${prefix}/bin/acme-lb`);
    assert.deepEqual(made, await Deno.readFile(await executablePath()));
    assert.match(
      await Deno.readTextFile(`${prefix}/share/man/man8/acme-lb.8`),
      /^\.TH ACME\\-LB 8/,
    );
    assert.deepEqual(await names(`${there.path}/tmp`), [], "temporary files");
  });

  await t.step("a second time", async () => {
    const installed = await tree(prefix);
    const { code, stdout, stderr } = await there.install("--install", ...WITH);
    assert.deepEqual([code, stdout], [0, ""], stderr);
    assert.match(stderr, /\ninstall\.sh: nothing to change\n$/);
    assert.deepEqual(await tree(prefix), installed);
  });

  await t.step("--uninstall --dry-run", async () => {
    const installed = await tree(there.path);
    const { code, stderr } = await there.install("--uninstall", "--prefix", "there", "--dry-run");
    assert.equal(code, 0, stderr);
    for (const file of FILES) assert.ok(stderr.includes(`would remove ${prefix}/${file}\n`), file);
    assert.deepEqual(await tree(there.path), installed);
  });

  await t.step("--uninstall", async () => {
    const { code, stderr } = await there.install("--uninstall", "--prefix", "there");
    assert.equal(code, 0, stderr);
    assert.deepEqual(await tree(there.path), before);
  });

  await t.step("--uninstall again", async () => {
    const { code, stderr } = await there.install("--uninstall", "--prefix", "there");
    assert.match(
      stderr,
      /^install\.sh: there is no .*\/installed: nothing is installed there, .*\n$/,
    );
    assert.equal(code, 1);
  });
});

Deno.test("install.sh upgrades, and --uninstall keeps files of others in its folders", async () => {
  await using there = await place(STAND_IN);
  const prefix = `${there.path}/there`;
  assert.equal((await there.install(...WITH)).code, 0);
  await Deno.writeTextFile(`${prefix}/share/zsh/site-functions/_other`, "");
  await Deno.writeTextFile(`${there.path}/acme-lb`, STAND_IN.replaceAll("0.0.0", "0.0.1"));
  const { code, stderr } = await there.install(...WITH);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^install\.sh: replace .*\/bin\/acme-lb\n.*this is acme-lb 0\.0\.1\n/m);
  assert.match(await Deno.readTextFile(`${prefix}/bin/acme-lb`), /0\.0\.1/);
  const gone = await there.install("--uninstall", `--prefix=${prefix}`);
  assert.equal(gone.code, 0, gone.stderr);
  assert.match(gone.stderr, /keep .*\/site-functions, which is not empty\n/);
  assert.deepEqual(await names(prefix), ["share/zsh/site-functions/_other"]);
});

Deno.test("install.sh knows a prefix again in another spelling", async () => {
  await using there = await place(STAND_IN);
  for (const spelling of ["./there", "tmp/../there", `${there.path}//there/.`]) {
    const made = await there.install("--prefix", spelling, "--binary", "acme-lb");
    assert.equal(made.code, 0, made.stderr);
    assert.deepEqual(await names(`${there.path}/there`), FILES);
    const gone = await there.install("--uninstall", "--prefix", `${there.path}/there`);
    assert.equal(gone.code, 0, gone.stderr);
    assert.deepEqual(await names(`${there.path}/there`), []);
  }
});

interface Failure {
  executable?: string;
  /** An existing file at a path that install.sh needs. */
  obstacle?: string;
  /** What mv does before what it does. */
  mv?: string;
  says: RegExp;
}

/** What goes wrong on the way. */
const FAILURES: Record<string, Failure> = {
  "a file where a folder must be": { obstacle: "share/fish", says: /share\/fish/ },
  "a folder where a file must be": {
    obstacle: "share/zsh/site-functions/_acme-lb/x",
    says: /_acme-lb is a directory\n/,
  },
  "an executable without manual": {
    executable: STAND_IN.replace("generate)", "generate) test $2 != zsh || exit 64;"),
    says: /acme-lb is older than this install\.sh: it cannot generate zsh\n/,
  },
  "half of the files are in their places": {
    mv: "case $* in *_acme-lb.acme-lb-new*) exit 1 ;; esac",
    says: /are undone/,
  },
  "SIGTERM": {
    executable: STAND_IN.replace("generate)", "generate) test $2 != fish || kill -TERM $PPID;"),
    says: /are undone/,
  },
};

for (const [name, { executable = STAND_IN, obstacle, mv, says }] of Object.entries(FAILURES)) {
  for (const earlier of [false, true]) {
    const title = `install.sh takes everything back after ${name}` +
      (earlier ? ", and an earlier version is as it was" : "");
    Deno.test(title, async () => {
      await using there = await place(STAND_IN.replaceAll("0.0.0", "0.0.0-earlier"));
      const prefix = `${there.path}/there`;
      if (earlier) assert.equal((await there.install(...WITH)).code, 0);
      if (obstacle) {
        await run(["rm", "-rf", `${prefix}/${obstacle}`, dirname(`${prefix}/${obstacle}`)]);
        await Deno.mkdir(dirname(`${prefix}/${obstacle}`), { recursive: true });
        await Deno.writeTextFile(`${prefix}/${obstacle}`, "");
      }
      await Deno.writeTextFile(`${there.path}/acme-lb`, executable);
      if (mv) {
        const text = `#!/bin/sh\n${mv}\nexec /bin/mv "$@"\n`;
        await Deno.writeTextFile(`${there.shim}/mv`, text, { mode: 0o755 });
      }
      if (root) await run(["chown", "-R", `${UID}:${UID}`, prefix]);
      const before = await tree(prefix);
      const { code, stdout, stderr } = await there.install(...WITH);
      assert.match(stderr, says);
      assert.match(stderr, /install\.sh: failed: the changes of this run are undone\n$/);
      assert.equal(stdout, "");
      assert.equal(code, name === "SIGTERM" ? 143 : 1);
      assert.deepEqual(await tree(prefix), before);
      assert.deepEqual(await names(`${there.path}/tmp`), [], "temporary files");
    });
  }
}

const OTHER_MACHINE = (() => {
  // The first 64 bytes of an ELF file: of RISC-V, which acme-lb is not made for.
  const header = new Uint8Array(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  new DataView(header.buffer).setUint16(16, 2, true);
  new DataView(header.buffer).setUint16(18, 243, true);
  return header;
})();

const DOES_NOT_RUN = /acme-lb does not run on this machine \(Linux \S+\): [ -~]+\n/;

const UNFIT: Record<string, { bytes: Uint8Array<ArrayBuffer>; says: RegExp }> = {
  "for another processor": {
    bytes: OTHER_MACHINE,
    says: DOES_NOT_RUN,
  },
  "another program": {
    bytes: new TextEncoder().encode("#!/bin/sh\necho other 1.0\necho more\n"),
    says: /acme-lb is not acme-lb; its --version says: other 1\.0\n/,
  },
  "half a copy": {
    bytes: (await Deno.readFile(await executablePath())).subarray(0, 1_000_000),
    says: DOES_NOT_RUN,
  },
  "an empty file": { bytes: new Uint8Array(), says: /acme-lb is not acme-lb; / },
};

for (const [name, { bytes, says }] of Object.entries(UNFIT)) {
  Deno.test(`install.sh takes no --binary that is ${name}`, async () => {
    await using there = await place(STAND_IN);
    await Deno.writeFile(`${there.path}/acme-lb`, bytes);
    const { code, stderr } = await there.install(...WITH);
    assert.match(stderr, says);
    assert.equal(code, 1);
    assert.deepEqual(await names(`${there.path}/there`), []);
  });
}

Deno.test("install.sh says what is missing before it does anything", async () => {
  await using there = await place(STAND_IN);
  const said = async (...args: string[]) => {
    const { code, stderr } = await there.install(...args);
    assert.equal(code, 1, stderr);
    return stderr;
  };
  await Deno.writeTextFile(`${there.path}/file`, "");
  assert.match(
    await said("--prefix", "there"),
    /: nothing to build acme-lb from in .*--binary FILE\n$/,
  );
  assert.match(
    await said("--prefix", "there", "--binary", "nothing"),
    /: there is no file .*\/nothing\n$/,
  );
  assert.match(
    await said("--prefix", "file/x", "--binary", "acme-lb"),
    /file is not a directory\n$/,
  );
  assert.match(
    await said("--binary", "acme-lb"),
    /^install\.sh: \/usr\/local cannot be written to; run /,
  );
  assert.match(
    await said("--uninstall", "--prefix", "there"),
    /there is no .*\/there\/share\/acme-lb\/installed/,
  );
});
