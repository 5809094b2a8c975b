/**
 * The executable that the tests of the whole program run: the one named by `$ACME_LB_EXECUTABLE`,
 * else dist/acme-lb, built first when it is missing or older than its sources.
 */

import { dirname, resolve } from "node:path";
import { ensureExecutable } from "../compile.ts";

let path: Promise<string> | undefined;

/** The absolute path of the executable under test, which every user of the machine can run. */
export function executablePath(): Promise<string> {
  const given = Deno.env.get("ACME_LB_EXECUTABLE");
  return path ??= given ? Promise.resolve(resolve(given)) : ensureExecutable().then(openToAll);
}

/** Where the executable unpacks what it carries, other than into this machine's own caches. */
export function executableCache(): string {
  return Deno.env.get("ACME_LB_CACHE") ?? new URL("../dist/cache", import.meta.url).pathname;
}

/** The runtime's own cache, for one that is started without the caller's HOME. */
export function runtimeCache(otherwise: string): Record<string, string> {
  return { DENO_DIR: Deno.env.get("DENO_DIR") ?? `${otherwise}/deno` };
}

/** Itself, or a copy where a folder on the way is closed to others, as for a clone below /root. */
async function openToAll(executable: string): Promise<string> {
  for (let folder = dirname(executable); folder !== "/"; folder = dirname(folder)) {
    if (((await Deno.stat(folder)).mode! & 0o005) === 0o005) continue;
    const place = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
    globalThis.addEventListener("unload", () => Deno.removeSync(place, { recursive: true }));
    await Deno.chmod(place, 0o755);
    await Deno.copyFile(executable, `${place}/acme-lb`);
    return `${place}/acme-lb`;
  }
  return executable;
}

/** Which of the two forms the executable under test has. */
export async function executableForm(): Promise<"compiled" | "carrying"> {
  using file = await Deno.open(await executablePath());
  const head = new Uint8Array(2);
  await file.read(head);
  return new TextDecoder().decode(head) === "#!" ? "carrying" : "compiled";
}

export interface RunOptions {
  /** Instead of the executable under test. */
  executable?: string;
  /** All of the environment but PATH. */
  env?: Record<string, string>;
  cwd?: string;
  /** The user to run as; needs root. */
  uid?: number;
  /** Shell text that is run before it, as root and in a separate mount namespace; needs root. */
  prelude?: string;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the executable to its end, in an environment that has nothing of the caller's. */
export async function runExecutable(args: string[], options: RunOptions = {}): Promise<RunResult> {
  const { code, stdout, stderr } = await (await executableCommand(args, options)).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** The same as a command that the test itself starts and ends. */
export async function executableCommand(
  args: string[],
  { executable, env, cwd, uid, prelude }: RunOptions = {},
): Promise<Deno.Command> {
  const words = [executable ?? await executablePath(), ...args];
  if (uid !== undefined) {
    words.unshift("setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups");
  }
  if (prelude) words.unshift("unshare", "--mount", "sh", "-ec", `${prelude}\nexec "$@"`, "sh");
  return new Deno.Command(words[0]!, {
    args: words.slice(1),
    cwd,
    clearEnv: true,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** The names in a directory that begin so; none when there is no such directory. */
export async function entries(directory: string, prefix = ""): Promise<string[]> {
  try {
    const names = await Array.fromAsync(Deno.readDir(directory), ({ name }) => name);
    return names.filter((name) => name.startsWith(prefix)).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
