/** The form that `deno compile` makes: the modules embedded in its base binary. */

import { MAIN } from "./bundle.ts";
import { deno, TIMED_OUT } from "./deno.ts";
import { tryOut } from "./try_out.ts";
import { PERMISSIONS, UNSTABLE_FLAG, V8_FLAGS } from "./run_flags.ts";

/**
 * No code cache: a compiled program keeps its own under a guessable name in /tmp, where another
 * user can put one for root to run.
 */
const FLAGS = ["--no-prompt", "--permission-set", "--no-code-cache", "--app-name", "acme-lb"];

/**
 * Makes it, and tries it unless it is for another machine.
 * @returns why it cannot be used: the base binary cannot be had, or what was made does not work
 * @throws {Error} for any other failure, and when the base binary that DENORT_BIN names is missing
 */
export async function makeCompiled(
  program: string,
  { output, target }: { output: string; target: string | undefined },
): Promise<string | undefined> {
  const flags = [
    ...FLAGS,
    UNSTABLE_FLAG,
    V8_FLAGS,
    ...target === undefined ? [] : ["--target", target],
  ];
  // The nearest one above the modules is read, for the permissions alone.
  const denoJson = { compile: { permissions: PERMISSIONS } };
  await Deno.writeTextFile(`${program}/deno.json`, JSON.stringify(denoJson));
  const { code, stderr } = await deno(
    ["compile", ...flags, "--output", output, `${program}/${MAIN}`],
    program,
  );
  if (code === 0) {
    const foreign = target !== undefined && target !== Deno.build.target;
    return foreign ? undefined : await tryOut(output);
  }
  const noBaseBinary = /base binary|denort/i.test(stderr) || code === TIMED_OUT;
  if (!noBaseBinary || Deno.env.has("DENORT_BIN")) {
    throw new Error(`deno compile failed:\n${stderr}`);
  }
  return "deno compile cannot get its base binary here";
}
