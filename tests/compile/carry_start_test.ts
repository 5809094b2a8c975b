/**
 * carry.sh with a shell script in place of the runtime, which shows what it is started with: what
 * does not need the runtime itself is quicker to see so.
 */

import assert from "node:assert/strict";
import { carry, compress } from "../../compile/carry.ts";
import { entries, runExecutable } from "../executable.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const START = new URL("../../compile/carry.sh", import.meta.url);
const SHOW = `#!/bin/sh
echo "$*" >>"\${0%/*/*}/starts"
[ "$1" = --version ] && exit
printf '%s\\n' "$@"
env | grep -vE '^(PWD|SHLVL|_)=' | sort
`;
const VARIABLES = ["RENEWED_LINEAGE", "Le_Domain", "NO_COLOR"];

async function inFolder(test: (folder: string, executable: string) => Promise<void>) {
  await using temporary = await temporaryFolder();
  const folder = temporary.path;
  await test(folder, `${folder}/acme-lb`);
}

async function write(executable: string, flags: string[], script = SHOW): Promise<void> {
  const runtime = new TextEncoder().encode(script);
  const bytes = await carry(await Deno.readTextFile(START), {
    version: "1.2.3",
    runtime,
    compressedRuntime: await compress(runtime),
    program: new Map([["main.js", new Uint8Array(3)], ["part.js", new Uint8Array(0)]]),
    flags,
    variables: VARIABLES,
  });
  await Deno.writeFile(executable, bytes, { mode: 0o755 });
}

Deno.test("no file of the working directory takes the place of a flag that holds a pattern", () =>
  inFolder(async (folder, executable) => {
    const flags = ["--allow-env=A_*,B", "--allow-net=[::1]:80"];
    await write(executable, flags);
    for (const name of ["--allow-env=A_X,PATH,B", "--allow-net=1:80"]) {
      await Deno.writeTextFile(`${folder}/${name}`, "");
    }
    const env = { ACME_LB_CACHE: `${folder}/cache` };
    // The first start and those after it.
    for (let start = 0; start < 2; start++) {
      const { stdout } = await runExecutable(["serve"], { executable, env, cwd: folder });
      assert.deepEqual(stdout.split("\n").slice(0, 3), ["run", ...flags]);
    }
  }));

Deno.test("arguments arrive unchanged, and variables that change the runtime's behaviour do not arrive", () =>
  inFolder(async (folder, executable) => {
    await write(executable, ["--allow-net"]);
    const args = ["a b", "*", "$(id)", "", "-x", "'"];
    const steering = ["NODE_OPTIONS", "NODE_EXTRA_CA_CERTS", "NODE_V8_COVERAGE", "LD_PRELOAD"];
    steering.push("LD_LIBRARY_PATH", "LD_AUDIT", "HTTP_PROXY", "https_proxy", "ALL_PROXY");
    for (
      const name of ["SERVE_ADDRESS", "AUTO_SERVE", "DIR", "AUDIT_PERMISSIONS", "COVERAGE_DIR"]
    ) {
      steering.push(`DENO_${name}`);
    }
    steering.push(
      "DENO_PERMISSION_BROKER_PATH",
      "DENO_TLS_CA_STORE",
      "DENO_V8_FLAGS",
      "SSLKEYLOGFILE",
    );
    steering.push("OTEL_DENO", "RUST_LOG", "GZIP", "XDG_DATA_HOME");
    const env = {
      ...Object.fromEntries(steering.map((name) => [name, "/nowhere/x"])),
      ACME_LB_CACHE: `${folder}/cache`,
      HOME: "/nowhere",
      // Variables for hooks, with any characters.
      RENEWED_LINEAGE: "/etc/a \"b\" $(id) `id` 'c' \\ *",
      Le_Domain: "",
    };
    const { code, stdout, stderr } = await runExecutable(args, { executable, env, cwd: folder });
    // The system's loader has read some of it before the first line of the program.
    assert.equal(code, 0, stderr);
    const [home] = stdout.match(/(?<=^HOME=).*$/m)!;
    assert.match(home, new RegExp(`^${folder}/cache/carried-[0-9a-f]{32}$`));
    assert.deepEqual(stdout.trimEnd().split("\n"), [
      ...["run", "--allow-net", `${home}/main.js`, ...args],
      `ACME_LB_SELF=${executable}`,
      `DENO_DIR=${home}/cache`,
      "DENO_NO_PACKAGE_JSON=1",
      "DENO_NO_UPDATE_CHECK=1",
      `HOME=${home}`,
      "Le_Domain=",
      `RENEWED_LINEAGE=${env.RENEWED_LINEAGE}`,
    ]);
  }));

