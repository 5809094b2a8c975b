/** The ids in a keepalived.conf in any layout. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { keepalivedFiles } from "../../lib/render/keepalived.ts";
import { changedRouterIds, routerIdsOf } from "../../lib/render/router_ids.ts";
import { clusterYaml } from "./cluster_yaml.ts";

Deno.test("the rendered file reads back as each address with its id", () => {
  const config = parseConfig(clusterYaml({ nodes: 3, addresses: 8 }), "c");
  const [file] = keepalivedFiles(config, { node: "lb1", executable: "/bin/true" });
  assert.deepEqual(
    [...routerIdsOf(file!.text)],
    config.cluster.virtual_addresses.map(({ address, router_id }) => [address, router_id]),
  );
});

Deno.test("an operator's own file is read as keepalived does", () => {
  const table: [string, [string, number][]][] = [
    ["", []],
    ["vrrp_instance a {\n virtual_router_id 5\n virtual_ipaddress {\n 192.0.2.1\n }\n}", [
      ["192.0.2.1", 5],
    ]],
    // The id after the addresses; comments of both kinds; a mask, a device, a label.
    [
      "vrrp_instance a {\n virtual_ipaddress { # theirs: 192.0.2.9\n" +
      "  192.0.2.1/24 brd 192.0.2.255 dev eth0 label eth0:1\n  ! 192.0.2.7\n" +
      "  2001:DB8:0::1/64\n }\n virtual_router_id 51 # was 50\n}",
      [["192.0.2.1", 51], ["2001:db8::1", 51]],
    ],
    ["vrrp_instance a\n{\n virtual_router_id 3\n virtual_ipaddress\n {\n 192.0.2.1\n }\n}", []],
    ["vrrp_instance a { virtual_router_id 3\n virtual_ipaddress {\n 192.0.2.1 }\n }", [
      ["192.0.2.1", 3],
    ]],
    [
      "vrrp_instance a {\n virtual_router_id 3\n virtual_ipaddress_excluded {\n 2001:db8::5/128\n }\n}\n" +
      "vrrp_instance b {\n virtual_router_id 4\n virtual_ipaddress {\n 192.0.2.2\n }\n" +
      " unicast_peer {\n 192.0.2.12\n }\n}",
      [["2001:db8::5", 3], ["192.0.2.2", 4]],
    ],
    ["vrrp_script x {\n script \"/bin/sh -c '{ virtual_router_id 9; }'\"\n}\n", []],
  ];
  for (const [text, expected] of table) {
    // With the brace on a separate line no id is found, but no wrong one either.
    assert.deepEqual([...routerIdsOf(text)], expected, text);
  }
});

Deno.test("only an address that keeps its place with another id is reported", () => {
  const of = (...pairs: [string, number][]) =>
    pairs.map(([address, id], i) =>
      `vrrp_instance i${i} {\n virtual_router_id ${id}\n virtual_ipaddress {\n ${address}\n }\n}\n`
    ).join("");
  const changed = (before: string, after: string) => changedRouterIds(before, after);
  assert.deepEqual(changed(of(["192.0.2.1", 1]), of(["192.0.2.1", 1], ["192.0.2.2", 2])), []);
  assert.deepEqual(changed(of(["192.0.2.1", 1]), of(["192.0.2.2", 1])), []);
  assert.deepEqual(changed("", of(["192.0.2.1", 1])), []);
  assert.deepEqual(changed(of(["192.0.2.1", 1], ["192.0.2.2", 2]), of(["192.0.2.2", 1])), [
    "the router id of 192.0.2.2 would change from 2 to 1",
  ]);
  assert.deepEqual(changed(of(["2001:DB8::1", 7]), of(["2001:db8::1/128", 8])), [
    "the router id of 2001:db8::1 would change from 7 to 8",
  ]);
});
