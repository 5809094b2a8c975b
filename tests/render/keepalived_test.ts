/** Priorities, families and checks: what keepalived is told, without keepalived. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { parseConfig } from "../../lib/config/parse_config.ts";
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

Deno.test("each balancer is preferred for the address with its number, the next ones follow", () => {
  const yaml = `cluster:
  nodes: {lb0: [], lb1: [], lb2: []}
  virtual_addresses: ["2001:db8::1", "2001:db8::2", "192.0.2.1", "2001:db8::3", "192.0.2.2"]
`;
  const priorities = (node: string) => settings(text(yaml, node), "priority").map(Number);
  // Each family for itself: the place in the whole list does not matter.
  assert.deepEqual(priorities("lb0"), [150, 148, 150, 149, 148]);
  assert.deepEqual(priorities("lb1"), [149, 150, 149, 148, 150]);
  assert.deepEqual(priorities("lb2"), [148, 149, 148, 150, 149]);
  assert.match(text(yaml), /^ {2}# lb0: 150, lb1: 149, lb2: 148$/m);
});

/** Who has each address when only some balancers have read the new file; undefined: a tie. */
function masters(nodes: { old: string[]; new: string[]; reloaded: string[] }, place: number) {
  const priorities = nodes.new.filter((node) =>
    nodes.reloaded.includes(node) || nodes.old.includes(node)
  )
    .map((node): [string, number] => {
      const known = nodes.reloaded.includes(node) ? nodes.new : nodes.old;
      return [node, prioritiesOf(known, place).get(node)!];
    });
  const most = Math.max(...priorities.map(([, priority]) => priority));
  const first = priorities.filter(([, priority]) => priority === most).map(([node]) => node);
  return first.length === 1 ? first[0] : undefined;
}

