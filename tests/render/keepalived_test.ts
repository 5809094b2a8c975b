/** Priorities, families and checks: what keepalived is told, without keepalived. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { parseConfig } from "../../lib/config/load.ts";
import { keepalivedFiles, prioritiesOf } from "../../lib/render/keepalived.ts";
import { clusterYaml } from "./cluster_yaml.ts";

/** The file for a node. */
function text(yaml: string, node = "lb0"): string {
  return keepalivedFiles(parseConfig(yaml, "config.yaml"), { node })[0]!.text;
}

/** All values of one setting, in the order of the file. */
function settings(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`^ *${name} (.*)$`, "gm"))].map((match) => match[1]!);
}

Deno.test("priorities of three balancers are the article's", () => {
  const yaml = clusterYaml({ nodes: 3, addresses: 3 });
  const priorities = (node: string) => settings(text(yaml, node), "priority").map(Number);
  assert.deepEqual(priorities("lb0"), [101, 102, 103]);
  assert.deepEqual(priorities("lb1"), [102, 103, 101]);
  assert.deepEqual(priorities("lb2"), [103, 101, 102]);
  assert.match(text(yaml), /^ {2}# lb0: 101, lb1: 102, lb2: 103$/m);
});

Deno.test("every address has an order of all balancers, and they share the addresses evenly", () => {
  const cluster = fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 255 }));
  fc.assert(fc.property(cluster, ([count, addresses]) => {
    const nodes = Array.from({ length: count }, (_, i) => `lb${i}`);
    const kept = new Map(nodes.map((node) => [node, 0]));
    for (let place = 0; place < addresses; place++) {
      const order = [...prioritiesOf(nodes, place)].sort(([, a], [, b]) => b - a);
      assert.equal(new Set(order.map(([, priority]) => priority)).size, count);
      assert.ok(order.every(([, priority]) => priority > 100 && priority <= 150));
      const [first] = order[0]!;
      kept.set(first, kept.get(first)! + 1);
    }
    const shares = [...kept.values()];
    assert.ok(Math.max(...shares) - Math.min(...shares) <= 1, String(shares));
  }));
});

/** What keepalived makes of a priority when checks fail (it stays between 1 and 254). */
function effective(priority: number, weights: number[]): number {
  return Math.min(254, Math.max(1, weights.reduce((sum, weight) => sum + weight, priority)));
}

Deno.test("a balancer that is well precedes one without port 80, and that one without HTTPS", () => {
  const weights = settings(text(clusterYaml({ nodes: 2, addresses: 1 })), "weight").map(Number);
  const [port80, https] = weights as [number, number];
  for (const count of [1, 2, 3, 50]) {
    const nodes = Array.from({ length: count }, (_, i) => `lb${i}`);
    const priorities = [...prioritiesOf(nodes, 0).values()];
    const range = (weights: number[]) => {
      const all = priorities.map((priority) => effective(priority, weights));
      return { least: Math.min(...all), most: Math.max(...all) };
    };
    assert.ok(range([]).least > range([port80]).most, `${count}`);
    assert.ok(range([port80]).least > range([https]).most, `${count}`);
    assert.ok(range([https]).least >= range([port80, https]).most, `${count}`);
  }
});

Deno.test("every instance begins as BACKUP, has a router's id of its own, and one address", () => {
  const virtual = ["2001:db8::1", "192.0.2.1", "2001:db8::2"];
  const file = text(`cluster:
  interface: ens3
  virtual_router_id: 51
  nodes: {lb0: []}
  virtual_addresses: ${JSON.stringify(virtual)}
`);
  assert.deepEqual(settings(file, "state"), ["BACKUP", "BACKUP", "BACKUP"]);
  assert.deepEqual(settings(file, "virtual_router_id"), ["51", "52", "53"]);
  assert.deepEqual(settings(file, "interface"), ["ens3", "ens3", "ens3"]);
  assert.deepEqual([...file.matchAll(/^ {4}(\S+ dev ens3)$/gm)].map((match) => match[1]), [
    "2001:db8::1/128 dev ens3",
    "192.0.2.1/32 dev ens3",
    "2001:db8::2/128 dev ens3",
  ]);
  // Without preemption a lowered priority moves nothing; FAULT on all balancers is an outage.
  assert.doesNotMatch(file, /nopreempt|state MASTER/);
});

Deno.test("the checks ask where this balancer listens, in a family that it serves", () => {
  const checked = (yaml: string) =>
    [...text(yaml).matchAll(/\/dev\/tcp\/(\S+?)(?=['\s])/g)].map((match) => match[1]);
  const of = (addresses: string, rest = "") =>
    `cluster: {nodes: {lb0: []}, virtual_addresses: [${addresses}]}\n${rest}`;
  const table: [string, string[]][] = [
    [of('"2001:db8::1", "192.0.2.1"'), ["::1/80", "::1/8404"]],
    [of('"192.0.2.1"'), ["127.0.0.1/80", "127.0.0.1/8404"]],
    [of('"2001:db8::1"', 'public: {listen: ["0.0.0.0:80"]}'), ["127.0.0.1/80", "::1/8404"]],
    [of('"2001:db8::1"', 'public: {listen: ["192.0.2.11:8080"]}'), [
      "192.0.2.11/8080",
      "::1/8404",
    ]],
    [of('"2001:db8::1"', "public: {listen: []}\nredirect: {https_port: 8443}"), ["::1/8404"]],
  ];
  for (const [yaml, expected] of table) assert.deepEqual(checked(yaml), expected, yaml);
});

Deno.test("as many scripts are tracked as there are", () => {
  const file = text("public: {listen: []}\n" + clusterYaml({ nodes: 1, addresses: 2 }));
  assert.deepEqual(settings(file, "vrrp_script"), ["haproxy {"]);
  assert.equal(file.match(/track_script \{\n {4}haproxy\n {2}\}/g)?.length, 2);
});
