/** Runs the executable as a hook or an operator would: with standard input and an environment. */

import { executableCache, executablePath, type RunResult } from "../executable.ts";

export interface ProgramOptions {
  stdin?: string;
  env?: Record<string, string>;
  cwd?: string;
  /** A command that execs what follows it. */
  before?: string[];
}

export interface ProgramResult extends RunResult {
  signal: Deno.Signal | null;
}

export async function acmeLb(args: string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  const { stdin = "", env = {}, cwd, before = [] } = options;
  const executable = await executablePath();
  const [program, ...rest] = [...before, executable, ...args];
  const child = new Deno.Command(program!, {
    args: rest,
    cwd,
    clearEnv: true,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ACME_LB_CACHE: executableCache(), ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const sent = writer.write(new TextEncoder().encode(stdin)).then(() => writer.close());
  // A command that reads nothing may have ended first.
  await sent.catch(() => {});
  const { code, signal, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, signal, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
