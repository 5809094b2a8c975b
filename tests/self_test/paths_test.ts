import assert from "node:assert/strict";
import { formatSocketAddress, type SocketAddress } from "../../lib/address.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import type { NameRecords } from "../../lib/self_test/dns_findings.ts";
import { type Path, planPaths } from "../../lib/self_test/paths.ts";

interface Given {
  config: string;
  records?: Record<string, string[]>;
  machine?: string[];
  /** Instead of the literal addresses in the configuration. */
  peers?: SocketAddress[];
}

function plan({ config: text, records = {}, machine = [], peers }: Given): Path[] {
  const config = parseConfig(text, "config.yaml");
  const known = Object.entries(records).map(([name, addresses]): [string, NameRecords] => [
    name,
    { addresses },
  ]);
  return planPaths({
    config,
    records: new Map(known),
    machine,
    peers: peers ?? config.peers.filter((peer) => "hostname" in peer),
  });
}

/** `port address host (of)` with `own` and `foreign` behind it. */
function spelled(given: Given): string[] {
  return plan(given).map(({ port, address, host, of, own, foreign }) =>
    `${port} ${formatSocketAddress(address)} ${host} (${of.join(", ")})` +
    `${own ? " own" : ""}${foreign ? " foreign" : ""}`
  );
}

const CLUSTER = `
peers: ["[2001:db8::f001]:31080", "[2001:db8::f002]:31080"]
cluster:
  nodes: { lb0: ["2001:db8::f001", "192.0.2.11"], lb1: ["2001:DB8::f002"] }
  virtual_addresses: ["2001:db8::1"]
  names: [service.example, www.service.example]
`;

Deno.test("planPaths() takes every peer, node, virtual address and record, each once", () => {
  const paths = spelled({
    config: CLUSTER,
    machine: ["127.0.0.1", "192.0.2.11", "2001:db8::f001"],
    records: {
      "service.example": ["2001:db8::1", "198.51.100.7"],
      "www.service.example": ["2001:db8::1"],
    },
  });
  assert.deepEqual(paths, [
    "challenge [2001:db8::f001]:31080 service.example (lb0, this balancer) own",
    "challenge [2001:db8::f002]:31080 service.example (lb1)",
    "public [2001:db8::f001]:80 service.example (lb0)",
    "public 192.0.2.11:80 service.example (lb0)",
    "public [2001:db8::f002]:80 service.example (lb1)",
    "public [2001:db8::1]:80 service.example (virtual address, service.example)",
    "public 198.51.100.7:80 service.example (service.example) foreign",
    "public [2001:db8::1]:80 www.service.example (www.service.example)",
  ]);
});

Deno.test("planPaths() uses the peers' addresses when there are no nodes", () => {
  const paths = spelled({
    config: `peers: ["[2001:db8::f001]:31080", "192.0.2.12:31081", "[fe80::1%eth0]:31080"]
cluster: { virtual_addresses: [192.0.2.1] }`,
    machine: ["2001:db8::f001"],
  });
  assert.deepEqual(paths, [
    "challenge [2001:db8::f001]:31080 [2001:db8::f001] (this balancer) own",
    "challenge 192.0.2.12:31081 192.0.2.12 ()",
    // A link-local address has no port 80 for a CA.
    "challenge [fe80::1%eth0]:31080 [fe80::1] ()",
    "public [2001:db8::f001]:80 [2001:db8::f001] ()",
    "public 192.0.2.12:80 192.0.2.12 ()",
    "public 192.0.2.1:80 192.0.2.1 (virtual address)",
  ]);
});

Deno.test("planPaths() has only this machine when nothing is configured", () => {
  const machine = ["127.0.0.1", "::1", "fe80::1", "192.0.2.2", "2001:db8::2"];
  assert.deepEqual(spelled({ config: "", machine }), [
    "challenge [::1]:31080 [::1] (this balancer) own",
    "public 192.0.2.2:80 192.0.2.2 (this machine)",
    "public [2001:db8::2]:80 [2001:db8::2] (this machine)",
  ]);
  const config = 'challenge: { listen: ["0.0.0.0:1000", "192.0.2.2:1001"] }\n' +
    "cluster: { virtual_addresses: [192.0.2.1] }";
  assert.deepEqual(spelled({ config, machine: ["::1"] }), [
    "challenge 127.0.0.1:1000 127.0.0.1 (this balancer) own",
    "challenge 192.0.2.2:1001 192.0.2.2 (this balancer) own",
    "public 127.0.0.1:80 127.0.0.1 (this machine)",
    "public 192.0.2.1:80 192.0.2.1 (virtual address)",
  ]);
});

Deno.test("planPaths() knows its own port among the peers by address and port", () => {
  const config = `
challenge: { listen: ["127.0.0.1:31081"] }
peers: ["127.0.0.1:31080", "127.0.0.1:31081"]
`;
  assert.deepEqual(plan({ config }).filter(({ own }) => own).map(({ address }) => address.port), [
    31081,
  ]);
});

Deno.test("planPaths() sends a Host that the redirect knows", () => {
  const hosts = (config: string) => new Set(plan({ config }).map(({ host }) => host));
  const peers = 'peers: ["192.0.2.12:31080"]\n';
  assert.deepEqual(
    hosts(`${peers}redirect: { hosts: [a.example, b.example] }`),
    new Set(["a.example"]),
  );
  assert.deepEqual(hosts(`${peers}redirect: { hosts: ["*.example"] }`), new Set(["www.example"]));
  const names = '{ names: ["*.example", b.example] }';
  assert.deepEqual(hosts(`${peers}cluster: ${names}`), new Set(["b.example"]));
});

Deno.test("planPaths() gathers the paths of one machine under its node's name", () => {
  const machines = plan({ config: CLUSTER, records: { "service.example": ["198.51.100.7"] } })
    .map(({ machine }) => machine);
  assert.deepEqual(machines, ["lb0", "lb1", "lb0", "lb0", "lb1", "2001:db8::1", "198.51.100.7"]);
});
