/**
 * `deno task compile`: the program as one executable file, dist/acme-lb, with a list of its parts,
 * acme-lb.cdx.json, and the digests of both, SHA256SUMS.
 *
 * It is made by `deno compile` or, where the base binary for that cannot be had, carries the
 * runtime inside: compile/build.ts. `DENORT_BIN` names a base binary, as for `deno compile`.
 *
 * Usage: deno run -A compile.ts [--target TRIPLE]
 *   --target  for another machine, such as aarch64-unknown-linux-gnu: dist/acme-lb-TRIPLE, by
 *             `deno compile` alone
 */

import { build } from "./compile/build.ts";

const ROOT = import.meta.dirname!;
const DIST = `${ROOT}/dist`;
const EXECUTABLE = `${DIST}/acme-lb`;
const USAGE = "usage: deno task compile [--target TRIPLE]";
const EXIT = { failed: 1, usage: 64 };

// All that goes into the executable.
const SOURCES = ["main.ts", "lib", "deno.json", "deno.lock", "compile.ts", "compile"];

/** The path of dist/acme-lb, built first when it is missing or older than its sources. */
export async function ensureExecutable(): Promise<string> {
  using _turn = await turn();
  const changes = await Promise.all(SOURCES.map((source) => lastChange(`${ROOT}/${source}`)));
  if (await lastChange(EXECUTABLE) < Math.max(...changes)) say(await build(ROOT, {}));
  return EXECUTABLE;
}

/** Builds at once take turns: test files that all want the executable ask at the same moment. */
async function turn(): Promise<Disposable> {
  await Deno.mkdir(DIST, { recursive: true });
  const lock = await Deno.open(`${DIST}/.lock`, { create: true, write: true });
  await lock.lock(true);
  return lock;
}

/** When a file or anything below a directory last changed, in ms since the epoch; 0 when absent. */
async function lastChange(path: string): Promise<number> {
  try {
    const { isDirectory, mtime } = await Deno.stat(path);
    let latest = mtime!.getTime();
    if (isDirectory) {
      for await (const { name } of Deno.readDir(path)) {
        latest = Math.max(latest, await lastChange(`${path}/${name}`));
      }
    }
    return latest;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

function say(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`acme-lb: ${text}\n`));
}

if (import.meta.main) {
  const [flag, target, ...rest] = Deno.args;
  if (flag !== undefined && (flag !== "--target" || !target || rest.length > 0)) {
    say(USAGE);
    Deno.exit(EXIT.usage);
  }
  try {
    using _turn = await turn();
    say(await build(ROOT, { target }));
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    Deno.exitCode = EXIT.failed;
  }
}
