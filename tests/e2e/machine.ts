/**
 * A host of the network as a separate machine: this machine's files with a layer over them that
 * nothing leaves, an empty /run, and stand-ins for what a network namespace has not: systemd, and
 * ssh and scp between the machines. What the stand-ins start are the real programs.
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { executableCache, executablePath } from "../executable.ts";
import { ROOT } from "../install_script.ts";
import { type Daemon, logged, startDaemon } from "./daemon.ts";
import { execute, type Host, type Network, type Output } from "./network.ts";

export interface ShellOptions {
  cwd?: string;
  env?: Record<string, string>;
}

export interface Machine {
  host: Host;
  /** Of a process whose namespaces and root are the machine's. */
  pid: number;
  /** The command line that runs `argv` there. Every step of it `exec`s. */
  on(argv: string[], options?: { cwd?: string }): string[];
  /** Runs a line of shell as root there, its two outputs in one. */
  sh(line: string, options?: ShellOptions): Promise<Output>;
  /** The same for a line that must end with 0. */
  must(line: string, options?: ShellOptions): Promise<Output>;
  write(path: string, text: string, options?: { mode?: number }): Promise<void>;
  stop(): Promise<void>;
}

/**
 * `$1` is the folder of the layer, `$2` the checkout, what follows are folders that programs under
 * test need wherever they are: below /root, or on a file system that the layer does not show. What
 * an installation of acme-lb and its clients may have left on this machine is not there.
 */
const LAYER = `
layer=$1 checkout=$2; shift 2
mount -t tmpfs tmpfs "$layer"
cd "$layer"
mkdir upper work root checkout checkout/upper checkout/work
mount -t overlay overlay -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" root
mount --rbind /proc root/proc
mount --rbind /dev root/dev
mount -t tmpfs tmpfs root/run
mount -t tmpfs -o mode=700 tmpfs root/root
mkdir -p "root$checkout"
mount -t overlay overlay "root$checkout" \\
  -o "lowerdir=$checkout,upperdir=$layer/checkout/upper,workdir=$layer/checkout/work"
for folder; do
  mkdir -p "root$folder"
  mount --bind "$folder" "root$folder"
done
cp /etc/hosts /etc/resolv.conf root/etc/
cd root
rm -rf etc/acme-lb etc/haproxy/certs etc/letsencrypt/* var/lib/acme/* var/lib/lego var/lib/dehydrated/* \\
  etc/keepalived/keepalived.conf etc/systemd/system/acme-lb* usr/local/bin/acme-lb usr/local/share/acme-lb
mkdir -p run/acme-lb-stand-in/enabled run/systemd/system
cd /
exec chroot "$layer/root" sh -c 'echo ready; exec sleep infinity'
`;

/** What a machine needs of this one: the runtime, its packages, the executable, the test's files. */
async function needed({ directory }: Network): Promise<string[]> {
  const folders = [
    dirname(Deno.execPath()),
    Deno.env.get("DENO_DIR"),
    dirname(await executablePath()),
    executableCache(),
    directory,
  ].filter((folder) => folder !== undefined);
  for (const folder of folders) await Deno.mkdir(folder, { recursive: true });
  return [...new Set(folders)];
}

/**
 * Units by name; each waits until it listens where it does, as a ready unit would. A timer is not
 * started but verified, with its service, by systemd's own reader where there is one.
 */
