/**
 * A folder for install.sh to install into without root, where a test can compare all that is there;
 * tests that run as root give it up for that.
 */

import { executablePath } from "./executable.ts";
import { type Result, ROOT, run } from "./install_script.ts";
import { temporaryFolder } from "./temporary_folder.ts";

/** Nobody's. */
export const UID = 65534;
/** A stand-in for the executable, for what does not depend on it. */
export const STAND_IN = `#!/bin/sh
case $1 in
  --version) echo acme-lb 0.0.0 ;;
  generate) echo "$2 of 0.0.0" ;;
esac
`;

const DOCUMENTS = [
  "share/bash-completion/completions/acme-lb",
  "share/fish/vendor_completions.d/acme-lb.fish",
  "share/man/man8/acme-lb.8",
  "share/zsh/site-functions/_acme-lb",
];
/** All that is installed below a prefix. */
export const FILES = ["bin/acme-lb", "share/acme-lb/installed", ...DOCUMENTS].sort();

export interface Place extends AsyncDisposable {
  path: string;
  /** Shell scripts here go before programs of the same name. */
  shim: string;
  /** Runs install.sh, which lies there alone, as a user without rights. */
  install(...args: string[]): Promise<Result>;
  /** Runs lines of shell in a mount namespace of their own, as root; `"$@"` is install.sh as above. */
  sh(lines: string, ...args: string[]): Promise<Result>;
}

/** A folder that holds install.sh, an executable and the prefix `there`. */
export async function place(executable?: string): Promise<Place> {
  const room = await temporaryFolder();
  // Beside what is compared; the cache is where the executable unpacks its runtime, once for all.
  const [path, cache, shim] = ["place", "cache", "shim"].map((name) => `${room.path}/${name}`);
  for (const folder of [path!, cache!, shim!, `${path}/there`, `${path}/tmp`]) {
    await Deno.mkdir(folder);
  }
  await Deno.copyFile(`${ROOT}install.sh`, `${path}/install.sh`);
  if (executable === undefined) await Deno.copyFile(await executablePath(), `${path}/acme-lb`);
  else await Deno.writeTextFile(`${path}/acme-lb`, executable, { mode: 0o755 });
  const root = Deno.uid() === 0;
  if (root) await run(["chown", "-R", `${UID}:${UID}`, room.path]);
  const user = root ? ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups"] : [];
  const within = {
    PATH: `${shim}:/usr/sbin:/usr/bin:/sbin:/bin`,
    cwd: path!,
    env: { TMPDIR: `${path}/tmp`, ACME_LB_CACHE: cache! },
  };
  const command = (args: string[]) => [...user, "./install.sh", ...args];
  return {
    path: path!,
    shim: shim!,
    install: (...args) => run(command(args), within),
    sh: (lines, ...args) =>
      run(["unshare", "--mount", "sh", "-ec", lines, "sh", ...command(args)], within),
    [Symbol.asyncDispose]: () => room[Symbol.asyncDispose](),
  };
}

/** What installs from such a folder. */
export const WITH = ["--prefix", "there", "--binary", "acme-lb"];

/** Everything below a directory, with what would tell that it was touched. */
export async function tree(directory: string, path = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${directory}/${path}`)) {
    const below = `${path}${name}`;
    const { ino, mtime, mode, size } = await Deno.lstat(`${directory}/${below}`);
    const facts = isDirectory ? [] : [ino, mtime?.getTime(), size];
    found.push([below, (mode! & 0o7777).toString(8), ...facts].join(" "));
    if (isDirectory) found.push(...await tree(directory, `${below}/`));
  }
  return found.sort();
}

/** The files and the empty directories below a directory. */
export async function names(directory: string): Promise<string[]> {
  const paths = (await tree(directory)).map((line) => line.split(" ")[0]!);
  return paths.filter((path) => !paths.some((other) => other.startsWith(`${path}/`)));
}
