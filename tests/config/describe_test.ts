/** What check-config prints reads back as the same configuration, and its warnings. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { comparableAddress, isWildcard, type SocketAddress } from "../../lib/address.ts";
import { clusterMistakes } from "../../lib/config/cluster_rules.ts";
import { describeConfig } from "../../lib/config/describe.ts";
import { withFlags } from "../../lib/config/flags.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import type { Config } from "../../lib/config/schema.ts";
import { parseAbsolutePath, parseIpAddress } from "../../lib/config/values.ts";
import { configWarnings, doubtsOf, ownPeers } from "../../lib/config/warnings.ts";
import { parseHost } from "../../lib/host.ts";
import { formatPeer } from "../../lib/peer.ts";
import { formatYaml } from "../../lib/yaml.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const FULL = `
webroot: [/run/acme/acme-challenge, /var/www/]
public:
  listen: ["[::]:80", "127.0.0.1:8080"]
challenge:
  listen: ["[2001:DB8::F001]:31080"]
  allow: peers
peers: ["[2001:db8::f001]:31080", "192.0.2.12:31080", "[fe80::1%eth0]:31080", "dns:LB.example:31080"]
lookup: { connect_timeout: 500ms, timeout: 1m }
redirect: { status: 307, hosts: [Service.Example, "*.b.example"], https_port: 8443 }
metrics: { listen: ["[::1]:9180"] }
certificates: ["/etc/haproxy/certs/*.pem"]
haproxy: { sockets: [/run/haproxy/admin.sock] }
limits: { connections: 100, per_source: 10, fan_outs: 8, per_peer: 4, per_suspect_peer: 1 }
cluster:
  interface: ens3
  nodes: { lb0: ["2001:db8::f001", "192.0.2.11"] }
  virtual_addresses: ["2001:db8::1", { address: "192.0.2.1", router_id: 7 }]
  names: [service.example]
  virtual_router_id: 51
  unicast: true
  preempt_delay: 30s
  include: ["/etc/keepalived/local*.conf"]
  public_addresses: [203.0.113.5]
  email: ops@service.example
  backend_name: backend.example
  hsts: true
  backends: ["[2001:db8::b001]:443"]
  backend_check: "/health?full=1"
  backend_tls: false
  backend_ca: /etc/ssl/backends.pem
`;

const config = (text: string) => parseConfig(text, "config.yaml");

Deno.test("describeConfig() reads back as the configuration it describes", () => {
  for (const text of ["", FULL]) {
    const read = config(text);
    assert.deepEqual(config(formatYaml(describeConfig(read))), read);
  }
});

/** Any configuration there can be, as it comes out of the file. */
function anyConfig(): fc.Arbitrary<Config> {
  const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
    fc.record(model, { noNullPrototype: true });
  const ip = fc.oneof(fc.ipV4(), fc.ipV6()).map(parseIpAddress);
  const address: fc.Arbitrary<SocketAddress> = record({
    hostname: fc.oneof(ip, fc.constant("fe80::1%eth0")),
    port: fc.integer({ min: 1, max: 65535 }),
  });
  const name = fc.domain().map((text) => parseHost(text)!);
  // Every address is a place to listen, and nobody to ask.
  const other = address.filter(({ hostname }) => !isWildcard(comparableAddress(hostname)));
  const peer = fc.oneof(other, record({ name, port: fc.integer({ min: 1, max: 65535 }) }));
  const listed = fc.oneof(name, name.map((text) => `*.${text}`));
  // Any text at all, as far as a path may hold it: blanks, quotes, colons, line ends, emoji.
  const path = fc.string({ unit: "binary", maxLength: 20 })
    .map((text) => parseAbsolutePath(`/${text.replaceAll("\0", "")}`));
  const few = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 3 });
  const word = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,10}$/);
  const file = word.map((name) => `/etc/keepalived/${name}.conf`);
  const seconds = (max: number) => fc.integer({ min: 0, max }).map((count) => count * 1000);
  const timeout = fc.integer({ min: 10, max: 60_000 });
  // Ports apart, so that no listener overlaps another.
  const listeners = fc.tuple(few(address), few(address), few(address)).map((all) =>
    all.map((some, i) => some.map((one, j) => ({ ...one, port: 1 + 10 * i + j })))
  );
  return record({
    webroot: fc.array(path, { minLength: 1, maxLength: 3 }),
    listeners,
    challenge: record({
      allow: fc.constantFrom("any" as const, "peers" as const),
      // Above the ports of the listeners.
      solvers: few(fc.integer({ min: 1000, max: 65535 })).map((ports) =>
        ports.map((port) => ({ hostname: "127.0.0.1", port }))
      ),
    }),
    peers: few(peer),
    lookup: record({ connect_timeout: timeout, timeout }),
    redirect: record({
      status: fc.constantFrom(...(["auto", 301, 302, 307, 308] as const)),
      hosts: few(listed),
      https_port: fc.integer({ min: 1, max: 65535 }),
    }),
    certificates: few(path),
    state: path,
    haproxy: record({ sockets: few(path.filter((text) => !/,|\/$/.test(text))) }),
    limits: record({
      connections: fc.integer({ min: 16, max: 100_000 }),
      per_source: fc.integer({ min: 1, max: 100_000 }),
      fan_outs: fc.integer({ min: 4, max: 10_000 }),
      per_peer: fc.integer({ min: 1, max: 1000 }),
      per_suspect_peer: fc.integer({ min: 1, max: 1000 }),
    }),
    cluster: record({
      interface: word,
      nodes: fc.dictionary(word, few(ip), { maxKeys: 3, noNullPrototype: true }),
      virtual_addresses: few(record({ address: ip, router_id: fc.integer({ min: 1, max: 255 }) })),
      names: few(listed),
      virtual_router_id: fc.integer({ min: 1, max: 255 }),
      unicast: fc.constant(false),
      preempt_delay: seconds(1000),
      include: few(file),
      public_addresses: few(ip),
      email: fc.option(name.filter((host) => /[a-z]/.test(host)).map((host) => `ops@${host}`)),
      backends: few(peer),
      backend_check: fc.webPath().map((text) => `/${text.replaceAll(/[^A-Za-z0-9/._~-]/g, "")}`),
      backend_tls: fc.boolean(),
      backend_ca: path,
      backend_name: fc.oneof(fc.constant(null), fc.constant(false as const), name),
      hsts: seconds(10_000),
    }),
    fronts: few(fc.constantFrom("192.0.2.1", "192.0.2.0/24", "2001:db8::/32", "::1", "0.0.0.0/0")),
  }).map(({ listeners: [open, own, metrics], challenge, fronts, ...rest }) => ({
    ...rest,
    public: { listen: open!, proxy_protocol: fronts },
    challenge: { ...challenge, listen: own! },
    metrics: { listen: metrics! },
  })).filter((config) => clusterMistakes(config).length === 0);
}

