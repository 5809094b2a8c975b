/** Clusters of any size for tests, as the configuration file has them. */

/** `addresses` virtual ones, in turn IPv6 and IPv4, on `nodes` balancers with both. */
export function clusterYaml({ nodes, addresses }: { nodes: number; addresses: number }): string {
  const lines = (count: number, line: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => `${line(i)}\n`).join("");
  const virtual = (i: number) => i % 2 === 0 ? `2001:db8::${i + 1}` : `192.0.2.${i + 1}`;
  return `cluster:
  nodes:
${lines(nodes, (i) => `    lb${i}: ["2001:db8::f${i}", "198.51.100.${1 + i}"]`)}\
  virtual_addresses:
${lines(addresses, (i) => `    - "${virtual(i)}"`)}\
  names: [service.example, www.service.example]
  backends: ["[2001:db8::b001]:443", "192.0.2.201:8443"]
`;
}
