/**
 * keepalived's configuration for one balancer: the source document's instances, with checks that
 * make a balancer give its addresses away while its ports are dead.
 *
 * A failing check lowers the priority (`weight`) and never puts an instance into FAULT: when it
 * fails on every balancer, the addresses stay where they are instead of being nowhere. For the
 * same reason instances preempt: without, a lowered priority would move nothing.
 */

import type { Config } from "../config/schema.ts";
import { haproxyListener, ownAddress, serviceName } from "./families.ts";
import { HEALTH_PORT } from "./haproxy.ts";
import type { RenderedFile } from "./rendered_file.ts";

/** Of the balancer that is last in line for an address; well ones go up to 150. */
const LEAST_PRIORITY = 101;
/** Below every balancer that is well, and above those without HTTPS. */
const PORT_80_WEIGHT = -50;
/** Below those whose port 80 alone is dead: visitors need HTTPS more than the CA needs an answer. */
const HTTPS_WEIGHT = -100;

/** Longer than this, the comment with every balancer's priority helps nobody. */
const WIDE = 90;

/** @param node a name among the cluster's nodes */
export function keepalivedFiles(config: Config, { node }: { node: string }): RenderedFile[] {
  const { cluster } = config;
  const checks = checksOf(config);
  const instances = cluster.virtual_addresses.map((address, i) =>
    instance(config, { node, address, i, checks: checks.map(({ name }) => name) })
  );
  const text = [head(node), ...checks.map(({ text }) => text), ...instances].join("\n");
  return [{ path: "/etc/keepalived/keepalived.conf", text }];
}

/** The priority of each node for the address at a place in the list, in the order of the nodes. */
export function prioritiesOf(nodes: string[], place: number): Map<string, number> {
  return new Map(
    nodes.map((node, i) => [node, LEAST_PRIORITY + (i + place) % nodes.length]),
  );
}

function head(node: string): string {
  return `# keepalived on ${node}, by: acme-lb render keepalived --node ${node}
#
# Each virtual address prefers another balancer, so that all of them work: priorities are shifted
# by one per balancer and address. None is the master by configuration; one that comes back would
# otherwise claim its address while another still serves it.

global_defs {
  router_id ${node}
  # IPv6 needs version 3, which has no authentication (RFC 5798 section 9): whoever is in the
  # balancers' network segment can take an address, so keep others out of it.
  vrrp_version 3
  # A balancer short of processor time must still say that it is there, or addresses move to and fro.
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

function checksOf(config: Config): Check[] {
  const [port80] = config.public.listen;
  const haproxy = { ...haproxyListener(config), port: HEALTH_PORT };
  const checks = [
    check("haproxy", {
      why: `HAProxy is there and sees a backend; a balancer without goes last for every address.`,
      request: requestTo(config, { ...haproxy, status: "200" }),
      weight: HTTPS_WEIGHT,
    }),
  ];
  if (!port80) return checks;
  return [
    check("acme_lb", {
      why:
        `acme-lb answers on port ${port80.port}, whatever it says; that its process exists proves less.`,
      request: requestTo(config, { ...port80, status: "[234]" }),
      weight: PORT_80_WEIGHT,
    }),
    ...checks,
  ];
}

/** A request by bash, which every Debian has, unlike curl; `status` is a pattern. */
function requestTo(
  config: Config,
  { hostname, port, status }: { hostname: string; port: number; status: string },
): string {
  const lines = ["GET / HTTP/1.1", `Host: ${serviceName(config)}`, "Connection: close", "", ""];
  return `exec 3<>/dev/tcp/${ownAddress(config, { hostname })}/${port} && ` +
    `printf \\"${lines.join("\\r\\n")}\\" >&3 && ` +
    `read -r line <&3 && [[ $line =~ ^HTTP/1.[01].${status} ]]`;
}

function check(
  name: string,
  { why, request, weight }: { why: string; request: string; weight: number },
): Check {
  const text = `# ${why}
vrrp_script ${name} {
  script "/bin/bash -c '${request}'"
  interval 1
  timeout 3
  # A restart is over before.
  fall 3
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
  { node, address, i, checks }: { node: string; address: string; i: number; checks: string[] },
): string {
  const priorities = prioritiesOf(Object.keys(cluster.nodes), i);
  const all = [...priorities].map(([name, priority]) => `${name}: ${priority}`).join(", ");
  const length = address.includes(":") ? 128 : 32;
  return `vrrp_instance vip${i + 1} {
  interface ${cluster.interface}
  state BACKUP
  virtual_router_id ${cluster.virtual_router_id + i}
${all.length < WIDE ? `  # ${all}\n` : ""}  priority ${priorities.get(node)}
  advert_int 1
  virtual_ipaddress {
    ${address}/${length} dev ${cluster.interface}
  }
  track_script {
${checks.map((name) => `    ${name}\n`).join("")}  }
}
`;
}
