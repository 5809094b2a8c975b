/**
 * The source document's three balancers: their addresses, the one configuration file that all of
 * them run, and who keeps which virtual address when some of them are down.
 */

import { type Host, type HostAddresses } from "./network.ts";

export const BALANCERS: Record<string, HostAddresses> = {
  lb0: { ipv6: "2001:db8::f001", ipv4: "192.0.2.11" },
  lb1: { ipv6: "2001:db8::f002", ipv4: "192.0.2.12" },
  lb2: { ipv6: "2001:db8::f003", ipv4: "192.0.2.13" },
};

/** Each virtual address with the balancers in the order of their keepalived priority for it. */
const SUCCESSION: Record<string, string[]> = {
  "2001:db8::1": ["lb2", "lb1", "lb0"],
  "2001:db8::2": ["lb1", "lb0", "lb2"],
  "2001:db8::3": ["lb0", "lb2", "lb1"],
};

export const VIRTUAL_ADDRESSES = Object.keys(SUCCESSION);

const inIpv4 = (address: string) => address.replace("2001:db8::", "192.0.2.");

/** The virtual addresses of examples/article/config.yaml, as the DNS says them of the service. */
export const SERVED_ADDRESSES = [...VIRTUAL_ADDRESSES, ...VIRTUAL_ADDRESSES.map(inIpv4)];

/** Which balancer keepalived would leave each virtual address with. */
export function keepers(hosts: Host[], options: { down?: string[] } = {}): Map<string, Host> {
  const { down = [] } = options;
  return new Map(
    VIRTUAL_ADDRESSES.map((address) => {
      const name = SUCCESSION[address]!.find((candidate) => !down.includes(candidate));
      return [address, hosts.find((host) => host.name === name)!];
    }),
  );
}

/** With the IPv4 address beside each virtual one, on the same balancer. */
export function inBothFamilies(keepers: Map<string, Host>): Map<string, Host> {
  return new Map([...keepers].flatMap(([address, host]): [string, Host][] => [
    [address, host],
    [inIpv4(address), host],
  ]));
}

/**
 * The configuration for all three. The CA's own limit stands for the lookup's: a machine that does
 * other work as well may leave a balancer no processor for the two seconds of the default.
 */
export function clusterConfig(
  { webroots, solvers = [] }: { webroots: string[]; solvers?: string[] },
): string {
  return [
    "webroot:",
    ...webroots.map((webroot) => `  - ${webroot}`),
    "public:",
    '  listen: ["[::]:80"]',
    "challenge:",
    '  listen: ["[::]:31080"]',
    `  solvers: ${JSON.stringify(solvers)}`,
    "lookup:",
    "  timeout: 8s",
    "peers:",
    ...Object.values(BALANCERS).map(({ ipv6 }) => `  - "[${ipv6}]:31080"`),
    "",
  ].join("\n");
}
