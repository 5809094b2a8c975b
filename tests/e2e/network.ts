/**
 * The source document's network on one machine: a bridge and a network namespace for each host,
 * 2001:db8::/64 and 192.0.2.0/24, with virtual addresses that move like keepalived's.
 * There is no way out of it: no route, no name server.
 *
 * Everything is deleted by a separate shell that waits for this process to end or to close the
 * network, so that neither a failed test nor a killed run leaves a namespace behind.
 */

import { BARE_ENVIRONMENT } from "./daemon.ts";

/** One machine. */
export interface Host {
  name: string;
  ipv6: string;
  ipv4: string;
  /** Its network namespace. */
  namespace: string;
  /** What the host sees as {@link Network.webroot}, as seen from outside. */
  webroot: string;
}

export interface Network extends AsyncDisposable {
  /** Scratch directory, deleted with the network. */
  directory: string;
  /** The webroot's path on every host: all have the same configuration, but different files there. */
  webroot: string;
  host(name: string): Host;
  /** The command line that runs `argv` on the host. Every step of it `exec`s. */
  on(host: Host, argv: string[]): string[];
  run(host: Host, argv: string[], options?: RunOptions): Promise<Output>;
  /** Gives each virtual address to one host, and removes it from the one that had it. */
  place(addresses: Map<string, Host>): Promise<void>;
  /** From now on the host drops every TCP packet that arrives: it neither answers nor refuses. */
  swallow(host: Host): Promise<void>;
  /** Ends {@link swallow}. */
  heal(host: Host): Promise<void>;
  /** Takes the host's cable out: to all others it is dead. */
  unplug(host: Host): Promise<void>;
  /** Ends {@link unplug}. */
  plug(host: Host): Promise<void>;
}

export interface RunOptions {
  env?: Record<string, string>;
  /** Ends the program after this many ms; a guard, far beyond a busy machine. @default 600_000 */
  deadline?: number;
}

export interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

export interface HostAddresses {
  ipv6: string;
  ipv4: string;
}

const REAPER = `
directory=$1; shift
cat >/dev/null
for namespace; do
  for attempt in 1 2 3 4 5; do
    pids=$(ip netns pids "$namespace" 2>/dev/null)
    [ -n "$pids" ] || break
    echo "$pids" | xargs kill -KILL 2>/dev/null
    sleep 0.1
  done
  ip netns del "$namespace" 2>/dev/null
  rm -rf "/etc/netns/$namespace"
done
rm -rf "$directory"
`;

