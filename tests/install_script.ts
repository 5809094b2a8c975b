/** Runs install.sh in tests, in a separate environment with all its files in one folder. */

import { dirname } from "node:path";
import { executablePath } from "./executable.ts";

export const ROOT = new URL("..", import.meta.url).pathname;

/** A PATH on which install.sh finds the Deno that runs the tests. */
export const WITH_DENO = `${dirname(Deno.execPath())}:/usr/sbin:/usr/bin:/sbin:/bin`;

/** Runs `./install.sh --demo`, with HOME and TMPDIR in the room. */
export async function demo(
  room: { path: string },
  args: string[],
  path = WITH_DENO,
): Promise<Result> {
  await executablePath(); // built by somebody who has all that this needs
  return await run(["./install.sh", "--demo", ...args], {
    PATH: path,
    env: { HOME: room.path, TMPDIR: room.path },
  });
}

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a command in the checkout, in an environment that has nothing of the caller's. */
export async function run(
  command: string[],
  { PATH = WITH_DENO, cwd = ROOT, env = {} }: {
    PATH?: string;
    cwd?: string;
    env?: Record<string, string>;
  } = {},
): Promise<Result> {
  const { code, stdout, stderr } = await new Deno.Command(command[0]!, {
    args: command.slice(1),
    cwd,
    clearEnv: true,
    env: { PATH, ...env },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
