/**
 * Values that the configuration refuses, because keepalived or HAProxy would refuse the rendered
 * file or two machines would hold one address; and values that only give a warning.
 */

import assert from "node:assert/strict";
import { clusterWarnings } from "../../lib/config/cluster_warnings.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { ownNode } from "../../lib/config/own_node.ts";
import { clusterYaml } from "../render/cluster_yaml.ts";
import { mistakesIn } from "./mistakes_in.ts";

/** The mistakes of a file without their positions. */
function mistakes(yaml: string): string[] {
  return mistakesIn(yaml, "c").map((line) => line.replace(/^c:\d+:\d+: (?:cluster\.)?/, ""));
}

const NODES = 'lb0: ["2001:db8::f001", "192.0.2.11"], lb1: ["2001:db8::f002", "192.0.2.12"]';

function cluster({ nodes = NODES, addresses = '"192.0.2.1"', more = "" }): string {
  return `cluster: {nodes: {${nodes}}, virtual_addresses: [${addresses}]${more && `, ${more}`}}`;
}

Deno.test("virtual addresses that cannot move are refused at their place", () => {
  const NO_SERVICE = "is not an address that clients elsewhere can ask";
  const table: [string, string[]][] = [
    ['"2001:db8::1", "2001:DB8:0::1"', ["virtual_addresses[1]: 2001:db8::1 is there twice"]],
    ['"192.0.2.1", "::ffff:192.0.2.1"', ["virtual_addresses[1]: 192.0.2.1 is there twice"]],
    ['"192.0.2.1", {address: "192.0.2.1", router_id: 9}', [
      "virtual_addresses[1]: 192.0.2.1 is there twice",
    ]],
    ['"2001:db8::F002"', [
      "virtual_addresses[0]: 2001:db8::f002 is lb1's own address, which must not move",
    ]],
    ['"::ffff:192.0.2.11"', [
      "virtual_addresses[0]: 192.0.2.11 is lb0's own address, which must not move",
    ]],
    ...["fe80::1", "fe80::1%eth0", "febf::1", "::1", "::", "127.0.0.1", "0.0.0.0", "ff02::12"]
      .concat(["224.0.0.18", "239.0.0.1"]).map((address): [string, string[]] => [
        `"${address}"`,
        [`virtual_addresses[0]: ${address} ${NO_SERVICE}`],
      ]),
    ['"10.0.0.1", "fc00::1", "100.64.0.1"', []],
  ];
  for (const [addresses, expected] of table) {
    assert.deepEqual(mistakes(cluster({ addresses })), expected, addresses);
  }
});

Deno.test("an address belongs to one balancer, and is listed there once", () => {
  const table: [string, string[]][] = [
    ['lb0: ["192.0.2.11"], lb1: ["192.0.2.11"]', ["nodes.lb1[0]: 192.0.2.11 is lb0's own address"]],
    ['lb0: ["2001:db8::f1"], lb1: ["192.0.2.12", "2001:DB8::F1"]', [
      "nodes.lb1[1]: 2001:db8::f1 is lb0's own address",
    ]],
    ['lb0: ["192.0.2.11", "192.0.2.11"]', ["nodes.lb0[1]: 192.0.2.11 is there twice"]],
    ['lb0: ["192.0.2.11"], lb1: ["::ffff:192.0.2.11"]', [
      "nodes.lb1[0]: 192.0.2.11 is lb0's own address",
    ]],
    ['a: ["10.0.0.1"], b: ["10.0.0.2"], c: ["10.0.0.1", "10.0.0.2"]', [
      "nodes.c[0]: 10.0.0.1 is a's own address",
      "nodes.c[1]: 10.0.0.2 is b's own address",
    ]],
    [NODES, []],
  ];
  for (const [nodes, expected] of table) {
    assert.deepEqual(mistakes(cluster({ nodes, addresses: "" })), expected, nodes);
  }
});

