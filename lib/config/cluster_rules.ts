/**
 * How the values of `cluster` must fit together, so that keepalived and HAProxy accept the files
 * rendered from them and no address is on two machines.
 *
 * Checked when the file is read: what check-config accepts can be rendered, except for empty lists,
 * which `render` checks by kind (render/missing_lists.ts).
 */

import { familyOf, sameHost } from "../address.ts";
import type { Config, Mistake } from "./schema.ts";

type Cluster = Config["cluster"];
type Place = Mistake["path"];

/** More would leave no room between the priorities of healthy and of failing balancers. */
const MAX_NODES = 50;
/** VRRP has a byte for the router's id, and 0 is not one (RFC 5798 section 5.2.3). */
const MAX_ROUTER_ID = 255;

/** Every mistake among the values of the cluster, and values that HAProxy cannot express. */
export function clusterMistakes(config: Config): Mistake[] {
  const { cluster } = config;
  return [
    ...ownAddressMistakes(cluster),
    ...virtualAddressMistakes(cluster),
    ...routerIdMistakes(cluster),
    ...interfaceMistakes(cluster),
    ...unicastMistakes(cluster),
    ...haproxyMistakes(config),
  ];
}

function at(path: Place, message: string): Mistake {
  return { path: ["cluster", ...path], part: "value", message };
}

function ownAddressMistakes({ nodes }: Cluster): Mistake[] {
  const count = Object.keys(nodes).length;
  const all = Object.entries(nodes).flatMap(([node, addresses]) =>
    addresses.map((address, i) => ({ node, address, i }))
  );
  const twice = all.flatMap(({ node, address, i }, place) => {
    const other = all.slice(0, place).find((before) => sameHost(before.address, address));
    if (!other) return [];
    const whose = other.node === node ? "there twice" : `${other.node}'s own address`;
    return [at(["nodes", node, i], `${address} is ${whose}`)];
  });
  return count > MAX_NODES ? [at(["nodes"], `${count} are more than ${MAX_NODES}`)] : twice;
}

function virtualAddressMistakes({ virtual_addresses, nodes }: Cluster): Mistake[] {
  return virtual_addresses.flatMap(({ address }, i) => {
    const owner = Object.entries(nodes).find(([, own]) =>
      own.some((one) => sameHost(one, address))
    );
    const reason = virtual_addresses.slice(0, i).some((before) => sameHost(before.address, address))
      ? "is there twice"
      : owner
      ? `is ${owner[0]}'s own address, which must not move`
      : isNoService(address)
      ? "is not an address that clients elsewhere can ask"
      : undefined;
    return reason ? [at(["virtual_addresses", i], `${address} ${reason}`)] : [];
  });
}

/** Link-local, loopback, unspecified or multicast. */
function isNoService(address: string): boolean {
  return /^(?:fe[89ab].:|::1?$|127\.|0\.|ff..:|22[4-9]\.|23\d\.)/.test(address);
}

function routerIdMistakes({ virtual_addresses, virtual_router_id }: Cluster): Mistake[] {
  const beyond = virtual_addresses.findIndex(({ router_id }) => router_id > MAX_ROUTER_ID);
  if (beyond >= 0) {
    const { address, router_id } = virtual_addresses[beyond]!;
    const message = `${address} would get the router id ${router_id}, counted from ` +
      `cluster.virtual_router_id (${virtual_router_id}); the highest id is ${MAX_ROUTER_ID}`;
    return [at(["virtual_addresses", beyond], message)];
  }
  return virtual_addresses.flatMap(({ address, router_id }, i) => {
    const other = virtual_addresses.slice(0, i).find((before) =>
      before.router_id === router_id && familyOf(before.address) === familyOf(address)
    );
    if (!other || sameHost(other.address, address)) return [];
    const message = `${address} has the router id ${router_id}, as ${other.address} has; give ` +
      "one of them another router_id";
    return [at(["virtual_addresses", i], message)];
  });
}

function interfaceMistakes({ interface: given, nodes }: Cluster): Mistake[] {
  if (typeof given === "string") return [];
  const known = Object.keys(nodes);
  return [
    ...Object.keys(given).filter((node) => !known.includes(node)).map((node): Mistake => ({
      ...at(["interface", node], `${node} is not in cluster.nodes`),
      part: "key",
    })),
    ...known.filter((node) => !Object.hasOwn(given, node)).map((node) =>
      at(["interface"], `there is none for ${node}, which is in cluster.nodes`)
    ),
  ];
}

/** With unicast a balancer sends from an own address, in the family of each virtual one. */
function unicastMistakes({ unicast, nodes, virtual_addresses }: Cluster): Mistake[] {
  if (!unicast) return [];
  return lackingFamilies({ nodes, virtual_addresses }).map(({ node, family, address }) =>
    at(["nodes", node], `no IPv${family} address, from which unicast would send for ${address}`)
  );
}

/** Balancers without any own address in the family of some virtual address, which is told. */
export function lackingFamilies(
  { nodes, virtual_addresses }: Pick<Cluster, "nodes" | "virtual_addresses">,
): { node: string; family: 4 | 6; address: string }[] {
  return Object.entries(nodes).flatMap(([node, own]) =>
    ([6, 4] as const).flatMap((family) => {
      const wanted = virtual_addresses.find(({ address }) => familyOf(address) === family);
      const has = own.some((address) => familyOf(address) === family);
      return wanted && !has ? [{ node, family, address: wanted.address }] : [];
    })
  );
}

/** Values that HAProxy's file has no way to express. */
function haproxyMistakes({ cluster, haproxy: { sockets: [socket = ""] } }: Config): Mistake[] {
  const words: [Place, string][] = [
    [["cluster", "backend_ca"], cluster.backend_ca],
    [["haproxy", "sockets", 0], socket],
  ];
  const message = "HAProxy takes no path with quotes or control characters";
  const odd = words.filter(([, value]) => /['\p{Cc}]/u.test(value))
    .map(([path]): Mistake => ({ path, part: "value", message }));
  const zoned = cluster.backends.flatMap((backend, i) =>
    "hostname" in backend && backend.hostname.includes("%")
      ? [at(["backends", i], "HAProxy takes no link-local address")]
      : []
  );
  return [...odd, ...zoned];
}