Deno.test("describeConfig() of any configuration reads back as the same", () => {
  fc.assert(
    fc.property(anyConfig(), (any) => {
      assert.deepEqual(config(formatYaml(describeConfig(any))), any);
    }),
    { numRuns: 500 },
  );
});

Deno.test("withFlags() lets flags win, key by key", () => {
  const merged = withFlags(config(FULL), {
    webroot: ["/srv/acme"],
    publicListen: [{ hostname: "::", port: 81 }],
    metricsListen: [],
    httpsPort: 444,
  });
  assert.deepEqual(merged.metrics.listen, []);
  assert.deepEqual(merged.webroot, ["/srv/acme"]);
  assert.deepEqual(merged.public.listen, [{ hostname: "::", port: 81 }]);
  assert.deepEqual(merged.redirect.https_port, 444);
  assert.deepEqual(merged.redirect.hosts, ["service.example", "*.b.example"]);
  assert.deepEqual(merged.peers, config(FULL).peers);
  assert.deepEqual(withFlags(config(FULL), {}), config(FULL));
});

Deno.test("doubtsOf() warns of values that are allowed but probably not intended", () => {
  const here = ["2001:db8::f001", "192.0.2.11"];
  const table: [string, string[]][] = [
    ["", []],
    [`peers: ["[2001:db8::f001]:31080", "[2001:db8::f002]:31080"]`, []],
    [`peers: ["[2001:db8:0::f001]:80"]`, [
      "peers[0]: [2001:db8::f001]:80 is a public address of this balancer; " +
      "peers are asked at their challenge port",
    ]],
    [`peers: ["192.0.2.11:31080", "192.0.2.12:80"]`, [
      "peers[1]: 192.0.2.12:80 has the port of the public listener; " +
      "peers are asked at their challenge port",
    ]],
    [`peers: ["192.0.2.11:31081"]`, [
      "peers[0]: 192.0.2.11:31081 is this machine, whose challenge port listens on [::]:31080",
    ]],
    [
      `peers: ["[2001:db8::1]:31080", "192.0.2.11:31080"]\ncluster: { virtual_addresses: ["2001:db8::1"] }`,
      [
        "peers[0]: [2001:db8::1]:31080 is a virtual address, which moves; give the balancer's own",
      ],
    ],
    // The same when the challenge port listens only on the balancer's own address.
    [
      `challenge: { listen: ["[2001:db8::f001]:31080"] }\n` +
      `peers: ["[2001:db8::1]:31080", "[2001:db8::f001]:31080"]\n` +
      `cluster: { virtual_addresses: ["2001:DB8::1"] }`,
      [
        "peers[0]: [2001:db8::1]:31080 is a virtual address, which moves; give the balancer's own",
      ],
    ],
    [`peers: ["192.0.2.11:31080", "192.0.2.12:31080", "192.0.2.12:31080"]`, [
      "peers[2]: 192.0.2.12:31080 is there twice",
    ]],
    ["lookup: { timeout: 5s }", []],
    ["lookup: { timeout: 6s }", [
      "lookup.timeout: the CA's budget is near 10s in all; 6s uses most of it",
    ]],
    ["lookup: { timeout: 10s }", [
      "lookup.timeout: the CA gives up near 10s, so a peer never has 10s",
    ]],
    ["lookup: { connect_timeout: 3s }", [
      "lookup.connect_timeout: longer than lookup.timeout (2s), which ends first",
    ]],
  ];
  for (const [text, expected] of table) {
    assert.deepEqual(doubtsOf(config(text), here), expected, text);
  }
});