Deno.test("while balancers read the file with one more, one after the other, no address moves", () => {
  const change = fc.record({
    count: fc.integer({ min: 1, max: 12 }),
    more: fc.integer({ min: 1, max: 4 }),
    order: fc.array(fc.nat(), { minLength: 16, maxLength: 16 }),
  });
  fc.assert(fc.property(change, ({ count, more, order }) => {
    const all = Array.from({ length: count + more }, (_, i) => `lb${i}`);
    const shuffled = all.toSorted((a, b) => order[all.indexOf(a)]! - order[all.indexOf(b)]!);
    for (let read = 0; read <= all.length; read++) {
      const nodes = { old: all.slice(0, count), new: all, reloaded: shuffled.slice(0, read) };
      for (let place = 0; place < count; place++) assert.equal(masters(nodes, place), `lb${place}`);
    }
  }));
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

Deno.test("a healthy balancer precedes one without port 80, which precedes one without HTTPS", () => {
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

Deno.test("every instance begins as BACKUP, is named by its id, and has one address", () => {
  const virtual = ["2001:db8::1", "192.0.2.1", "2001:db8::2"];
  const file = text(`cluster:
  interface: ens3
  virtual_router_id: 51
  nodes: {lb0: []}
  virtual_addresses: ${JSON.stringify(virtual)}
`);
  assert.deepEqual(settings(file, "state"), ["BACKUP", "BACKUP", "BACKUP"]);
  assert.deepEqual(settings(file, "virtual_router_id"), ["51", "51", "52"]);
  assert.deepEqual(settings(file, "vrrp_instance"), ["ipv6_51 {", "ipv4_51 {", "ipv6_52 {"]);
  assert.deepEqual(settings(file, "interface"), ["ens3", "ens3", "ens3"]);
  assert.deepEqual([...file.matchAll(/^ {4}(\S+ dev ens3)$/gm)].map((match) => match[1]), [
    "2001:db8::1/128 dev ens3",
    "192.0.2.1/32 dev ens3",
    "2001:db8::2/128 dev ens3",
  ]);
  // Without preemption a lowered priority moves nothing; FAULT on all balancers is an outage.
  assert.doesNotMatch(file, /nopreempt|state MASTER|unicast|preempt_delay|include/);
});

Deno.test("an instance is the same in any position of the list, except for priorities", () => {
  const of = (addresses: string, nodes: string) => {
    const yaml = `cluster: {nodes: {${nodes}}, virtual_addresses: [${addresses}]}`;
    return new Map(
      text(yaml).split(/^(?=vrrp_instance)/m).slice(1).map((block) => [
        /^ {4}(\S+)\//m.exec(block)![1]!,
        block.replace(/^ {2}(?:#|priority).*\n/gm, "").trimEnd(),
      ]),
    );
  };
  const two = 'lb0: ["192.0.2.11"], lb1: ["192.0.2.12"]';
  const old = of('"2001:db8::1", "192.0.2.1", "192.0.2.2"', two);
  for (
    const [addresses, nodes] of [
      ['"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2"', two],
      ['"192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"', two],
      ['"2001:db8::1", "192.0.2.1", "192.0.2.2"', `${two}, lb2: ["192.0.2.13"]`],
      ['"2001:db8::1", {address: "192.0.2.2", router_id: 2}', two],
      ['{address: "192.0.2.2", router_id: 2}, {address: "192.0.2.1", router_id: 1}', two],
    ] as const
  ) {
    const now = of(addresses, nodes);
    for (const [address, block] of old) {
      if (now.has(address)) assert.equal(now.get(address), block, addresses);
    }
  }
});

Deno.test("unicast goes from an own address to each other balancer, in the family of the address", () => {
  const sources = (node: string, nodes: string) => {
    const yaml = `cluster: {unicast: true, nodes: {${nodes}}, ` +
      'virtual_addresses: ["2001:db8::1", "192.0.2.1"]}';
    const file = text(yaml, node);
    const peers = [...file.matchAll(/unicast_peer \{\n([^}]*) {2}\}/g)]
      .map(([, lines]) => lines!.trim().split(/\s+/));
    return [settings(file, "unicast_src_ip"), peers];
  };
  const three = 'lb0: ["2001:db8::f1", "192.0.2.11"], lb1: ["192.0.2.12", "2001:db8::f2"], ' +
    'lb2: ["fe80::3", "2001:db8::f3", "2001:db8::f33", "192.0.2.13"]';
  assert.deepEqual(sources("lb0", three), [
    ["2001:db8::f1", "192.0.2.11"],
    [["2001:db8::f2", "2001:db8::f3"], ["192.0.2.12", "192.0.2.13"]],
  ]);
  assert.deepEqual(sources("lb2", three), [
    ["2001:db8::f3", "192.0.2.13"],
    [["2001:db8::f1", "2001:db8::f2"], ["192.0.2.11", "192.0.2.12"]],
  ]);
  // A single balancer has no other one to send to.
  assert.deepEqual(sources("lb0", 'lb0: ["2001:db8::f1", "192.0.2.11"]'), [[], []]);
});

Deno.test("interfaces, preempt_delay and include come from cluster", () => {
  const of = (more: string, node = "lb1") =>
    text(`cluster: {nodes: {lb0: [], lb1: []}, virtual_addresses: ["192.0.2.1"], ${more}}`, node);
  const each = "interface: {lb0: eth0, lb1: ens3}";
  assert.deepEqual(settings(of(each, "lb0"), "interface"), ["eth0"]);
  assert.match(of(each), /^ {2}interface ens3\n[^}]* {4}192\.0\.2\.1\/32 dev ens3$/m);
  assert.deepEqual(settings(of("preempt_delay: 5m"), "preempt_delay"), ["300"]);
  assert.deepEqual(settings(of("preempt_delay: 0s"), "preempt_delay"), []);
  const included = of('include: [/etc/keepalived/a.conf, "/etc/keepalived/local/*.conf"]');
  assert.match(
    included,
    /\n\n# Of your own.*\ninclude \/etc\/keepalived\/a\.conf\ninclude \/etc\/keepalived\/local\/\*\.conf\n$/,
  );
});

Deno.test("the checks ask only this balancer, in a family that it serves, with acme-lb healthy", () => {
  const checked = (yaml: string, node = "lb0") =>
    settings(text(yaml, node), "script").map((script) =>
      /^"\/bin\/sh -c 'exec \/usr\/local\/bin\/acme-lb healthy (\S+)'"$/.exec(script)?.[1]
    );
  const of = (addresses: string, rest = "", own = '"2001:db8::f001", "192.0.2.11"') =>
    `cluster: {nodes: {lb0: [${own}], lb1: ["192.0.2.12"]}, virtual_addresses: [${addresses}]}\n${rest}`;
  const [six, four] = ['"2001:db8::1"', '"192.0.2.1"'];
  const table: [string, string[]][] = [
    [of(`${six}, ${four}`), ["[::1]:80", "[::1]:8404"]],
    [of(four), ["127.0.0.1:80", "127.0.0.1:8404"]],
    [of(six, 'public: {listen: ["0.0.0.0:80"]}'), ["127.0.0.1:80", "[::1]:8404"]],
    [of(six, 'public: {listen: ["192.0.2.11:8080"]}'), ["192.0.2.11:8080", "[::1]:8404"]],
    // What another balancer may hold says nothing of this one: the challenge port does.
    [of(four, 'public: {listen: ["192.0.2.1:80"]}'), ["127.0.0.1:31080", "127.0.0.1:8404"]],
    [of(four, 'public: {listen: ["192.0.2.12:80"]}'), ["127.0.0.1:31080", "127.0.0.1:8404"]],
    [of(four, 'public: {listen: ["192.0.2.1:80", "127.0.0.1:8080"]}'), [
      "127.0.0.1:8080",
      "127.0.0.1:8404",
    ]],
    [
      of(four, 'public: {listen: ["192.0.2.1:80"]}\nchallenge: {listen: ["192.0.2.11:31080"]}'),
      ["192.0.2.11:31080", "127.0.0.1:8404"],
    ],
    [of(four, "public: {listen: []}"), ["127.0.0.1:31080", "127.0.0.1:8404"]],
    [of(six, "public: {listen: []}\nchallenge: {listen: []}\nredirect: {https_port: 8443}"), [
      "[::1]:8404",
    ]],
  ];
  for (const [yaml, expected] of table) assert.deepEqual(checked(yaml), expected, yaml);
});

Deno.test("every instance tracks every script", () => {
  const silent = "public: {listen: []}\nchallenge: {listen: []}\n";
  const file = text(silent + clusterYaml({ nodes: 1, addresses: 2 }));
  assert.deepEqual(settings(file, "vrrp_script"), ["haproxy {"]);
  assert.equal(file.match(/track_script \{\n {4}haproxy\n {2}\}/g)?.length, 2);
});