/** Builds the network; `names` are what every host finds in its hosts file. */
export async function createNetwork(
  hosts: Record<string, HostAddresses>,
  options: { names: Record<string, string[]> },
): Promise<Network> {
  const directory = await Deno.makeTempDir({ prefix: "acme-lb-e2e-" });
  const prefix = `acmelb${Deno.pid}-${directory.slice(-6)}`;
  const bridge = `${prefix}-bridge`;
  const all = Object.entries(hosts).map(([name, addresses]): Host => ({
    name,
    ...addresses,
    namespace: `${prefix}-${name}`,
    webroot: `${directory}/${name}/webroot`,
  }));

  const namespaces = [bridge, ...all.map(({ namespace }) => namespace)];
  const reaper = new Deno.Command("setsid", {
    args: ["sh", "-c", REAPER, "sh", directory, ...namespaces],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const webroot = `${directory}/webroot`;
  const network: Network = {
    directory,
    webroot,
    host: (name) => {
      const host = all.find((candidate) => candidate.name === name);
      if (!host) throw new Error(`there is no host ${name}`);
      return host;
    },
    on: (host, argv) => [
      ...["ip", "netns", "exec", host.namespace],
      ...["sh", "-c", OWN_FILES],
      ...["sh", host.webroot, webroot, ...argv],
    ],
    run: (host, argv, runOptions = {}) => execute(network.on(host, argv), runOptions),
    place: (addresses) => place(all, addresses),
    swallow: (host) => netns(host, ["nft", SWALLOW]),
    heal: (host) => netns(host, ["nft", HEAL]),
    unplug: async ({ name }) => void await must(["ip", "-n", bridge, "link", "set", name, "down"]),
    plug: async ({ name }) => void await must(["ip", "-n", bridge, "link", "set", name, "up"]),
    // Closed once: a test that fails while it sets up closes what another hook closes again.
    [Symbol.asyncDispose]: () => closed ??= close(),
  };
  let closed: Promise<void> | undefined;
  const close = async () => {
    await reaper.stdin.close();
    await reaper.status;
  };

  try {
    await Deno.mkdir(webroot);
    await must(["ip", "netns", "add", bridge]);
    await must(["ip", "-n", bridge, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0"]);
    await must(["ip", "-n", bridge, "link", "set", "br0", "up"]);
    for (const host of all) await attach(host, bridge);
    const lines = ["::1 localhost", "127.0.0.1 localhost"];
    for (const [name, addresses] of Object.entries(options.names)) {
      lines.push(...addresses.map((address) => `${address} ${name}`));
    }
    for (const host of all) await writeEtc(host, lines);
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
  return network;
}

/** With a separate /run, because acmetool always writes challenges below it too. */
const OWN_FILES = 'mount --bind "$1" "$2" && mount -t tmpfs tmpfs /run && shift 2 && exec "$@"';

/** The rule is added first, so that this works also for a host that never dropped packets. */
const HEAL = "add table inet swallow; delete table inet swallow";
const SWALLOW = "table inet swallow { chain input { type filter hook input priority 0; " +
  "meta l4proto tcp drop; }; }";

/** The host's namespace, with a cable to the bridge. */
async function attach(host: Host, bridge: string): Promise<void> {
  const { namespace, name } = host;
  await Deno.mkdir(host.webroot, { recursive: true });
  await must(["ip", "netns", "add", namespace]);
  // Without this an address cannot be used for the second that duplicate detection takes.
  await netns(host, [
    ...["sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"],
  ]);
  await must([
    ...["ip", "link", "add", "eth0", "netns", namespace],
    ...["type", "veth", "peer", "name", name, "netns", bridge],
  ]);
  await must(["ip", "-n", bridge, "link", "set", name, "master", "br0", "up"]);
  await must(["ip", "-n", namespace, "link", "set", "lo", "up"]);
  await must(["ip", "-n", namespace, "link", "set", "eth0", "up"]);
  await must(["ip", "-n", namespace, "addr", "add", `${host.ipv6}/64`, "dev", "eth0", "nodad"]);
  await must(["ip", "-n", namespace, "addr", "add", `${host.ipv4}/24`, "dev", "eth0"]);
}

/** `ip netns exec` mounts these files over /etc/hosts and /etc/resolv.conf. */
async function writeEtc(host: Host, hosts: string[]): Promise<void> {
  const folder = `/etc/netns/${host.namespace}`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/hosts`, hosts.join("\n") + "\n");
  await Deno.writeTextFile(`${folder}/resolv.conf`, "nameserver ::1\noptions timeout:1\n");
}

/**
 * Adds the addresses as keepalived adds a /128: deprecated, so that the balancer does not take
 * them as its own source when it asks a peer.
 */
async function place(hosts: Host[], addresses: Map<string, Host>): Promise<void> {
  for (const host of hosts) {
    const { stdout } = await must([
      "ip",
      "-n",
      host.namespace,
      "-o",
      "addr",
      "show",
      "dev",
      "eth0",
    ]);
    const present = new Set([...stdout.matchAll(/inet6? (\S+?)\//g)].map((match) => match[1]!));
    for (const [address, owner] of addresses) {
      const cidr = `${address}/${address.includes(":") ? 128 : 32}`;
      const wanted = owner === host;
      if (wanted === present.has(address)) continue;
      const asKeepalived = wanted && address.includes(":") ? ["nodad", "preferred_lft", "0"] : [];
      const verb = wanted ? "add" : "del";
      await must(["ip", "-n", host.namespace, "addr", verb, cidr, "dev", "eth0", ...asKeepalived]);
    }
  }
  // keepalived announces a move; here every neighbour is made to ask again.
  for (const host of hosts) {
    await must(["ip", "-n", host.namespace, "neigh", "flush", "dev", "eth0"]);
  }
}

async function netns(host: Host, argv: string[]): Promise<void> {
  await must(["ip", "netns", "exec", host.namespace, ...argv]);
}

/** The link-local address that the host's interface has by itself. */
export async function linkLocal({ namespace }: Host): Promise<string> {
  const { stdout } = await must(["ip", "-n", namespace, "-6", "-o", "addr", "show", "dev", "eth0"]);
  const address = /inet6 (fe80::[0-9a-f:]+)/.exec(stdout)?.[1];
  if (!address) throw new Error(`${namespace} has no link-local address: ${stdout}`);
  return address;
}

/** Runs a program to its end. */
export async function execute(argv: string[], options: RunOptions = {}): Promise<Output> {
  const { env = {}, deadline = 600_000 } = options;
  const [program, ...args] = argv;
  const child = new Deno.Command(program!, {
    args,
    clearEnv: true,
    env: { ...BARE_ENVIRONMENT, ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), deadline);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** The same for a program that must end with 0; throws with its output when it does not. */
export async function must(argv: string[], options?: RunOptions): Promise<Output> {
  const output = await execute(argv, options);
  const { code, stdout, stderr } = output;
  if (code !== 0) throw new Error(`${argv.join(" ")}: exit code ${code}\n${stdout}${stderr}`);
  return output;
}
