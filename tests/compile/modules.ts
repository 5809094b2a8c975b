/**
 * The modules of the executable in a separate directory, run by the Deno that runs the tests:
 * what a test of permissions or of the modules needs, without the file that holds them.
 */

import { bundle, MAIN } from "../../compile/bundle.ts";
import { permissionFlags, type Permissions } from "../../compile/permissions.ts";
import { PERMISSIONS as OWN } from "../../compile/run_flags.ts";

export const ROOT = new URL("../..", import.meta.url).pathname;

export const PERMISSIONS: Permissions = OWN;

export interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

export interface AskOptions {
  /** Those of the executable unless others are given. */
  permissions?: Permissions;
  env?: Record<string, string>;
  stdin?: string;
}

/** Bundles into `folder/program`, which must not exist. Returns the path of the main module. */
export async function bundled(folder: string): Promise<string> {
  await bundle(ROOT, `${folder}/program`);
  return `${folder}/program/${MAIN}`;
}

/** Runs main.ts or its bundle to its end, in an environment that has nothing of the caller's. */
export async function ask(main: string, args: string[], options: AskOptions = {}): Promise<Answer> {
  const { permissions = PERMISSIONS, env, stdin = "" } = options;
  // Where the runtime keeps what it fetched, which the program may not ask for.
  const runtime = Object.entries(Deno.env.toObject())
    .filter(([name]) => ["HOME", "DENO_DIR"].includes(name));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", ...permissionFlags(permissions), main, ...args],
    clearEnv: true,
    env: { ...Object.fromEntries(runtime), ...env },
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(120_000),
  }).spawn();
  // A command that reads nothing may have ended first.
  const sent = new Blob([stdin]).stream().pipeTo(child.stdin).catch(() => {});
  const [{ code, stdout, stderr }] = await Promise.all([child.output(), sent]);
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}