Deno.test("router ids are unique in a family, and end at 255", () => {
  const table: [string, string, string[]][] = [
    ['"192.0.2.1", "192.0.2.2"', "virtual_router_id: 255", [
      "virtual_addresses[1]: 192.0.2.2 would get the router id 256, counted from " +
      "cluster.virtual_router_id (255); the highest id is 255",
    ]],
    // Each family for itself.
    ['"192.0.2.1", "2001:db8::1"', "virtual_router_id: 255", []],
    ['"192.0.2.1", "192.0.2.2"', "virtual_router_id: 254", []],
    ['{address: "192.0.2.1", router_id: 2}, "192.0.2.2"', "", [
      "virtual_addresses[1]: 192.0.2.2 has the router id 2, as 192.0.2.1 has; give one of them " +
      "another router_id",
    ]],
    ['{address: "192.0.2.1", router_id: 2}, {address: "2001:db8::1", router_id: 2}', "", []],
    ['{address: "192.0.2.1", router_id: 7}, {address: "192.0.2.2", router_id: 7}', "", [
      "virtual_addresses[1]: 192.0.2.2 has the router id 7, as 192.0.2.1 has; give one of them " +
      "another router_id",
    ]],
    ['{address: "192.0.2.1", router_id: 0}', "", [
      "virtual_addresses[0].router_id: expected a whole number from 1 to 255, got 0",
    ]],
    ['{address: "192.0.2.1", router_ids: 1}', "", [
      "virtual_addresses[0].router_ids: unknown key; did you mean router_id?",
    ]],
  ];
  for (const [addresses, more, expected] of table) {
    assert.deepEqual(mistakes(cluster({ addresses, more })), expected, `${addresses} ${more}`);
  }
  const ids = parseConfig(
    cluster({
      addresses: '"2001:db8::1", "192.0.2.1", {address: "2001:db8::2", router_id: 9}, "192.0.2.2"',
    }),
    "c",
  ).cluster.virtual_addresses.map(({ router_id }) => router_id);
  assert.deepEqual(ids, [1, 1, 9, 2]);
});

Deno.test("more balancers than priorities are refused", () => {
  assert.deepEqual(mistakes(clusterYaml({ nodes: 51, addresses: 1 })), [
    "nodes: 51 are more than 50",
  ]);
  assert.deepEqual(mistakes(clusterYaml({ nodes: 50, addresses: 1 })), []);
});

