/** What is said of a cluster from which a kind of file cannot be rendered. */

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
    const whole = `${clusterYaml({ nodes: 2, addresses: 3 })}  email: ops@service.example\n`;
    assert.deepEqual(faults(kind, whole), []);
  }
});

Deno.test("names for which acmetool obtains nothing are refused", () => {
  const yaml = 'cluster: {names: [a.example, "*.a.example", "192.0.2.1", "[2001:db8::1]"]}';
  assert.deepEqual(faults("acmetool", yaml), [
    "cluster.names[1]: *.a.example needs DNS-01; acme-lb is for HTTP-01",
    "cluster.names[2]: acmetool obtains no certificates for addresses",
    "cluster.names[3]: acmetool obtains no certificates for addresses",
  ]);
});
