/**
 * keepalived's configuration for one balancer: the source document's instances, with checks that
 * make a balancer give up its addresses while its ports do not answer.
 *
 * A failing check lowers the priority (`weight`) and never puts an instance into FAULT: when it
 * fails on every balancer, the addresses stay where they are. For the same reason instances
 * preempt: without preemption a lowered priority would move nothing.
 *
 * An address is not affected when another one is added or removed: its name and its router id do
 * not change, and its preferred balancer has the same priority in a cluster of any size. So
 * balancers can be reloaded one after the other.
 */

import { comparableAddress, familyOf, formatSocketAddress } from "../address.ts";
import type { Config, VirtualAddress } from "../config/schema.ts";
import { haproxyListener, loopbackFor, ownListener } from "./families.ts";
import { HEALTH_PORT } from "./haproxy.ts";
import { EXECUTABLE, type RenderedFile } from "./rendered_file.ts";

/** Of the preferred balancer of an address; each next one has one less, down to 101 for 50. */
const TOP_PRIORITY = 150;
/** Below every healthy balancer, and above those without HTTPS. */
const PORT_80_WEIGHT = -50;
/** Below those where only port 80 fails: visitors need HTTPS more than the CA needs an answer. */
const HTTPS_WEIGHT = -100;

/** Beyond this length, the comment with every balancer's priority is no longer useful. */
const MAX_COMMENT = 90;

const KEEPALIVED_CONF = "/etc/keepalived/keepalived.conf";

/** @param node a name among the cluster's nodes */
export function keepalivedFiles(
  config: Config,
  { node, executable = EXECUTABLE }: { node: string; executable?: string },
): RenderedFile[] {
  const { virtual_addresses, include } = config.cluster;
  const checks = checksOf(config, { node, executable });
  const places = placesOf(virtual_addresses);
  const instances = virtual_addresses.map((virtual, i) =>
    instance(config, { node, virtual, place: places[i]!, checks: checks.map(({ name }) => name) })
  );
  const more = include.length > 0
    ? [`# Of your own: cluster.include.\n${include.map((path) => `include ${path}\n`).join("")}`]
    : [];
  const text = [head(node), ...checks.map(({ text }) => text), ...instances, ...more].join("\n");
  return [{ path: KEEPALIVED_CONF, text }];
}

/** The place of each address among those of its family, from 0. */
export function placesOf(addresses: readonly VirtualAddress[]): number[] {
  const counts = { 4: 0, 6: 0 };
  return addresses.map(({ address }) => counts[familyOf(address)]++);
}

/**
 * The priority of each node for the address at a place among those of its family, in the order of
 * the nodes. Balancer i is preferred for address i, the balancers after it are next in line. One
 * more node at the end raises no priority, so it moves no address.
 */
export function prioritiesOf(nodes: readonly string[], place: number): Map<string, number> {
  const count = nodes.length;
  return new Map(
    nodes.map((node, i) => [node, TOP_PRIORITY - (i - place % count + count) % count]),
  );
}

function head(node: string): string {
  return `# keepalived on ${node}, by: acme-lb render keepalived --node ${node}
#
# Each virtual address prefers another balancer, so that all of them work: priorities are shifted
# by one for each balancer and address. None is the master by configuration; one that comes back
# would otherwise claim its address while another still serves it.

global_defs {
  router_id ${node}
  # IPv6 needs version 3, which has no authentication (RFC 5798 section 9): whoever is in the
  # balancers' network segment can take an address, so keep others out of it.
  vrrp_version 3
  # A balancer with little processor time left must still say that it is there, or addresses move.
  vrrp_priority -20
  enable_script_security
  script_user nobody
}
`;
}

interface Check {
  name: string;
  text: string;
}

interface CheckOptions {
  why: string;
  command: string;
  weight: number;
  /** Seconds. Each start of the program takes a tenth of a second of one processor. */
  interval: number;
}

function checksOf(
  config: Config,
  { node, executable }: { node: string; executable: string },
): Check[] {
  const listener = ownListener(config, node);
  const port80 = listener
    ? [check("acme_lb", {
      why:
        `acme-lb answers on port ${listener.port}, which proves more than that its process exists.`,
      command: `${executable} healthy ${formatSocketAddress(listener)}`,
      weight: PORT_80_WEIGHT,
      interval: 5,
    })]
    : [];
  const haproxy = { hostname: loopbackFor(config, haproxyListener(config)), port: HEALTH_PORT };
  return [
    ...port80,
    check("haproxy", {
      why: "HAProxy runs and has a backend; a balancer without one comes last for every address.",
      command: `${executable} healthy ${formatSocketAddress(haproxy)}`,
      weight: HTTPS_WEIGHT,
      interval: 3,
    }),
  ];
}

/**
 * keepalived drops a check whose program is missing when it starts, and goes on as if it succeeded.
 * A shell always exists, and returns 127 for a missing program.
 */
function check(
  name: string,
  { why, command, weight, interval }: CheckOptions,
): Check {
  const text = `# ${why}
vrrp_script ${name} {
  # Through a shell: a check whose own program is missing would be dropped, not fail.
  script "/bin/sh -c 'exec ${command}'"
  interval ${interval}
  # The program gives up after 2 s itself; on a busy machine it may start late.
  timeout 10
  # A restart is over before.
  fall 2
  rise 2
  # Failing until it has succeeded: no address comes before the ports are there.
  init_fail
  # Not FAULT: when every balancer fails, the addresses stay where they are.
  weight ${weight}
}
`;
  return { name, text };
}

function instance(
  { cluster }: Config,
  { node, virtual, place, checks }: {
    node: string;
    virtual: VirtualAddress;
    place: number;
    checks: string[];
  },
): string {
  const { address, router_id } = virtual;
  const priorities = prioritiesOf(Object.keys(cluster.nodes), place);
  const all = [...priorities].map(([name, priority]) => `${name}: ${priority}`).join(", ");
  const family = familyOf(address);
  const device = typeof cluster.interface === "string"
    ? cluster.interface
    : cluster.interface[node]!;
  const delay = cluster.preempt_delay / 1000;
  // By its id: keepalived knows an instance by its name when it reads the file again.
  return `vrrp_instance ipv${family}_${router_id} {
  interface ${device}
  state BACKUP
  virtual_router_id ${router_id}
${all.length < MAX_COMMENT ? `  # ${all}\n` : ""}  priority ${priorities.get(node)}
  advert_int 1
${delay > 0 ? `  preempt_delay ${delay}\n` : ""}${unicast(cluster, { node, family })}\
  virtual_ipaddress {
    ${address}/${family === 6 ? 128 : 32} dev ${device}
  }
  track_script {
${checks.map((name) => `    ${name}\n`).join("")}  }
}
`;
}

/** From an own address to one of each other balancer, in the family of the virtual address. */
function unicast(
  { unicast, nodes }: Config["cluster"],
  { node, family }: { node: string; family: 4 | 6 },
): string {
  const others = Object.keys(nodes).filter((name) => name !== node);
  if (!unicast || others.length === 0) return "";
  const addressOf = (name: string) => {
    const own = nodes[name]!.filter((address) => familyOf(address) === family);
    const address = own.find((one) => !/^fe[89ab]/.test(one)) ?? own[0]!;
    return comparableAddress(address);
  };
  return `  unicast_src_ip ${addressOf(node)}
  unicast_peer {
${others.map((name) => `    ${addressOf(name)}\n`).join("")}  }
`;
}
