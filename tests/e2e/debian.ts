/**
 * Debian in a folder, made by debootstrap from the mirror that apt uses here, and machines that
 * run in it: namespaces for processes, mounts, network and names, with systemd as the first process
 * or with none. They see the kernel's settings, and cannot change them.
 *
 * A separate shell waits for this process to end or to close the machine, and ends all of it then.
 */

import { BARE_ENVIRONMENT, eventually, tail } from "./daemon.ts";
import { execute, type Output, type RunOptions } from "./network.ts";

interface Source {
  mirror: string;
  release: string;
}

/** Where apt gets Debian's main from; a release also has other sources, for its updates. */
async function sources(): Promise<Source[]> {
  const format = "$(LABEL)|$(COMPONENT)|$(REPO_URI)|$(CODENAME)";
  const args = ["indextargets", "--format", format, "Created-By: Packages"];
  const { stdout } = await execute(["apt-get", ...args]).catch(() => ({ stdout: "" }));
  return [...stdout.matchAll(/^Debian\|main\|(\S+?)\/?\|([a-z]+)$/gm)]
    .map(([, mirror, release]) => ({ mirror: mirror!, release: release! }));
}

/** The release that apt installs from here, as its mirror calls it. */
export async function ownRelease(): Promise<string | undefined> {
  return (await sources())[0]?.release;
}

/** A mirror that apt uses and that has the release, or undefined when none answers. */
export async function debianMirror(release: string): Promise<string | undefined> {
  for (const { mirror } of await sources()) {
    const asked = await execute(
      [
        "wget",
        "-q",
        "--spider",
        "--timeout=10",
        "--tries=2",
        `${mirror}/dists/${release}/InRelease`,
      ],
      { env: await proxies() },
    );
    if (asked.code === 0) return mirror;
  }
  return undefined;
}

/** debootstrap asks wget, which does not know apt's proxy. */
async function proxies(): Promise<Record<string, string>> {
  const { stdout } = await execute(["apt-config", "shell", "proxy", "Acquire::http::Proxy"]);
  const proxy = /^proxy='(.*)'$/m.exec(stdout)?.[1];
  return proxy === undefined ? {} : { http_proxy: proxy, https_proxy: proxy };
}

/** Makes the smallest Debian in a folder, with these packages. */
export async function debootstrap(
  folder: string,
  { mirror, release, packages }: Source & { packages: string[] },
): Promise<void> {
  const include = packages.length > 0 ? [`--include=${packages}`] : [];
  const { code, stdout, stderr } = await execute(
    ["debootstrap", "--variant=minbase", ...include, release, folder, mirror],
    { env: await proxies(), deadline: 1_800_000 },
  );
  if (code !== 0) throw new Error(`debootstrap: ${stderr}${stdout.slice(-2000)}`);
}

export interface Machine extends AsyncDisposable {
  /** Runs a program of the machine to its end. */
  run(argv: string[], options?: RunOptions): Promise<Output>;
  /** The same, for lines of shell; what they print on both streams. Throws unless they end with 0. */
  sh(lines: string): Promise<string>;
  /** Runs one of the host's programs in the machine's network. */
  reach(argv: string[]): Promise<Output>;
}

/** A directory of the version 2 hierarchy below which control groups can be made. */
export async function controlGroups(): Promise<string | undefined> {
  const mounts = await Deno.readTextFile("/proc/self/mounts");
  const path = /^\S+ (\S+) cgroup2 (?:\S*,)?rw/m.exec(mounts)?.[1];
  if (path === undefined) return undefined;
  const trial = `${path}/acme-lb-trial-${Deno.pid}`;
  try {
    await Deno.mkdir(trial);
    await Deno.remove(trial);
    return path;
  } catch {
    return undefined;
  }
}