Deno.test("ownPeers() are the peers at which this machine's challenge port listens", () => {
  const here = ["2001:db8::f001", "192.0.2.11", "127.0.0.1"];
  const peers =
    `peers: ["[2001:db8:0::f001]:31080", "192.0.2.11:31080", "192.0.2.11:31081", "192.0.2.12:31080"]`;
  const own = (text: string) => ownPeers(config(`${peers}\n${text}`), here).map(formatPeer);
  assert.deepEqual(own(""), ["[2001:db8::f001]:31080", "192.0.2.11:31080"]);
  assert.deepEqual(own('challenge: { listen: ["[2001:db8::f001]:31080"] }'), [
    "[2001:db8::f001]:31080",
  ]);
});

Deno.test("configWarnings() warns of a webroot that others may write to, or replace", async () => {
  await using folder = await temporaryFolder();
  const base = folder.path;
  const [parent, webroot] = [`${base}/acme`, `${base}/acme/challenge`];
  await Deno.mkdir(webroot, { recursive: true });
  const warnings = () => configWarnings(config(`webroot: ${webroot}`));
  const table: [number, number, RegExp | undefined][] = [
    [0o755, 0o755, undefined],
    [0o755, 0o770, undefined],
    [0o755, 0o777, /challenge may be written by others \(mode 777\).*chmod o-w .*challenge$/],
    [0o755, 0o1777, /challenge may be written by others/],
    [0o777, 0o755, /acme may be written by others/],
    [0o1777, 0o755, undefined],
  ];
  for (const [parentMode, webrootMode, expected] of table) {
    await Deno.chmod(parent, parentMode);
    await Deno.chmod(webroot, webrootMode);
    const got = await warnings();
    const name = `${parentMode.toString(8)} ${webrootMode.toString(8)}: ${got}`;
    if (expected) assert.ok(got.length === 1 && expected.test(got[0]!), name);
    else assert.deepEqual(got, [], name);
  }
  await Deno.remove(webroot);
  assert.ok(/challenge does not exist yet/.test((await warnings())[0]!));
  await Deno.writeTextFile(webroot, "");
  assert.ok(/challenge is not a directory/.test((await warnings())[0]!));
});
