/**
 * carry.sh with a shell script in place of the runtime, which shows what it is started with: what
 * does not need the runtime itself is quicker to see so.
 */

import assert from "node:assert/strict";
import { carry, compress } from "../../compile/carry.ts";
import { entries, runExecutable } from "../executable.ts";

const START = new URL("../../compile/carry.sh", import.meta.url);
const SHOW = `#!/bin/sh
echo "$*" >>"\${0%/*/*}/starts"
[ "$1" = --version ] && exit
printf '%s\\n' "$@"
env | grep -E '^(NODE|DENO|HOME)' | sort
`;

async function inFolder(test: (folder: string, executable: string) => Promise<void>) {
  const folder = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
  try {
    await test(folder, `${folder}/acme-lb`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function write(executable: string, flags: string[]): Promise<void> {
  const runtime = new TextEncoder().encode(SHOW);
  const bytes = await carry(await Deno.readTextFile(START), {
    version: "1.2.3",
    runtime,
    compressedRuntime: await compress(runtime),
    program: new Map([["main.js", new Uint8Array(3)], ["part.js", new Uint8Array(0)]]),
    flags,
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

Deno.test("arguments arrive as they are, and what steers the runtime does not arrive at all", () =>
  inFolder(async (folder, executable) => {
    await write(executable, ["--allow-net"]);
    const args = ["a b", "*", "$(id)", "", "-x", "'"];
    const env = {
      ACME_LB_CACHE: `${folder}/cache`,
      HOME: "/nowhere",
      NODE_OPTIONS: "--require /x",
      DENO_SERVE_ADDRESS: "x",
      DENO_AUTO_SERVE: "1",
      DENO_DIR: "/nowhere",
    };
    const { code, stdout, stderr } = await runExecutable(args, { executable, env, cwd: folder });
    assert.deepEqual([code, stderr], [0, ""]);
    const [home] = stdout.match(/(?<=^HOME=).*$/m)!;
    assert.match(home, new RegExp(`^${folder}/cache/carried-[0-9a-f]{32}$`));
    assert.deepEqual(stdout.trimEnd().split("\n"), [
      ...["run", "--allow-net", `${home}/main.js`, ...args],
      `DENO_DIR=${home}/cache`,
      "DENO_NO_PACKAGE_JSON=1",
      "DENO_NO_UPDATE_CHECK=1",
      `HOME=${home}`,
    ]);
  }));

Deno.test("the first start tries the runtime, and lets it learn the modules; later ones do neither", () =>
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
