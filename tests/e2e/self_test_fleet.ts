/**
 * The network on which self-test is tried: four balancers with the DNS beside lb0, three more
 * machines that have something wrong with them, and one with servers that are almost balancers.
 */

import { executablePath, runtimeCache } from "../executable.ts";
import { nameServer } from "./authority.ts";
import { ready, startBalancer } from "./balancer.ts";
import { type Daemon, eventually, logged, startDaemon } from "./daemon.ts";
import { createNetwork, type Host, type HostAddresses, type Network } from "./network.ts";

/** Whose port 80 and challenge port are acme-lb's. */
export const NODES: Record<string, HostAddresses> = {
  lb0: { ipv6: "2001:db8::f001", ipv4: "192.0.2.11" },
  lb1: { ipv6: "2001:db8::f002", ipv4: "192.0.2.12" },
  lb2: { ipv6: "2001:db8::f003", ipv4: "192.0.2.13" },
  lb3: { ipv6: "2001:db8::f004", ipv4: "192.0.2.14" },
};

/** Nodes only of the broken configuration. */
export const ILL: Record<string, HostAddresses> = {
  walled: { ipv6: "2001:db8::f005", ipv4: "192.0.2.15" },
  six: { ipv6: "2001:db8::f006", ipv4: "192.0.2.16" },
  dead: { ipv6: "2001:db8::f007", ipv4: "192.0.2.17" },
};

const ODD: HostAddresses = { ipv6: "2001:db8::0dd", ipv4: "192.0.2.99" };

export interface SelfTestFleet extends AsyncDisposable {
  network: Network;
  /** The file that every balancer was started with. */
  config: string;
  balancers: Map<string, Daemon>;
  /** Writes the configuration and has the balancers read it. */
  configure(text: string, readers: string[]): Promise<void>;
  /** Starts servers on the odd machine; each is `[address, port, behaviour]` of odd_servers.ts. */
  serveOddly(servers: [string, number, string][]): Promise<void>;
  /** Gives a name its addresses in the DNS that lb0 asks. */
  record(name: string, addresses: string[]): Promise<void>;
  selfTest(args: string[], options?: { config?: string }): Promise<SelfTestRun>;
}

export interface SelfTestRun {
  code: number;
  stdout: string;
  stderr: string;
}

const DNS_MANAGEMENT = "http://[::1]:8055";

export async function startSelfTestFleet(text: string): Promise<SelfTestFleet> {
  const network = await createNetwork({ ...NODES, ...ILL, odd: ODD }, { names: {} });
  try {
    const config = `${network.directory}/config.yaml`;
    const lb0 = network.host("lb0");
    const balancers = new Map<string, Daemon>();
    const configure = async (text: string, readers: string[]) => {
      await Deno.writeTextFile(config, `webroot: ${network.webroot}\n${text}`);
      for (const name of readers) {
        const balancer = balancers.get(name)!;
        const before = (await balancer.output()).split("event=reloaded").length;
        balancer.signal("SIGHUP");
        await eventually(
          async () =>
            (await balancer.output()).split("event=reloaded").length > before || undefined,
          { what: () => `${name} to read its configuration`, deadline: 120_000 },
        );
      }
    };
    await configure(text, []);
    await startDns(network, lb0);
    for (const name of [...Object.keys(NODES), "walled"]) {
      balancers.set(name, await startBalancer(network, { host: network.host(name), config }));
    }
    balancers.set("six", await startOnIPv6(network, { host: network.host("six"), config }));
    return {
      network,
      config,
      balancers,
      configure,
      async serveOddly(servers) {
        const odd = network.host("odd");
        const spec = { holder: [lb0.ipv6, 31080], servers };
        const program = new URL("odd_servers.ts", import.meta.url).pathname;
        const run = ["run", "--no-check", "--no-config", "-N", program, JSON.stringify(spec)];
        const daemon = await startDaemon(
          network.on(odd, ["env", "NO_COLOR=1", Deno.execPath(), ...run]),
          { log: `${network.directory}/odd.log`, env: runtimeCache(network.directory) },
        );
        await logged(daemon, /^ready$/m);
      },
      async record(name, addresses) {
        const kinds: [string, string[]][] = [
          ["add-aaaa", addresses.filter((address) => address.includes(":"))],
          ["add-a", addresses.filter((address) => !address.includes(":"))],
        ];
        for (const [path, addresses] of kinds) {
          if (addresses.length === 0) continue;
          const body = JSON.stringify({ host: name, addresses });
          const { code, stderr } = await network.run(lb0, [
            ...["curl", "-gfsS", "--max-time", "5", "-d", body, `${DNS_MANAGEMENT}/${path}`],
          ]);
          if (code !== 0) throw new Error(`pebble-challtestsrv: ${stderr}`);
        }
      },
      selfTest: async (args, { config: other = config } = {}) =>
        await network.run(lb0, [await executablePath(), "self-test", "--config", other, ...args]),
      [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
    };
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}

/** The resolver that /etc/resolv.conf of every host names, here lb0's own. */
async function startDns(network: Network, host: Host): Promise<void> {
  await startDaemon(
    network.on(host, await nameServer({ management: "[::1]:8055", address: "[::1]:53" })),
    { log: `${network.directory}/names.log` },
  );
  await eventually(async () => {
    const { code } = await network.run(host, [
      ...["curl", "-gfsS", "--max-time", "2", "-d", '{"host":"ready.example","addresses":["::1"]}'],
      `${DNS_MANAGEMENT}/add-aaaa`,
    ]);
    return code === 0 || undefined;
  }, { what: () => "an answer of pebble-challtestsrv", deadline: 120_000 });
}

/** As where somebody wrote the one address that the article gives. */
async function startOnIPv6(
  network: Network,
  { host, config }: { host: Host; config: string },
): Promise<Daemon> {
  const daemon = await startDaemon(
    network.on(host, [
      ...[await executablePath(), "serve", "--config", config],
      ...["--public-listen", `[${host.ipv6}]:80`],
    ]),
    { log: `${network.directory}/${host.name}.log` },
  );
  await ready(daemon);
  return daemon;
}
