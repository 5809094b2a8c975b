/** What is said of a cluster from which nothing can be rendered. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { faultsOf, KINDS } from "../../lib/render/kinds.ts";
import { clusterYaml } from "./cluster_yaml.ts";

function faults(kind: string, yaml: string): string[] {
  return faultsOf(KINDS[kind]!, parseConfig(yaml, "config.yaml"));
}

Deno.test("each kind names the lists that it needs and what to add", () => {
  const missing = (kind: string) => faults(kind, "").map((fault) => fault.split(": ")[0]);
  assert.deepEqual(missing("keepalived"), ["cluster.nodes", "cluster.virtual_addresses"]);
  assert.deepEqual(missing("haproxy"), [
    "cluster.virtual_addresses",
    "cluster.names",
    "cluster.backends",
  ]);
  assert.deepEqual(missing("acmetool"), ["cluster.names"]);
  assert.deepEqual(missing("systemd"), []);
  assert.equal(
    faults("keepalived", "")[0],
    'cluster.nodes: empty; add each balancer with its own addresses, such as lb0: ["2001:db8::f001"]',
  );
  for (const kind of Object.keys(KINDS)) {
    assert.deepEqual(faults(kind, clusterYaml({ nodes: 2, addresses: 3 })), []);
  }
});

Deno.test("virtual addresses that cannot move are refused at their place", () => {
  const table: [string, string][] = [
    ['"2001:db8::1", "2001:DB8:0::1"', "virtual_addresses[1]: 2001:db8::1 is there twice"],
    ['"192.0.2.1", "::ffff:192.0.2.1"', "virtual_addresses[1]: ::ffff:c000:201 is there twice"],
    [
      '"2001:db8::f001"',
      "virtual_addresses[0]: 2001:db8::f001 is lb0's own address, which must not move",
    ],
    ...["fe80::1", "fe80::1%eth0", "febf::1", "::1", "::", "127.0.0.1", "0.0.0.0", "ff02::12"]
      .concat(["224.0.0.18", "239.0.0.1"]).map((address): [string, string] => [
        `"${address}"`,
        `virtual_addresses[0]: ${address} is not an address that clients elsewhere can ask`,
      ]),
  ];
  for (const [addresses, expected] of table) {
    const yaml = `cluster: {nodes: {lb0: ["2001:db8::f001"]}, virtual_addresses: [${addresses}]}`;
    assert.deepEqual(faults("keepalived", yaml), [`cluster.${expected}`], addresses);
  }
});

Deno.test("numbers that VRRP has no room for are refused", () => {
  const nodes = clusterYaml({ nodes: 51, addresses: 1 });
  assert.deepEqual(faults("keepalived", nodes), ["cluster.nodes: 51 are more than 50"]);
  assert.deepEqual(faults("keepalived", clusterYaml({ nodes: 50, addresses: 1 })), []);
  const id = (first: number) =>
    `${clusterYaml({ nodes: 1, addresses: 6 })}  virtual_router_id: ${first}\n`;
  assert.deepEqual(faults("keepalived", id(250)), []);
  assert.deepEqual(faults("keepalived", id(251)), [
    "cluster.virtual_router_id: 251 leaves no room for 6 virtual addresses; they end at 255",
  ]);
});

Deno.test("names for which acmetool obtains nothing are refused", () => {
  const yaml = 'cluster: {names: [a.example, "*.a.example", "192.0.2.1", "[2001:db8::1]"]}';
  assert.deepEqual(faults("acmetool", yaml), [
    "cluster.names[1]: *.a.example needs DNS-01; acme-lb is for HTTP-01",
    "cluster.names[2]: acmetool obtains no certificates for addresses",
    "cluster.names[3]: acmetool obtains no certificates for addresses",
  ]);
});
