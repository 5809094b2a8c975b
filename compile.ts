/**
 * `deno task compile`: the program as one executable file, dist/acme-lb.
 *
 * First one bundle, then `deno compile` of it. Where the base binary of `deno compile` cannot be
 * had, the carrying form instead (compile/carry.ts). Both forms have the permissions that deno.json
 * states in `compile.permissions`, and only those. `DENORT_BIN` names a base binary, as for
 * `deno compile`. The file is renamed into place, so a running copy stays what it was.
 */

import denoJson from "./deno.json" with { type: "json" };
import { bundle, MAIN } from "./compile/bundle.ts";
import { carry, compress, sha256 } from "./compile/carry.ts";
import { deno, TIMED_OUT } from "./compile/deno.ts";
import { permissionFlags } from "./compile/permissions.ts";

const ROOT = import.meta.dirname!;
const DIST = `${ROOT}/dist`;
const EXECUTABLE = `${DIST}/acme-lb`;
const WORKSHOP = `${DIST}/build`;

// All that goes into the executable.
const SOURCES = ["main.ts", "lib", "deno.json", "deno.lock", "compile.ts", "compile"];

/**
 * Memory before speed: a balancer's memory is HAProxy's. V8 lets the young generation grow to three
 * semi-spaces of 16 MB and the old one to several times what survives, which after a flood of
 * connections stays taken; smaller steps cost a collection now and then.
 */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=4,--heap-growing-percent=20";

// What the runtime is told beyond permissions: ask nobody, fetch nothing, read no configuration.
const RUN_FLAGS = [
  "--quiet",
  "--no-prompt",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--cached-only",
  V8_FLAGS,
];

/** Builds dist/acme-lb, whatever is there, and says on stderr what was made. */
export async function compile(): Promise<void> {
  using _turn = await turn();
  await build();
}

/** The path of dist/acme-lb, built first when it is missing or older than its sources. */
export async function ensureExecutable(): Promise<string> {
  using _turn = await turn();
  const changes = await Promise.all(SOURCES.map((source) => lastChange(`${ROOT}/${source}`)));
  if (await lastChange(EXECUTABLE) < Math.max(...changes)) await build();
  return EXECUTABLE;
}

/** Builds at once take turns: test files that all want the executable ask at the same moment. */
async function turn(): Promise<Disposable> {
  await Deno.mkdir(DIST, { recursive: true });
  const lock = await Deno.open(`${DIST}/.lock`, { create: true, write: true });
  await lock.lock(true);
  return lock;
}

async function build(): Promise<void> {
  await Deno.remove(WORKSHOP, { recursive: true }).catch(() => {});
  await Deno.mkdir(WORKSHOP);
  const program = `${WORKSHOP}/program`;
  const executable = `${WORKSHOP}/acme-lb`;
  await bundle(ROOT, program);
  const compiled = await denoCompile(program, executable);
  if (!compiled) {
    say("deno compile cannot get its base binary here: making the form that carries the runtime");
    await writeCarrying(program, executable);
  }
  const { size } = await Deno.stat(executable);
  await Deno.rename(executable, EXECUTABLE);
  await Deno.remove(WORKSHOP, { recursive: true });
  say(`dist/acme-lb, ${compiled ? "compiled" : "carrying"} form, ${(size / 1e6).toFixed(1)} MB`);
}

/**
 * Returns false when the base binary cannot be had; any other failure is thrown. No code cache: a
 * compiled program keeps its own under a guessable name in /tmp, where another user can put one
 * for root to run.
 */
async function denoCompile(program: string, output: string): Promise<boolean> {
  const flags = [
    "--no-prompt",
    "--permission-set",
    "--no-code-cache",
    "--app-name",
    "acme-lb",
    V8_FLAGS,
  ];
  const { code, stderr } = await deno(
    ["compile", ...flags, "--output", output, `${program}/${MAIN}`],
    ROOT,
  );
  if (code === 0) return true;
  const noBaseBinary = /base binary|denort/i.test(stderr) || code === TIMED_OUT;
  if (!noBaseBinary || Deno.env.has("DENORT_BIN")) {
    throw new Error(`deno compile failed:\n${stderr}`);
  }
  return false;
}

async function writeCarrying(program: string, output: string): Promise<void> {
  const runtime = await Deno.readFile(Deno.execPath());
  const bytes = await carry(await Deno.readTextFile(`${ROOT}/compile/carry.sh`), {
    version: denoJson.version,
    runtime,
    compressedRuntime: await compressedOnce(runtime),
    program: await modules(program),
    flags: [...RUN_FLAGS, ...permissionFlags(denoJson.compile.permissions)],
  });
  await Deno.writeFile(output, bytes, { mode: 0o755 });
}

/** The modules in a fixed order, the one that is started before the others. */
async function modules(directory: string): Promise<Map<string, Uint8Array>> {
  const names = (await Array.fromAsync(Deno.readDir(directory), ({ name }) => name)).sort();
  const ordered = [MAIN, ...names.filter((name) => name !== MAIN)];
  const files = new Map<string, Uint8Array>();
  for (const name of ordered) files.set(name, await Deno.readFile(`${directory}/${name}`));
  return files;
}

/** Compressing the runtime is nearly all the work of a build, and gives the same each time. */
async function compressedOnce(runtime: Uint8Array): Promise<Uint8Array> {
  const kept = `${DIST}/runtime-${(await sha256(runtime)).slice(0, 16)}.gz`;
  try {
    return await Deno.readFile(kept);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const compressed = await compress(runtime);
  const draft = await Deno.makeTempFile({ dir: DIST, prefix: "runtime-" });
  await Deno.writeFile(draft, compressed);
  await Deno.rename(draft, kept);
  return compressed;
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
  try {
    await compile();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    Deno.exitCode = 1;
  }
}
