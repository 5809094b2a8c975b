/**
 * A fourth balancer with its addresses comes, and goes again, while the others read the new file one
 * after the other: with real keepalived, by multicast and by unicast. No address that stays moves, none
 * is ever on two balancers, and an HTTPS connection through each of them lives on.
 *
 * keepalived's checks run /bin/true in the place of acme-lb; nginx ends TLS on each balancer.
 */

import assert from "node:assert/strict";
import { familyOf } from "../../lib/address.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import type { Config } from "../../lib/config/schema.ts";
import { keepalivedFiles } from "../../lib/render/keepalived.ts";
import { issue } from "../cert/issue.ts";
import { holders } from "./address_watch.ts";
import { startBackend } from "./backend.ts";
import { type Daemon, delay, eventually, logged, startDaemon, tail } from "./daemon.ts";
import { keepConnections } from "./https_load.ts";
import { createNetwork, type Network } from "./network.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";

const skipped = lacking({
  for: "a fleet that changes, with real keepalived",
  root: true,
  programs: [...NETWORK_PROGRAMS, "keepalived", "nginx"],
});

const NODES = ["lb0", "lb1", "lb2", "lb3"];
const ADDRESSES = Object.fromEntries(
  NODES.map((name, i) => [name, { ipv6: `2001:db8::f00${i + 1}`, ipv4: `192.0.2.1${i + 1}` }]),
);

/** The first so many balancers, with as many addresses of each family. */
function cluster(count: number, unicast: boolean): Config {
  const nodes = NODES.slice(0, count);
  const own = nodes.map((name) => {
    const { ipv6, ipv4 } = ADDRESSES[name]!;
    return `${name}: ["${ipv6}", "${ipv4}"]`;
  });
  const virtual = [
    ...nodes.map((_, i) => `"2001:db8::${i + 1}"`),
    ...nodes.map((_, i) => `"192.0.2.${i + 1}"`),
  ];
  return parseConfig(
    `cluster: {unicast: ${unicast}, nodes: {${own}}, virtual_addresses: [${virtual}]}`,
    "config.yaml",
  );
}

const addressesOf = ({ cluster }: Config) =>
  cluster.virtual_addresses.map(({ address }) => address);

/** Balancer i has address i of each family. */
function preferred(config: Config): Record<string, string[]> {
  const counts = { 4: 0, 6: 0 };
  return Object.fromEntries(
    addressesOf(config).map((address) => [address, [NODES[counts[familyOf(address)]++]!]]),
  );
}

class Fleet implements AsyncDisposable {
  readonly #daemons = new Map<string, Daemon>();

  constructor(readonly network: Network) {}

  /** Gives a balancer its file for this cluster, and starts keepalived there or has it read it. */
  async apply(name: string, config: Config): Promise<void> {
    const { directory } = this.network;
    const file = `${directory}/${name}.conf`;
    const [rendered] = keepalivedFiles(config, { node: name, executable: "/bin/true" });
    await Deno.writeTextFile(file, rendered!.text);
    const running = this.#daemons.get(name);
    if (running) {
      running.signal("SIGHUP");
      return;
    }
    const pids = ["--pid", `${directory}/${name}.pid`, "--vrrp_pid", `${directory}/${name}.vrrp`];
    const daemon = await startDaemon(
      this.network.on(this.network.host(name), [
        ...["keepalived", "--dont-fork", "--log-console", "--log-detail", "--vrrp"],
        ...["--use-file", file, ...pids],
      ]),
      { log: `${directory}/${name}.log` },
    );
    this.#daemons.set(name, daemon);
    await logged(daemon, /Startup complete/);
  }

  async stop(name: string): Promise<void> {
    await this.#daemons.get(name)!.stop();
    this.#daemons.delete(name);
  }

  async holders(addresses: string[]): Promise<Record<string, string[]>> {
    return await holders(NODES.map((name) => this.network.host(name)), addresses);
  }

  async settled(expected: Record<string, string[]>): Promise<void> {
    let last = "";
    await eventually(async () => {
      last = JSON.stringify(await this.holders(Object.keys(expected)));
      return last === JSON.stringify(expected) || undefined;
    }, { what: () => `${JSON.stringify(expected)}, last ${last}`, deadline: 90_000 });
  }

  /** Does it, and looks meanwhile and for some seconds after who has the addresses that stay. */
  async unmoved(expected: Record<string, string[]>, action: () => Promise<void>): Promise<void> {
    let done = false;
    const acting = action().finally(() => done = true);
    // An advertisement a second, and three that are missed, are what moves an address.
    for (let left = 25; left > 0; left -= done ? 1 : 0) {
      assert.deepEqual(await this.holders(Object.keys(expected)), expected);
      await delay(200);
    }
    await acting;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#daemons.values().map((daemon) => daemon.stop()));
    await this.network[Symbol.asyncDispose]();
  }

  async logs(): Promise<string> {
    return (await Promise.all(this.#daemons.values().map(({ log }) => tail(log)))).join("\n");
  }
}

for (const unicast of [false, true]) {
  Deno.test({
    name: `a fourth balancer comes and goes, and no address moves: ${
      unicast ? "unicast" : "multicast"
    }`,
    ignore: skipped,
    async fn() {
      const user = { ipv6: "2001:db8::cafe", ipv4: "192.0.2.101" };
      await using fleet = new Fleet(await createNetwork({ ...ADDRESSES, user }, { names: {} }));
      const [three, four] = [3, 4].map((count) => cluster(count, unicast)) as [Config, Config];
      try {
        const ca = await issue({ names: [], commonName: "Balancers", ca: true });
        const { network } = fleet;
        for (const name of NODES) await startBackend(network, { host: network.host(name), ca });
        for (const name of NODES.slice(0, 3)) await fleet.apply(name, three);
        await fleet.settled(preferred(three));
        const connections = await keepConnections(network, {
          from: network.host("user"),
          addresses: addressesOf(three),
        });

        await fleet.unmoved(preferred(three), async () => {
          for (const name of NODES.slice(0, 3)) {
            await fleet.apply(name, four);
            await delay(1000);
          }
          await fleet.apply("lb3", four);
        });
        await fleet.settled(preferred(four));

        await fleet.unmoved(preferred(three), async () => {
          await fleet.stop("lb3");
          for (const name of NODES.slice(0, 3)) {
            await fleet.apply(name, three);
            await delay(1000);
          }
        });
        const gone = addressesOf(four).filter((address) => !addressesOf(three).includes(address));
        await fleet.settled({
          ...preferred(three),
          ...Object.fromEntries(gone.map((address) => [address, []])),
        });
        for (const [address, [name]] of Object.entries(preferred(three))) {
          const answers = await connections.end(address);
          assert.ok(answers.length > 50, `${address}: ${answers.length} requests`);
          assert.deepEqual(
            new Set(answers),
            new Set([`${name} 200 on the first connection`]),
            address,
          );
        }
      } catch (error) {
        throw new Error(await fleet.logs(), { cause: error });
      }
    },
  });
}
