/**
 * The running fleet that the issuance stories share: three balancers with one configuration file,
 * a host for the CA, a host for a user. One of the three may be the source document's nginx.
 *
 * The configuration lists one webroot for each ACME client, so that several clients can order on
 * one balancer at once and each challenge still shows whose it is.
 */

import { startBalancer } from "./balancer.ts";
import { CLIENTS } from "./clients.ts";
import { BALANCERS, clusterConfig, VIRTUAL_ADDRESSES } from "./cluster.ts";
import type { Daemon } from "./daemon.ts";
import { createNetwork, type Host, type Network } from "./network.ts";
import { type Nginx, startNginx } from "./nginx.ts";
import { startVisitor, type Visitor } from "./visitor.ts";

export const CA_NAME = "ca.example";
export const CA_ADDRESS = "2001:db8::ca";

const [FIRST, SECOND, THIRD] = VIRTUAL_ADDRESSES as [string, string, string];

/**
 * The names of one certificate, each with its AAAA records. Each begins with another virtual
 * address, so that a single order makes the CA validate through all three.
 */
export const NAMES: Record<string, string[]> = {
  "service.example": [FIRST, SECOND, THIRD],
  "www.service.example": [SECOND, THIRD, FIRST],
  "api.service.example": [THIRD, FIRST, SECOND],
};

export interface Fleet extends AsyncDisposable {
  network: Network;
  hosts: Host[];
  /** On the user's host. */
  visitor: Visitor;
  /** What runs on each host at the moment. */
  balancers: Map<string, Daemon>;
  /** The one that is no acme-lb. */
  nginx?: { name: string; daemon: Nginx };
  /** Ends a balancer by SIGTERM and starts it again; the exit code of the one that ended. */
  restart(name: string): Promise<number>;
}

/** Where a client plants its challenges, as every host sees it. */
export function webrootOf(network: Network, client: string): string {
  return `${network.webroot}/${client}`;
}

/**
 * With `nginx`, that balancer runs nginx and serves only the challenges of acmetool; `solvers` are
 * asked by each beside the webroots.
 */
export async function startFleet(
  options: { nginx?: string; solvers?: string[] } = {},
): Promise<Fleet> {
  const network = await createNetwork({
    ...BALANCERS,
    ca: { ipv6: CA_ADDRESS, ipv4: "192.0.2.100" },
    user: { ipv6: "2001:db8::cafe", ipv4: "192.0.2.101" },
  }, { names: { ...NAMES, [CA_NAME]: [CA_ADDRESS] } });
  try {
    const clients = Object.keys(CLIENTS);
    const webroots = clients.map((client) => webrootOf(network, client));
    const config = `${network.directory}/config.yaml`;
    await Deno.writeTextFile(config, clusterConfig({ webroots, solvers: options.solvers }));
    const hosts = Object.keys(BALANCERS).map(network.host);
    for (const host of hosts) {
      for (const client of clients) await Deno.mkdir(`${host.webroot}/${client}`);
    }
    const balancers = new Map<string, Daemon>();
    const start = async (host: Host) => {
      balancers.set(host.name, await startBalancer(network, { host, config }));
    };
    await Promise.all(hosts.filter(({ name }) => name !== options.nginx).map(start));
    let nginx: Fleet["nginx"];
    if (options.nginx !== undefined) {
      const host = network.host(options.nginx);
      const daemon = await startNginx(network, { host, webroot: webrootOf(network, "acmetool") });
      nginx = { name: host.name, daemon };
    }
    return {
      network,
      hosts,
      visitor: await startVisitor(network, network.host("user")),
      balancers,
      nginx,
      async restart(name) {
        const { code } = await balancers.get(name)!.stop();
        await start(network.host(name));
        return code;
      },
      [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
    };
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}
