/** Runs the Deno that runs this, for the parts of a build that are its commands. */

/** A network that swallows packets must not hold up the build: the carrying form needs none. */
const TIMEOUT = 120_000;

/** The exit code of a command that took too long: 128 + SIGTERM. */
export const TIMED_OUT = 143;

export async function deno(args: string[], cwd: string): Promise<{ code: number; stderr: string }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
    signal: AbortSignal.timeout(TIMEOUT),
  }).output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}
