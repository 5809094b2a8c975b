/**
 * install.sh as somebody with a fresh clone meets it: what it refuses, and where it gets Deno.
 * `--test` is what runs this file, so it is not run from here; `--demo` is in demo_test.ts.
 */

import assert from "node:assert/strict";
import { parseConfig } from "../lib/config/parse_config.ts";
import { entries } from "./executable.ts";
import { demo, ROOT, run } from "./install_script.ts";
import { temporaryFolder } from "./temporary_folder.ts";

const SCRIPTS = [
  ...["install.sh", "install/deno.sh", "install/debian.sh"],
  ...[".ci/run", "compile/carry.sh"],
];

// The programs that install.sh needs, without npm, curl, wget and apt-get, so that it cannot use
// those.
const TOOLS =
  "cat chmod dirname env grep gzip head id mkdir mktemp mv rm sed sh sha256sum sha512sum stat tail tar uname";

const shellcheck = (await run(["sh", "-c", "command -v shellcheck"])).code === 0;
if (!shellcheck) skipped("the shell scripts are not checked: no shellcheck");

// install.sh has its own digest only for this processor; on others only npm checks the package.
const digest = Deno.build.arch === "x86_64";
if (!digest) skipped("no digest of Deno is pinned for this architecture");

Deno.test({
  name: "the shell scripts are clean under shellcheck",
  ignore: !shellcheck,
  fn: async () => {
    const { code, stdout } = await run(["shellcheck", ...SCRIPTS]);
    assert.equal(stdout, "");
    assert.equal(code, 0);
  },
});

const FLAGS = [
  ...["--install", "--prefix DIR", "--binary FILE", "--no-systemd", "--dry-run", "--uninstall"],
  ...["--build", "--demo", "--keep", "--test"],
];

for (const args of [[], ["--help"], ["-h"]]) {
  Deno.test(`${["install.sh", ...args].join(" ")} says what it can do and does nothing`, async () => {
    const { code, stdout, stderr } = await run(["./install.sh", ...args], {
      PATH: "/usr/bin:/bin",
    });
    assert.equal(stderr, "");
    for (const flag of FLAGS) {
      assert.match(stdout, new RegExp(`^ +${flag} `, "m"));
    }
    assert.equal(code, 0);
  });
}

const REFUSED = [
  ...["--tests", "--demo=yes", "demo", "", "--keep", "--test --keep", "--demo --test"],
  ...["--install --uninstall", "--install --demo", "--uninstall --binary x", "--demo --prefix x"],
  ...["--uninstall --no-systemd", "--test --dry-run", "--install --keep", "--prefix", "--prefix="],
  ...["--binary", "--prefix /", "--prefix /a%b", "--install=yes", "--install x"],
];

for (const line of REFUSED) {
  Deno.test(`install.sh refuses "${line}"`, async () => {
    const { code, stdout, stderr } = await run(["./install.sh", ...line.split(" ")]);
    assert.equal(stdout, "");
    assert.match(stderr, /^install\.sh: .*; see \.\/install\.sh --help\n$/);
    assert.equal(code, 64);
  });
}

Deno.test("the configuration that install.sh writes is right, with and without its comments", async () => {
  const text = /<<'YAML'\n(.*?\n)YAML\n/s.exec(await Deno.readTextFile(`${ROOT}install.sh`))![1]!;
  const defaults = parseConfig("", "config.yaml");
  assert.deepEqual(parseConfig(text, "config.yaml"), defaults);
  const examples = text.slice(text.indexOf("\n\n")).replaceAll(/^# /mg, "");
  const { peers, webroot, certificates, metrics } = parseConfig(examples, "config.yaml");
  assert.deepEqual(webroot, defaults.webroot);
  assert.deepEqual([peers.length, certificates.length, metrics.listen.length], [3, 1, 1]);
});

Deno.test({
  name: "install.sh takes no other Deno than the pinned one, from PATH or its own cache",
  ignore: !digest,
  fn: async () => {
    await using room = await temporaryFolder();
    await tools(room.path);
    const other = "#!/bin/sh\necho deno 2.9.5 '(stable, release, any)'\n";
    await Deno.writeTextFile(`${room.path}/bin/deno`, other, { mode: 0o755 });
    const kept = `${room.path}/.cache/acme-lb-build/deno-2.9.6`;
    await Deno.mkdir(kept, { recursive: true });
    const forged = "#!/bin/sh\necho deno 2.9.6 '(stable, release, any)'\n";
    await Deno.writeTextFile(`${kept}/deno`, forged, { mode: 0o755 });
    const { code, stdout, stderr } = await demo(room, [], `${room.path}/bin`);
    assert.equal(stdout, "");
    assert.match(stderr, /Deno 2\.9\.6 cannot be had here; put it on PATH, install npm, /);
    assert.equal(code, 1);
  },
});

Deno.test({
  name: "install.sh fetches Deno through npm once, and checks it",
  ignore: !digest,
  fn: async (t) => {
    await using room = await temporaryFolder();
    await tools(room.path);
    await Deno.mkdir(`${room.path}/package`);
    const npm = `#!/bin/sh
case $1 in
  pack) echo "$*" >>${room.path}/asked; cp ${room.path}/deno.tgz deno.tgz ;;
  config) ;;
esac
`;
    await Deno.writeTextFile(`${room.path}/bin/npm`, npm, { mode: 0o755 });
    await Deno.symlink("/bin/cp", `${room.path}/bin/cp`);
    const pack = async () => {
      const made = await run(
        ["tar", "--use-compress-program=gzip -1", "-cf", "deno.tgz", "package"],
        {
          cwd: room.path,
        },
      );
      assert.equal(made.code, 0, made.stderr);
    };

    await t.step("a forged one is refused", async () => {
      const forged = "#!/bin/sh\necho deno 2.9.6 '(stable, release, any)'\n";
      await Deno.writeTextFile(`${room.path}/package/deno`, forged, { mode: 0o755 });
      await pack();
      const { code, stderr } = await demo(room, [], `${room.path}/bin`);
      assert.match(
        stderr,
        /install\.sh: the Deno that was fetched is not the one that is pinned here\n/,
      );
      assert.equal(code, 1);
      assert.deepEqual(await entries(`${room.path}/.cache/acme-lb-build`), []);
    });

    await t.step("the right one is kept for the next time", async () => {
      await Deno.remove(`${room.path}/asked`);
      await Deno.copyFile(Deno.execPath(), `${room.path}/package/deno`);
      await pack();
      for (let time = 0; time < 2; time++) {
        const { code, stderr } = await demo(room, [], `${room.path}/bin`);
        assert.equal(code, 0, stderr);
      }
      const asked = await Deno.readTextFile(`${room.path}/asked`);
      assert.match(asked, /^pack .* @deno\/linux-x64-glibc@2\.9\.6\n$/);
    });
  },
});

async function tools(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/bin`);
  for (const tool of TOOLS.split(" ")) {
    const { stdout } = await run(["sh", "-c", `command -v ${tool}`]);
    await Deno.symlink(stdout.trim(), `${folder}/bin/${tool}`);
  }
}

function skipped(reason: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`skipped: install.sh: ${reason}\n`));
}