const KEEPER = `
group=$1; shift
if [ -n "$group" ]; then mkdir "$group"; fi
sh -c 'if [ -n "$1" ]; then echo $$ >"$1/cgroup.procs"; fi; shift; exec "$@"' sh "$group" "$@" >/dev/null &
echo $!
exec >&-
cat >/dev/null
kill -KILL $!
wait
for attempt in 1 2 3 4 5; do
  [ -n "$group" ] && [ -d "$group" ] || break
  find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.2
done
`;

const UNSHARE = ["--pid", "--mount", "--net", "--uts", "--ipc", "--fork", "--kill-child"];

/**
 * The machine's own file systems; those of the kernel are read-only, and no module of it can be
 * loaded, as in any container.
 */
const SET_UP = `
root=$1 groups=$2; shift 2
ip link set lo up
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
if [ -n "$groups" ]; then mount -t cgroup2 cgroup2 sys/fs/cgroup; fi
for folder in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
chmod 1777 tmp
for device in null zero full random urandom tty; do
  : >"dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/shm dev/pts
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
hostname lb0
exec setpriv --bounding-set=-sys_module env -i container=acme-lb PATH="$PATH" chroot . "$@"
`;

/** Whether systemd has started everything; if not, what it still starts and what has failed. */
const STATE = "systemctl is-system-running || { systemctl list-jobs; systemctl --failed; } 2>&1";

/** Starts a machine in the folder; with systemd when it is given where control groups can be made. */
export async function startMachine(
  folder: string,
  { groups, log }: { groups?: string; log: string },
): Promise<Machine> {
  const group = groups === undefined ? "" : `${groups}/acme-lb-test-${Deno.pid}`;
  const init = groups === undefined ? ["/bin/sleep", "infinity"] : ["/lib/systemd/systemd"];
  const unshare = groups === undefined ? UNSHARE : [...UNSHARE, "--cgroup"];
  const keeper = new Deno.Command("setsid", {
    args: [
      ...["sh", "-c", KEEPER, "sh", group, "unshare", ...unshare],
      ...["sh", "-ec", `exec >>"$1" 2>&1; shift; ${SET_UP}`, "sh", log, folder, group, ...init],
    ],
    clearEnv: true,
    env: BARE_ENVIRONMENT,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const parent = Number(await new Response(keeper.stdout).text());
  let first: string | undefined;
  const enter = (...how: string[]) => {
    if (first === undefined) throw new Error("the machine has not started");
    return ["nsenter", "--target", first, ...how];
  };
  const machine: Machine = {
    run: (argv, options) =>
      execute([...enter("--all", "--root", "--wd"), ...argv], {
        ...options,
        env: { LANG: "C.UTF-8", HOME: "/root", ...options?.env },
      }),
    sh: async (lines) => {
      const { code, stdout, stderr } = await machine.run(["sh", "-ec", `exec 2>&1\n${lines}`]);
      if (code !== 0) throw new Error(`${lines}: ended with ${code}: ${stdout}${stderr}`);
      return stdout;
    },
    reach: (argv) => execute([...enter("--net"), ...argv]),
    async [Symbol.asyncDispose]() {
      await keeper.stdin.close();
      await keeper.status;
    },
  };
  try {
    // Until it has become this program its root is the host's, where nothing of ours may run.
    first = await eventually(async () => {
      const { stdout } = await execute(["pgrep", "--parent", String(parent), "-l"]);
      const [, pid, name] = /^(\d+) (\S+)$/m.exec(stdout) ?? [];
      return init[0]!.endsWith(`/${name}`) ? pid : undefined;
    }, { what: () => `${init[0]} to start in the machine`, deadline: 300_000 });
    let state = "";
    await eventually(async () => {
      if (groups === undefined) return true;
      ({ stdout: state } = await machine.run(["sh", "-c", STATE]));
      if (state.startsWith("degraded")) throw new Error(state);
      return state.startsWith("running") || undefined;
    }, { what: () => `systemd to have started everything: ${state}`, deadline: 300_000 });
    return machine;
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw new Error(`${error}\n${await tail(log)}`, { cause: error });
  }
}
