/** Prometheus' own checker, which comes with Debian's package `prometheus`. */

import { works } from "./works.ts";

export const hasPromtool = await works("promtool", { args: ["--version"] });

// deno-lint-ignore no-console
if (!hasPromtool) console.warn("skipping what needs promtool, which is not here");

/** Runs promtool; `said` is all of its output. */
export async function promtool(
  args: string[],
  stdin = "",
): Promise<{ code: number; said: string }> {
  const child = new Deno.Command("promtool", {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, said: text.decode(stdout) + text.decode(stderr) };
}
