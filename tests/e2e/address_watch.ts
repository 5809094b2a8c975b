/** Who has which virtual address, now and since when: asked of the kernel of each host. */

import { type Daemon, startDaemon } from "./daemon.ts";
import { execute, type Host, type Network } from "./network.ts";

/** An address came to a host, or went. */
export interface Move {
  /** Milliseconds since the epoch. */
  at: number;
  host: string;
  address: string;
}

export interface AddressWatch {
  moves(): Promise<Move[]>;
  stop(): Promise<void>;
}

/** Keeps what happens to the addresses of the hosts' interfaces. */
export async function watchAddresses(network: Network, hosts: Host[]): Promise<AddressWatch> {
  const monitors = new Map<Host, Daemon>();
  for (const host of hosts) {
    const argv = ["ip", "-n", host.namespace, "-o", "-ts", "monitor", "address"];
    const log = `${network.directory}/${host.name}-addresses.log`;
    // The time stamps have no zone.
    monitors.set(host, await startDaemon(argv, { log, env: { TZ: "UTC" } }));
  }
  return {
    async moves() {
      const lists = await Promise.all(
        monitors.entries().map(async ([{ name }, monitor]) =>
          [...(await monitor.output()).matchAll(/^\[(\S+)\].* inet6? ([^/\s]+)/gm)].map((
            [, at, address],
          ): Move => ({ at: Date.parse(`${at}Z`), host: name, address: address! }))
        ),
      );
      return lists.flat();
    },
    async stop() {
      await Promise.all(monitors.values().map((monitor) => monitor.stop()));
    },
  };
}

/** The hosts that have each of the addresses at the moment; none, one, or for an instant two. */
export async function holders(
  hosts: Host[],
  addresses: string[],
): Promise<Record<string, string[]>> {
  const found = await Promise.all(hosts.map(async ({ name, namespace }) => {
    const { stdout } = await execute(["ip", "-n", namespace, "-o", "addr", "show", "dev", "eth0"]);
    return { name, own: new Set([...stdout.matchAll(/inet6? ([^/\s]+)/g)].map((all) => all[1]!)) };
  }));
  return Object.fromEntries(addresses.map((address) => [
    address,
    found.filter(({ own }) => own.has(address)).map(({ name }) => name),
  ]));
}