Deno.test("an interface name must be valid in Linux, and every balancer needs one", () => {
  const long = "an interface's name has at most 15 characters, this one 16";
  const table: [string, RegExp | undefined][] = [
    ["enx001122334455", undefined],
    ["eth0.100", undefined],
    ["br-lan_1", undefined],
    ["enx0011223344556", new RegExp(`^interface: ${long}`)],
    ["eth/0", /^interface: expected an interface such as eth0/],
    ['"eth0 eth1"', /^interface: expected an interface such as eth0/],
    ["{lb0: eth0, lb1: ens3}", undefined],
    ["{lb0: eth0}", /^interface: there is none for lb1/],
    ["{lb0: eth0, lb1: ens3, lb2: ens3}", /^interface\.lb2: lb2 is not in cluster\.nodes$/],
    ["{lb0: eth0, lb1: enx0011223344556}", new RegExp(`^interface\\.lb1: ${long}`)],
    ["[eth0]", /^interface: expected an interface's name, got a list$/],
  ];
  for (const [value, expected] of table) {
    const found = mistakes(cluster({ more: `interface: ${value}` }));
    if (!expected) assert.deepEqual(found, [], value);
    else {
      assert.equal(found.length, 1, value);
      assert.match(found[0]!, expected, value);
    }
  }
});

Deno.test("unicast needs an own address in each family; without it, that is a warning", () => {
  const table: [string, string, string[]][] = [
    ['lb0: ["192.0.2.11"]', '"192.0.2.1"', []],
    ['lb0: ["192.0.2.11"]', '"2001:db8::1"', ["lb0 6 2001:db8::1"]],
    ['lb0: ["2001:db8::f1"]', '"2001:db8::1", "192.0.2.1", "192.0.2.2"', ["lb0 4 192.0.2.1"]],
    ["lb0: []", '"192.0.2.1"', ["lb0 4 192.0.2.1"]],
    ['lb0: ["192.0.2.11"], lb1: ["2001:db8::f2"]', '"192.0.2.1", "2001:db8::1"', [
      "lb0 6 2001:db8::1",
      "lb1 4 192.0.2.1",
    ]],
    ['lb0: ["192.0.2.11"]', "", []],
  ];
  for (const [nodes, addresses, expected] of table) {
    const refused = mistakes(cluster({ nodes, addresses, more: "unicast: true" }));
    assert.deepEqual(
      refused,
      expected.map((one) => {
        const [node, family, address] = one.split(" ");
        return `nodes.${node}: no IPv${family} address, from which unicast would send for ${address}`;
      }),
    );
    const warned = clusterWarnings(parseConfig(cluster({ nodes, addresses }), "c"), new Set());
    assert.deepEqual(
      warned.map((line) =>
        line.replace(/^cluster\.nodes\.(\w+): no IPv(\d) address, though (\S+) is.*/, "$1 $2 $3")
      ),
      expected,
    );
  }
});

Deno.test("cluster values that a program's file cannot express are refused", () => {
  const table: [string, RegExp][] = [
    ["preempt_delay: 1500ms", /^preempt_delay: expected whole seconds/],
    ["preempt_delay: 1001s", /^preempt_delay: expected whole seconds, from 0s to 1000s/],
    ["include: [local.conf]", /^include\[0\]: expected an absolute path/],
    ['include: ["/etc/keep alived/x"]', /^include\[0\]: expected an absolute path without blanks/],
    ["email: ops", /^email: expected an email address/],
    ['email: "a\'b@service.example"', /^email: expected an email address/],
    ["email: ops@192.0.2.1", /^email: expected an email address/],
    ["backend_name: true", /^backend_name: expected a host name or false/],
    ["backend_name: 192.0.2.1", /^backend_name: expected a host name or false/],
    ['backend_name: "*.example"', /^backend_name: expected a host name or false/],
    ["hsts: forever", /^hsts: expected a duration/],
    ["hsts: 1500ms", /^hsts: expected whole seconds/],
    ['unicast: "yes"', /^unicast: expected true or false/],
    ["public_addresses: [nat.example]", /^public_addresses\[0\]: expected an IP address/],
    [`backend_ca: "/etc/it's.pem"`, /^backend_ca: HAProxy takes no path with quotes/],
    ['backends: ["192.0.2.1:80", "[fe80::1%eth0]:80"]', /^backends\[1\]: HAProxy takes no link-l/],
  ];
  for (const [more, expected] of table) {
    const found = mistakes(cluster({ more }));
    assert.equal(found.length, 1, `${more}: ${found}`);
    assert.match(found[0]!, expected);
  }
  for (const path of ["/run/it's", "/run/a\nb"]) {
    assert.deepEqual(mistakes(`haproxy: {sockets: [${JSON.stringify(path)}]}`), [
      "haproxy.sockets[0]: HAProxy takes no path with quotes or control characters",
    ]);
  }
});

Deno.test("peers, nodes and this machine are compared, each way round", () => {
  const peers = (...all: string[]) => `peers: [${all.map((one) => `"${one}:31080"`).join(", ")}]\n`;
  const both = peers("192.0.2.11", "192.0.2.12");
  const table: [string, string[], RegExp[]][] = [
    [both + cluster({}), ["192.0.2.11"], []],
    // By either of its addresses; on no network at all nothing can be said.
    [peers("[2001:db8::f001]", "192.0.2.12") + cluster({}), ["2001:db8::f001"], []],
    [both + cluster({}), [], []],
    [both + cluster({}), ["127.0.0.1", "::1", "fe80::1"], []],
    [both + cluster({}), ["192.0.2.13"], [
      /^peers and cluster\.nodes: this machine \(192\.0\.2\.13\)/,
    ]],
    [both, ["192.0.2.13"], [/^peers: this machine .* no other balancer asks it/]],
    [cluster({}), ["192.0.2.13"], [/^cluster\.nodes: this machine \(192\.0\.2\.13\) is not among/]],
    [peers("192.0.2.11", "192.0.2.19") + cluster({}), ["192.0.2.11"], [
      /^peers\[1\]: 192\.0\.2\.19:31080 is not an address of cluster\.nodes$/,
      /^cluster\.nodes\.lb1: none of its addresses \(2001:db8::f002, 192\.0\.2\.12\) is among peers/,
    ]],
    // A name may lead anywhere.
    [peers("192.0.2.11", "dns:lb1.example") + cluster({}), ["192.0.2.13", "192.0.2.12"], []],
    [peers("127.0.0.1") + cluster({ nodes: 'lb0: ["127.0.0.1"]' }), ["192.0.2.13"], []],
    [both + cluster({ more: "names: [a.example, b.example, a.example]" }), ["192.0.2.11"], [
      /^cluster\.names\[2\]: a\.example is there twice$/,
    ]],
  ];
  for (const [yaml, here, expected] of table) {
    const found = clusterWarnings(parseConfig(yaml, "c"), new Set(here));
    assert.equal(found.length, expected.length, `${yaml}\n${found.join("\n")}`);
    for (const [i, pattern] of expected.entries()) assert.match(found[i]!, pattern);
  }
});

Deno.test("a machine is the node that has one of its addresses", () => {
  const config = parseConfig(cluster({}), "c");
  const table: [string[], string | undefined][] = [
    [["192.0.2.12"], "lb1"],
    [["::1", "2001:DB8::F001"], "lb0"],
    [["::ffff:192.0.2.11"], "lb0"],
    [["192.0.2.1"], undefined],
    [[], undefined],
  ];
  for (const [here, expected] of table) assert.equal(ownNode(config, here), expected);
});
