/**
 * install.sh as somebody with a fresh clone meets it: what it refuses, where it gets Deno, and the
 * demo as a story. `--test` is what runs this file, so it is not run from here.
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { entries, executablePath } from "./executable.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const SCRIPTS = ["install.sh", ".ci/run", "compile/carry.sh"];
const WITH_DENO = `${dirname(Deno.execPath())}:/usr/sbin:/usr/bin:/sbin:/bin`;

// Enough for install.sh, and no npm, curl, wget or apt-get: what is not given cannot be used.
const TOOLS =
  "cat chmod dirname env grep gzip head id mkdir mktemp mv rm sed sh sha256sum sha512sum stat tail tar uname";

const shellcheck = (await run(["sh", "-c", "command -v shellcheck"])).code === 0;
if (!shellcheck) {
  Deno.stderr.writeSync(new TextEncoder().encode("skipped: shellcheck is missing\n"));
}

Deno.test({
  name: "the shell scripts are clean under shellcheck",
  ignore: !shellcheck,
  fn: async () => {
    const { code, stdout } = await run(["shellcheck", ...SCRIPTS]);
    assert.equal(stdout, "");
    assert.equal(code, 0);
  },
});

for (const args of [[], ["--help"], ["-h"]]) {
  Deno.test(`${["install.sh", ...args].join(" ")} says what it can do and does nothing`, async () => {
    const { code, stdout, stderr } = await run(["./install.sh", ...args], {
      PATH: "/usr/bin:/bin",
    });
    assert.equal(stderr, "");
    for (const flag of ["--demo", "--keep", "--test"]) {
      assert.match(stdout, new RegExp(`^ +${flag} `, "m"));
    }
    assert.equal(code, 0);
  });
}

const REFUSED = ["--tests", "--demo=yes", "demo", "", "--keep", "--test --keep", "--demo --test"];

for (const line of REFUSED) {
  Deno.test(`install.sh refuses "${line}"`, async () => {
    const { code, stdout, stderr } = await run(["./install.sh", ...line.split(" ")]);
    assert.equal(stdout, "");
    assert.match(stderr, /^install\.sh: .*; see \.\/install\.sh --help\n$/);
    assert.equal(code, 64);
  });
}

Deno.test("install.sh --demo plays the article's requests, prints all and leaves nothing", async () => {
  await using room = await emptyRoom();
  const { code, stdout } = await demo(room, []);
  const story = [
    "== A file on LB0, asked for through LB2",
    "> GET /.well-known/acme-challenge/lb0 HTTP/1.1",
    "< HTTP/1.1 200 OK",
    "< Hello World",
    "== A file that is on none of them",
    "> GET /.well-known/acme-challenge/foobar HTTP/1.1",
    "< HTTP/1.1 404 Not Found",
    "== A challenge as an ACME client leaves it on LB1",
    "< HTTP/1.1 200 OK",
    "== Any other page",
    "< HTTP/1.1 301 Moved Permanently",
    "< Location: https://service.example/some/page?with=query",
    "All answers are right.",
  ];
  let from = 0;
  for (const line of story) {
    const at = stdout.indexOf(line, from);
    assert.notEqual(at, -1, `${line} after:\n${stdout.slice(0, from)}`);
    from = at + line.length;
  }
  assert.equal(code, 0);
  assert.deepEqual(await running(pidsIn(stdout)), []);
  assert.deepEqual(await entries(room.path, "acme-lb-demo-"), []);
});

Deno.test("install.sh --demo --keep leaves the three running until its own line stops them", async () => {
  await using room = await emptyRoom();
  const { code, stdout } = await demo(room, ["--keep"]);
  assert.equal(code, 0);
  const pids = pidsIn(stdout);
  try {
    assert.deepEqual(await running(pids), pids);
    const urls = Array.from(stdout.matchAll(/^ {2}curl -i '(.*)'$/mg), ([, url]) => url!);
    assert.equal(urls.length, 3);
    for (const url of urls) {
      assert.equal(await (await fetch(url)).text(), "Hello World\n", url);
    }
  } finally {
    const stop = stdout.match(/^ {2}(kill \d+ \d+ \d+; rm -r .*)$/m)![1]!;
    assert.equal((await run(["sh", "-c", stop])).code, 0);
  }
  for (let attempt = 0; (await running(pids)).length > 0; attempt++) {
    assert.ok(attempt < 500, "still running 10 s later");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(await entries(room.path, "acme-lb-demo-"), []);
});

Deno.test("install.sh --demo ends its balancers when it is ended", async () => {
  await using room = await emptyRoom();
  await executablePath();
  await using process = new Deno.Command("./install.sh", {
    args: ["--demo"],
    cwd: ROOT,
    clearEnv: true,
    env: { PATH: WITH_DENO, HOME: room.path, TMPDIR: room.path },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let stdout = "";
  for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
    if (!pidsIn(stdout).length && pidsIn(stdout + text).length) process.kill("SIGTERM");
    stdout += text;
  }
  await process.status;
  const pids = pidsIn(stdout);
  assert.equal(pids.length, 3);
  assert.deepEqual(await running(pids), []);
  assert.deepEqual(await entries(room.path, "acme-lb-demo-"), []);
});

Deno.test({
  name: "install.sh takes no other Deno than the pinned one, from PATH or its own cache",
  ignore: !digest,
  fn: async () => {
    await using room = await emptyRoom();
    await tools(room.path);
    const other = "#!/bin/sh\necho deno 2.9.5 '(stable, release, any)'\n";
    await Deno.writeTextFile(`${room.path}/bin/deno`, other, { mode: 0o755 });
    const kept = `${room.path}/.cache/acme-lb-build/deno-2.9.6`;
    await Deno.mkdir(kept, { recursive: true });
    const forged = "#!/bin/sh\necho deno 2.9.6 '(stable, release, any)'\n";
    await Deno.writeTextFile(`${kept}/deno`, forged, { mode: 0o755 });
    const { code, stdout, stderr } = await demo(room, [], `${room.path}/bin`);
    assert.equal(stdout, "");
    assert.match(stderr, /Deno 2\.9\.6 cannot be had here; put it on PATH, or install npm, /);
    assert.equal(code, 1);
  },
});

Deno.test({
  name: "install.sh fetches Deno through npm once, and checks it",
  ignore: !digest,
  fn: async (t) => {
    await using room = await emptyRoom();
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

interface Room extends AsyncDisposable {
  path: string;
}

/** A folder for HOME and TMPDIR, so that a run leaves its traces there alone. */
async function emptyRoom(): Promise<Room> {
  const path = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function tools(folder: string): Promise<void> {
  await Deno.mkdir(`${folder}/bin`);
  for (const tool of TOOLS.split(" ")) {
    const { stdout } = await run(["sh", "-c", `command -v ${tool}`]);
    await Deno.symlink(stdout.trim(), `${folder}/bin/${tool}`);
  }
}

async function demo(room: Room, args: string[], path = WITH_DENO): Promise<Result> {
  await executablePath(); // built by somebody who has all that this needs
  return await run(["./install.sh", "--demo", ...args], {
    PATH: path,
    env: { HOME: room.path, TMPDIR: room.path },
  });
}

function skipped(reason: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`skipped: install.sh: ${reason}\n`));
}

function pidsIn(stdout: string): number[] {
  return Array.from(stdout.matchAll(/^ {2}lb\d .* pid (\d+)$/mg), ([, pid]) => Number(pid));
}

/** Those of the processes that are there and are balancers; a number may have a new owner. */
async function running(pids: number[]): Promise<number[]> {
  const commands = await Promise.all(
    pids.map((pid) => Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "")),
  );
  return pids.filter((_, index) => commands[index]!.includes("acme-lb"));
}

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

async function run(
  command: string[],
  { PATH = WITH_DENO, cwd = ROOT, env = {} }: {
    PATH?: string;
    cwd?: string;
    env?: Record<string, string>;
  } = {},
): Promise<Result> {
  const { code, stdout, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    cwd,
    clearEnv: true,
    env: { PATH, ...env },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