Deno.test("the runtime is started from its physical path, so that a link changed later has no effect", () =>
  inFolder(async (folder, executable) => {
    await write(executable, ["--allow-net"]);
    await Deno.mkdir(`${folder}/real/caches`, { recursive: true });
    await Deno.symlink("real", `${folder}/link`);
    const env = { ACME_LB_CACHE: `${folder}/link/caches` };
    for (let start = 0; start < 2; start++) {
      const { stdout } = await runExecutable(["serve"], { executable, env });
      assert.match(stdout.match(/(?<=^HOME=).*$/m)![0], /\/real\/caches\/carried-[0-9a-f]{32}$/);
    }
  }));

Deno.test("a first start removes old runtimes of acme-lb, and no other files", () =>
  inFolder(async (folder, executable) => {
    await write(executable, ["--allow-net"]);
    const cache = `${folder}/cache`;
    const old = "0123456789abcdef0123456789abcdef";
    const runtime = { "acme-lb": "x", "main.js": "y" };
    const table: [name: string, files: Record<string, string>, swept: boolean, fresh?: "fresh"][] =
      [
        [`carried-${old}`, runtime, true],
        [".acme-lb-unpack-0123456789", {}, true],
        [`carried-${old.replace("0", "1")}`, runtime, false, "fresh"],
        [`carried-${old.replace("0", "2")}`, { "letter.txt": "mine" }, false],
        [`carried-${old}0`, runtime, false],
        ["carried-away", runtime, false],
        ["carried-over-notes", { "letter.txt": "mine" }, false],
        ["unpack-me", { "letter.txt": "mine" }, false],
        ["other", runtime, false],
      ];
    for (const [name, files, _, fresh] of table) {
      await Deno.mkdir(`${cache}/${name}`, { recursive: true });
      for (const [file, text] of Object.entries(files)) {
        await Deno.writeTextFile(`${cache}/${name}/${file}`, text);
      }
      if (!fresh) await Deno.utime(`${cache}/${name}`, 0, 0);
    }
    await Deno.rename(`${cache}/other`, `${folder}/other`);
    await Deno.symlink(`${folder}/other`, `${cache}/carried-${old.replace("0", "3")}`);
    await runExecutable(["serve"], { executable, env: { ACME_LB_CACHE: cache } });
    const left = await entries(cache);
    for (const [name, , swept] of table.slice(0, -1)) {
      assert.equal(left.includes(name), !swept, name);
    }
    assert.deepEqual(await entries(`${folder}/other`), ["acme-lb", "main.js"]);
  }));

Deno.test("the first start tests the runtime and fills its module cache; later ones do neither", () =>
  inFolder(async (folder, executable) => {
    await write(executable, ["--allow-net"]);
    const env = { ACME_LB_CACHE: `${folder}/cache` };
    for (let start = 0; start < 2; start++) await runExecutable(["serve"], { executable, env });
    const [home] = await entries(`${folder}/cache`, "carried-");
    const run = (words: string) => `run --allow-net ${folder}/cache/${home}/main.js ${words}`;
    assert.deepEqual((await Deno.readTextFile(`${folder}/cache/starts`)).trim().split("\n"), [
      "--version",
      run("generate man"),
      run("serve"),
      run("serve"),
    ]);
  }));

Deno.test("it starts in a working directory that has been removed, where relative paths name nothing", () =>
  inFolder(async (folder, executable) => {
    // The runtime itself needs a working directory that has a path.
    const script = `#!/bin/sh
[ "$1" = --version ] && exit
env pwd -P >/dev/null || exit 9
for path; do shift; done
[ ! -e "$path" ] && ! touch "$path" 2>/dev/null && echo nothing
`;
    await write(executable, ["--allow-net"], script);
    const env = { ACME_LB_CACHE: `${folder}/cache`, PATH: "/usr/bin:/bin" };
    // As after a deployment: another directory has the name, with a file that is not meant.
    const start = `mkdir gone && cd gone && rmdir "$PWD" && mkdir -p "$PWD"
      echo other >"$PWD/a.pem"; exec "$0" a.pem`;
    for (let attempt = 0; attempt < 2; attempt++) {
      const command = new Deno.Command("sh", {
        args: ["-c", start, executable],
        ...{ clearEnv: true, cwd: folder, env },
      });
      const { code, stdout, stderr } = await command.output();
      const text = new TextDecoder();
      assert.deepEqual([code, text.decode(stdout)], [0, "nothing\n"], text.decode(stderr));
      await Deno.remove(`${folder}/gone`, { recursive: true });
    }
  }));
