/** The form that `deno compile` makes: the modules embedded in its base binary. */

import { MAIN } from "./bundle.ts";
import { deno, TIMED_OUT } from "./deno.ts";
import { PERMISSIONS, V8_FLAGS } from "./run_flags.ts";

/**
 * No code cache: a compiled program keeps its own under a guessable name in /tmp, where another
 * user can put one for root to run.
 */
const FLAGS = ["--no-prompt", "--permission-set", "--no-code-cache", "--app-name", "acme-lb"];

/**
 * Returns false when the base binary cannot be had.
 * @throws {Error} for any other failure, and for that one when DENORT_BIN names the base binary
 */
export async function makeCompiled(
  program: string,
  { output, target }: { output: string; target: string | undefined },
): Promise<boolean> {
  const flags = [...FLAGS, V8_FLAGS, ...target === undefined ? [] : ["--target", target]];
  // The nearest one above the modules is read, for the permissions alone.
  const denoJson = { compile: { permissions: PERMISSIONS } };
  await Deno.writeTextFile(`${program}/deno.json`, JSON.stringify(denoJson));
  const { code, stderr } = await deno(
    ["compile", ...flags, "--output", output, `${program}/${MAIN}`],
    program,
  );
  if (code === 0) return true;
  const noBaseBinary = /base binary|denort/i.test(stderr) || code === TIMED_OUT;
  if (!noBaseBinary || Deno.env.has("DENORT_BIN")) {
    throw new Error(`deno compile failed:\n${stderr}`);
  }
  return false;
}
