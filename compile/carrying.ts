/** The form that carries the runtime that makes it: the modules and Deno itself, in one file. */

import denoJson from "../deno.json" with { type: "json" };
import { MAIN } from "./bundle.ts";
import { carry, compress, sha256 } from "./carry.ts";
import { RUN_FLAGS, VARIABLES } from "./run_flags.ts";

const START = new URL("carry.sh", import.meta.url);

/** Writes the executable; `kept` is a directory for what the next build can use again. */
export async function makeCarrying(
  program: string,
  { output, kept }: { output: string; kept: string },
): Promise<void> {
  const runtime = await Deno.readFile(Deno.execPath());
  const bytes = await carry(await Deno.readTextFile(START), {
    version: denoJson.version,
    runtime,
    compressedRuntime: await compressedOnce(runtime, kept),
    program: await modules(program),
    flags: RUN_FLAGS,
    variables: VARIABLES,
  });
  await Deno.writeFile(output, bytes, { mode: 0o755 });
}

/** The modules in a fixed order, the one that is started before the others. */
async function modules(directory: string): Promise<Map<string, Uint8Array>> {
  const all = await Array.fromAsync(Deno.readDir(directory), ({ name }) => name);
  const names = all.filter((name) => name.endsWith(".js")).sort();
  const ordered = [MAIN, ...names.filter((name) => name !== MAIN)];
  const files = new Map<string, Uint8Array>();
  for (const name of ordered) files.set(name, await Deno.readFile(`${directory}/${name}`));
  return files;
}

/** Compressing the runtime is nearly all the work of a build, and gives the same each time. */
async function compressedOnce(runtime: Uint8Array, directory: string): Promise<Uint8Array> {
  const kept = `${directory}/runtime-${(await sha256(runtime)).slice(0, 16)}.gz`;
  try {
    return await Deno.readFile(kept);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const compressed = await compress(runtime);
  const draft = await Deno.makeTempFile({ dir: directory, prefix: "runtime-" });
  await Deno.writeFile(draft, compressed);
  await Deno.rename(draft, kept);
  return compressed;
}
