/** Prometheus' own checker, which comes with Debian's package `prometheus`. */

import { runPiped } from "./piped.ts";
import { works } from "./works.ts";

export const hasPromtool = await works("promtool", { args: ["--version"] });

// deno-lint-ignore no-console
if (!hasPromtool) console.warn("skipping what needs promtool, which is not here");

/** Runs promtool; `said` is all of its output. */
export async function promtool(
  args: string[],
  stdin = "",
): Promise<{ code: number; said: string }> {
  const { code, stdout, stderr } = await runPiped("promtool", args, stdin);
  return { code, said: stdout + stderr };
}
