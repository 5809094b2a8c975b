/**
 * Debian of another release in a folder, for the tests to run in: the same tests with other
 * programs. It is made once by debootstrap, with the packages that install.sh installs for the
 * tests, and kept beside the fetched Deno; nothing of a test is left in it.
 *
 * A command in it has this machine's network and kernel, the checkout, the runtime and /tmp; all
 * else is of the other release, and what it writes there is gone with it.
 */

import { dirname } from "node:path";
import { ADDED } from "../programs.ts";
import { works } from "../works.ts";
import { debianMirror, debootstrap } from "./debian.ts";
import { execute } from "./network.ts";
import { lacking, SEARCH_PATH } from "./requirements.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

export interface Userland {
  /** As Debian calls it. */
  release: string;
  /** The command line that runs `argv` in it, in the working directory of the caller. */
  argv(argv: string[]): string[];
}

/** `$1` is Debian's root, `$2` a folder for a layer over it; then folders that it has, up to `--`. */
const ENTER = `
base=$1 layer=$2; shift 2
mount -t tmpfs tmpfs "$layer"
mkdir "$layer/upper" "$layer/work" "$layer/root"
root=$layer/root
mount -t overlay overlay -o "lowerdir=$base,upperdir=$layer/upper,workdir=$layer/work" "$root"
for folder in /proc /sys /dev; do mount --rbind "$folder" "$root$folder"; done
mount -t tmpfs -o mode=755 tmpfs "$root/run"
while [ "$1" != -- ]; do
  mkdir -p "$root$1"
  mount --bind "$1" "$root$1"
  shift
done
shift
cp -L /etc/hosts /etc/resolv.conf "$root/etc/"
exec chroot "$root" env --chdir="$PWD" PATH="${SEARCH_PATH}" "$@"
`;

function userland(
  base: string,
  { release, env }: { release: string; env: Record<string, string> },
): Userland {
  const layer = `${dirname(base)}/${release}.layer`;
  const folders = [
    "/tmp",
    ...[Deno.env.get("TMPDIR"), ROOT, dirname(Deno.execPath()), Deno.env.get("DENO_DIR")],
    env.ACME_LB_CACHE,
    env.ACME_LB_EXECUTABLE && dirname(env.ACME_LB_EXECUTABLE),
  ].filter((folder) => folder !== undefined);
  return {
    release,
    argv: (argv) => [
      ...["unshare", "--mount", "sh", "-ec", ENTER, "sh", base, layer, ...new Set(folders), "--"],
      ...argv,
    ],
  };
}

/** Why this machine can have no userlands, or undefined when it can. */
export async function noUserlands(): Promise<string | undefined> {
  if (lacking({ for: "other Debian releases", root: true, programs: ["debootstrap", "wget"] })) {
    return "it needs root, and debootstrap";
  }
  const overlay = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work && " +
    "mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt";
  if (!await works("unshare", { args: ["--mount", "sh", "-c", overlay] })) {
    return "there is no overlay file system here";
  }
  return undefined;
}

/**
 * Makes the userland of a release, or takes the one that is there; `env` is what its tests get. A folder is renamed into its
 * place when it is whole. Throws when it cannot be made.
 */
export async function prepareUserland(
  release: string,
  { cache, env }: { cache: string; env: Record<string, string> },
): Promise<Userland> {
  const folder = `${cache}/userlands`;
  const base = `${folder}/${release}`;
  await Deno.mkdir(`${base}.layer`, { recursive: true });
  using _turn = await turn(`${folder}/.lock-${release}`);
  const packages = await Deno.readTextFile(`${ROOT}install/debian.sh`);
  const made = await Deno.readTextFile(`${base}/made-for`).catch(() => undefined);
  if (made !== packages) await make(release, { base, packages });
  const wanted = ADDED.join(" ");
  const added = await Deno.readTextFile(`${base}/added`).catch(() => undefined);
  if (added !== wanted) {
    const commands = `hold_services; install_packages ${wanted}; release_services`;
    await within(base, { release, commands });
    await Deno.writeTextFile(`${base}/added`, wanted);
  }
  return userland(base, { release, env });
}

async function make(
  release: string,
  { base, packages }: { base: string; packages: string },
): Promise<void> {
  const mirror = await debianMirror(release);
  if (mirror === undefined) throw new Error(`apt has no mirror of Debian here that has ${release}`);
  const fresh = `${base}.new`;
  for (const old of [fresh, base]) await Deno.remove(old, { recursive: true }).catch(() => {});
  await debootstrap(fresh, { release, mirror, packages: [] });
  await Deno.writeTextFile(`${fresh}/etc/apt/apt.conf.d/90acme-lb`, APT);
  await Deno.writeTextFile(`${fresh}/etc/dpkg/dpkg.cfg.d/90acme-lb`, DPKG);
  await within(fresh, { release, commands: "prepare_tests" });
  await Deno.writeTextFile(`${fresh}/made-for`, packages);
  await Deno.rename(fresh, base);
}

/** Runs commands of install/debian.sh in a root. */
async function within(
  root: string,
  { release, commands }: { release: string; commands: string },
): Promise<void> {
  const installed = await execute(
    ["unshare", "--mount", "sh", "-ec", INSTALL, "sh", root, ROOT, commands],
    { deadline: 1_800_000 },
  );
  if (installed.code !== 0) throw new Error(`${release}: ${installed.stderr}${installed.stdout}`);
}

/** A mirror may serve lists whose validity has passed; for a release in which only tests run. */
const APT = `Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::Languages "none";
`;

const DPKG = `path-exclude=/usr/share/doc/*
path-exclude=/usr/share/locale/*
`;

/** In the root `$1`, with the checkout `$2`: the commands `$3`. */
const INSTALL = `
mount --rbind /proc "$1/proc"
mount --rbind /dev "$1/dev"
cp -L /etc/resolv.conf "$1/etc/"
cp "$2/install/debian.sh" "$1/root/"
exec chroot "$1" env -i PATH="${SEARCH_PATH}" LC_ALL=C.UTF-8 sh -euc '
say() { echo "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
. /root/debian.sh
eval "$1"
apt-get clean
' sh "$3"
`;

/** Two runs of the tests at once make it once. */
async function turn(path: string): Promise<Disposable> {
  const lock = await Deno.open(path, { create: true, write: true });
  await lock.lock(true);
  return lock;
}