const SYSTEMCTL = `#!/bin/sh
# Stand-in for systemd's: starts and stops the programs themselves, one process group each.
set -u
verb=$1; shift
now=''; units=''
for word; do
  case $word in --now) now=yes ;; -*) ;; *) units="$units \${word%.service}" ;; esac
done
# Until a log has more than its first lines and nothing new for 3 s.
settle() {
  before=0
  for attempt in $(seq 20); do
    sleep 3
    lines=$(wc -l <"$1")
    [ "$lines" != "$before" ] || grep -q STATE "$1" || continue
    [ "$lines" != "$before" ] || return 0
    before=$lines
  done
}
start() {
  case $1 in
    acme-lb) port=80; set -- "$1" acme-lb serve ;;
    nginx) port=80; set -- "$1" nginx -e stderr -g 'daemon off;' ;;
    haproxy) port=443; mkdir -p /run/haproxy
      set -- "$1" haproxy -W -db -f /etc/haproxy/haproxy.cfg ;;
    keepalived) port=''; set -- "$1" keepalived --dont-fork --log-console ;;
    *) echo "Unit $1.service not found." >&2; exit 5 ;;
  esac
  unit=$1; shift
  setsid "$@" >>"/var/log/$unit.unit.log" 2>&1 </dev/null &
  echo $! >"/run/acme-lb-stand-in/$unit"
  [ -n "$port" ] || { settle "/var/log/$unit.unit.log"; return; }
  for attempt in $(seq 200); do
    ss -Hltn "sport = :$port" | grep -q . && return
    kill -0 $! 2>/dev/null || break
    sleep 0.1
  done
  cat "/var/log/$unit.unit.log" >&2
  exit 1
}
stop() {
  pid=$(cat "/run/acme-lb-stand-in/$1" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null
  for attempt in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  rm -f "/run/acme-lb-stand-in/$1"
}
verify() {
  command -v systemd-analyze >/dev/null || return 0
  folder=$(mktemp -d)
  for name in "$1" "\${1%timer}service"; do
    for place in /lib/systemd/system /etc/systemd/system; do
      file=$place/$(echo "$name" | sed 's/@[^.]*/@/')
      [ ! -e "$file" ] || cp "$file" "$folder/$name"
    done
  done
  systemd-analyze --man=no verify "$folder/$1" || exit
}
active() {
  pid=$(cat "/run/acme-lb-stand-in/$1" 2>/dev/null) && kill -0 "$pid" 2>/dev/null
}
signal() {
  case $1 in haproxy) echo USR2 ;; *) echo HUP ;; esac
}
[ "$verb" != daemon-reload ] || exit 0
for unit in $units; do
  case $unit in *.timer) verify "$unit"; continue ;; esac
  case $verb in
    start) active "$unit" || start "$unit" ;;
    restart) stop "$unit"; start "$unit" ;;
    reload) active "$unit" && kill -"$(signal "$unit")" "$pid" ;;
    reload-or-restart)
      if active "$unit"; then kill -"$(signal "$unit")" "$pid"; else start "$unit"; fi ;;
    stop) stop "$unit" ;;
    try-restart) ! active "$unit" || { stop "$unit"; start "$unit"; } ;;
    enable) touch "/run/acme-lb-stand-in/enabled/$unit"; [ -z "$now" ] || start "$unit" ;;
    disable) rm -f "/run/acme-lb-stand-in/enabled/$unit"; [ -z "$now" ] || stop "$unit" ;;
    is-enabled) [ -e "/run/acme-lb-stand-in/enabled/$unit" ] || exit 1 ;;
    is-active) if active "$unit"; then echo active; else echo inactive; exit 3; fi ;;
    *) echo "the stand-in for systemctl does not know $verb" >&2; exit 1 ;;
  esac
done
`;

/** The journal of a unit is what its program wrote. */
const JOURNALCTL = `#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in -u) unit=$2; shift 2 ;; --since) shift 2 ;; -*) shift ;; *) exit 1 ;; esac
done
exec cat "/var/log/$unit.unit.log"
`;

/** Starts the machine of a host that exists in the network. */
export async function startMachine(network: Network, host: Host): Promise<Machine> {
  const layer = `${network.directory}/${host.name}/machine`;
  await Deno.mkdir(layer, { recursive: true });
  const daemon: Daemon = await startDaemon([
    ...["ip", "netns", "exec", host.namespace, "sh", "-ec", LAYER, "sh"],
    ...[layer, ROOT, ...await needed(network)],
  ], { log: `${network.directory}/${host.name}-machine.log` });
  await logged(daemon, /^ready$/m);
  const machine: Machine = {
    host,
    pid: daemon.pid,
    on: (argv, { cwd = "/root" } = {}) => [
      ...["nsenter", "--target", String(daemon.pid), "--mount", "--net", "--root"],
      ...["env", `--chdir=${cwd}`, ...argv],
    ],
    sh: (line, options = {}) =>
      execute(machine.on(["sh", "-c", 'exec 2>&1; eval "$1"', "sh", line], options), {
        env: { HOME: "/root", ...options.env },
        deadline: 600_000,
      }),
    async must(line, options) {
      const output = await machine.sh(line, options);
      assert.equal(output.code, 0, `${host.name}: ${line}\n${output.stdout}`);
      return output;
    },
    async write(path, text, { mode = 0o644 } = {}) {
      const file = `/proc/${daemon.pid}/root${path}`;
      await Deno.mkdir(file.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(file, text);
      await Deno.chmod(file, mode);
    },
    async stop() {
      await daemon.stop();
    },
  };
  // On a terminal curl shows no progress either.
  await machine.write("/root/.curlrc", "silent\nshow-error\n");
  await machine.write("/usr/local/sbin/systemctl", SYSTEMCTL, { mode: 0o755 });
  await machine.write("/usr/local/bin/journalctl", JOURNALCTL, { mode: 0o755 });
  return machine;
}

/** Lets `from` reach the others by ssh and scp under their names, as root. */
export async function connectMachines(from: Machine, others: Machine[]): Promise<void> {
  const pids = others.map(({ host, pid }) => `    ${host.name}) echo ${pid} ;;`).join("\n");
  const pidOf = `pid_of() {
  case $1 in
${pids}
    *) echo "Could not resolve hostname $1" >&2; return 255 ;;
  esac
}
`;
  await from.write(
    "/usr/local/bin/ssh",
    `#!/bin/sh
${pidOf}pid=$(pid_of "$1") || exit; shift
exec nsenter --target "$pid" --mount --net --root env --chdir=/root bash -c "$*"
`,
    { mode: 0o755 },
  );
  await from.write(
    "/usr/local/bin/scp",
    `#!/bin/sh
${pidOf}set -e
for last; do :; done
pid=$(pid_of "\${last%%:*}")
path=\${last#*:}
case $path in /*) ;; *) path=/root/$path ;; esac
for word; do
  case $word in "$last" | -*) ;; *) cp -RL --preserve=mode "$word" "/proc/$pid/root$path" ;; esac
done
`,
    { mode: 0o755 },
  );
}
