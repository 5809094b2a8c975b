/**
 * The source document's network as an operator sets it up: on each of three machines the example's
 * configuration file, what `acme-lb render --root /` makes of it, and the placeholder that the
 * rendered haproxy.cfg has. Besides them two backends, a CA and a user.
 */

import { parseConfig } from "../../lib/config/parse_config.ts";
import { placesOf, prioritiesOf } from "../../lib/render/keepalived.ts";
import { issue, type Issued } from "../cert/issue.ts";
import { executablePath } from "../executable.ts";
import { holders } from "./address_watch.ts";
import { type Authority, startAuthority } from "./authority.ts";
import { startBackend } from "./backend.ts";
import { ready } from "./balancer.ts";
import { BALANCERS } from "./cluster.ts";
import { type Daemon, eventually, logged, startDaemon, tail } from "./daemon.ts";
import { CA_ADDRESS, CA_NAME } from "./fleet.ts";
import { hookEnvironment } from "./hooks.ts";
import { type Machine, startMachine } from "./machine.ts";
import { createNetwork, type Host, type Network, type Output } from "./network.ts";

const CONFIG = new URL("../../examples/article/config.yaml", import.meta.url).pathname;
export const SERVICE = "service.example";
export const CERTIFICATE = `/etc/haproxy/certs/${SERVICE}.pem`;

export interface RenderedBalancer {
  name: string;
  machine: Machine;
  /** What runs there, by its program's name. */
  daemons: Map<string, Daemon>;
  /** Starts a program there. */
  launch(name: string, argv: string[]): Promise<void>;
  /** As the rendered unit does. */
  startAcmeLb(): Promise<void>;
  /** Runs a line of shell there, and fails if it does. */
  must(line: string): Promise<Output>;
  /** The file as the machine sees it. */
  path(path: string): string;
}

export interface RenderedCluster extends AsyncDisposable {
  network: Network;
  /** The virtual addresses. */
  virtual: string[];
  authority: Authority;
  balancers: Map<string, RenderedBalancer>;
  hosts: Host[];
  /** Who would have each virtual address with these balancers out of line. */
  expected(down?: string[]): Record<string, string[]>;
  /** Waits until that is so. */
  settled(down?: string[]): Promise<void>;
  /** The ends of all logs. */
  logs(): Promise<string>;
}

export async function startRenderedCluster(): Promise<RenderedCluster> {
  const config = parseConfig(await Deno.readTextFile(CONFIG), CONFIG);
  const { nodes } = config.cluster;
  const virtual = config.cluster.virtual_addresses.map(({ address }) => address);
  const places = placesOf(config.cluster.virtual_addresses);
  const network = await createNetwork({
    ...BALANCERS,
    be1: { ipv6: "2001:db8::b001", ipv4: "192.0.2.201" },
    be20: { ipv6: "2001:db8::b020", ipv4: "192.0.2.220" },
    ca: { ipv6: CA_ADDRESS, ipv4: "192.0.2.100" },
    user: { ipv6: "2001:db8::cafe", ipv4: "192.0.2.101" },
    attacker: { ipv6: "2001:db8::bad", ipv4: "192.0.2.102" },
  }, { names: { [SERVICE]: virtual, [CA_NAME]: [CA_ADDRESS] } });
  try {
    const ca = await issue({ names: [], commonName: "Backends", ca: true });
    for (const name of ["be1", "be20"]) {
      await startBackend(network, { host: network.host(name), ca });
    }
    const authority = await startAuthority(network, { host: network.host("ca"), name: CA_NAME });
    const hosts = Object.keys(nodes).map(network.host);
    const balancers = new Map<string, RenderedBalancer>();
    for (const host of hosts) {
      balancers.set(host.name, await setUp(network, { host, ca, directory: authority.directory }));
    }
    await Promise.all(balancers.values().map(start));
    const expected = (down: string[] = []) =>
      Object.fromEntries(virtual.map((address, i) => {
        const order = [...prioritiesOf(Object.keys(nodes), places[i]!)]
          .filter(([name]) => !down.includes(name)).sort(([, a], [, b]) => b - a);
        return [address, [order[0]![0]]];
      }));
    return {
      ...{ network, virtual, authority, balancers, hosts, expected },
      async settled(down) {
        const wanted = JSON.stringify(expected(down));
        let last = "";
        await eventually(async () => {
          last = JSON.stringify(await holders(hosts, virtual));
          return last === wanted || undefined;
        }, { what: () => `addresses at ${wanted}, last at ${last}`, deadline: 300_000 });
      },
      async logs() {
        const daemons = [...balancers.values()].flatMap(({ daemons }) => [...daemons.values()]);
        const all = [...daemons, ...authority.daemons];
        return (await Promise.all(all.map(({ log }) => tail(log)))).join("\n");
      },
      [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
    };
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}

/** Everything but the start. */
async function setUp(
  network: Network,
  { host, ca, directory }: { host: Host; ca: Issued; directory: string },
): Promise<RenderedBalancer> {
  const env = await hookEnvironment();
  const machine = await startMachine(network, host);
  const must = (line: string) => machine.must(line, { env });
  const path = (path: string) => `/proc/${machine.pid}/root${path}`;
  const launch = async (name: string, argv: string[]) => {
    const log = `${network.directory}/${host.name}-${name}.log`;
    balancer.daemons.set(name, await startDaemon(machine.on(argv), { log, env }));
  };
  const balancer: RenderedBalancer = {
    ...{ name: host.name, machine, daemons: new Map(), launch, must, path },
    async startAcmeLb() {
      const unit = await Deno.readTextFile(path("/etc/systemd/system/acme-lb.service"));
      await launch("acme-lb", /^ExecStart=(.+)$/m.exec(unit)![1]!.split(" "));
      await ready(balancer.daemons.get("acme-lb")!);
    },
  };
  await must(`ln -sfn ${await executablePath()} /usr/local/bin/acme-lb`);
  await machine.write("/etc/acme-lb/config.yaml", await Deno.readTextFile(CONFIG));
  // Debian's package has its own haproxy.cfg.
  for (const kind of ["keepalived", "haproxy --force", "systemd", "acmetool"]) {
    await must(`acme-lb render ${kind} --node ${host.name} --root /`);
  }
  await machine.write("/etc/haproxy/backend-ca.pem", ca.pem);
  await must("sed -n 's/^#   //p' /etc/haproxy/haproxy.cfg | sh -e");
  // What an operator does by hand: agrees on a terminal, and here has another CA.
  await must(`sed -i 's,https://.*letsencrypt.*,${directory},' /var/lib/acme/conf/target`);
  await machine.write("/var/lib/acme/conf/responses", AGREED);
  // What packages, systemd-tmpfiles and systemd-sysusers do.
  await must("install -d /run/haproxy /run/acme/acme-challenge");
  return balancer;
}

const AGREED = `"acme-enter-email": ""
"acme-agreement:data:text/plain,Do%20what%20thou%20wilt": true
`;

async function start({ launch, startAcmeLb, daemons }: RenderedBalancer): Promise<void> {
  await startAcmeLb();
  await launch("haproxy", ["haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"]);
  await launch("keepalived", ["keepalived", "--dont-fork", "--log-console", "--log-detail"]);
  await logged(daemons.get("keepalived")!, /Startup complete/);
}
