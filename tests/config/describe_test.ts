/** What check-config prints reads back as the same configuration, and its warnings. */

import { deepStrictEqual, ok } from "node:assert/strict";
import { describeConfig } from "../../lib/config/describe.ts";
import { withFlags } from "../../lib/config/flags.ts";
import { parseConfig } from "../../lib/config/load.ts";
import { configWarnings, judgeConfig } from "../../lib/config/warnings.ts";
import { formatYaml } from "../../lib/yaml.ts";

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
  virtual_addresses: ["2001:db8::1"]
  names: [service.example]
  backends: ["[2001:db8::b001]:443"]
`;

const config = (text: string) => parseConfig(text, "config.yaml");

Deno.test("describeConfig() reads back as the configuration it describes", () => {
  for (const text of ["", FULL]) {
    const read = config(text);
    deepStrictEqual(config(formatYaml(describeConfig(read))), read);
  }
});

Deno.test("withFlags() lets flags win, key by key", () => {
  const merged = withFlags(config(FULL), {
    webroot: ["/srv/acme"],
    publicListen: [{ hostname: "::", port: 81 }],
    httpsPort: 444,
  });
  deepStrictEqual(merged.webroot, ["/srv/acme"]);
  deepStrictEqual(merged.public.listen, [{ hostname: "::", port: 81 }]);
  deepStrictEqual(merged.redirect.https_port, 444);
  deepStrictEqual(merged.redirect.hosts, ["service.example", "*.b.example"]);
  deepStrictEqual(merged.peers, config(FULL).peers);
  deepStrictEqual(withFlags(config(FULL), {}), config(FULL));
});

Deno.test("judgeConfig() warns of what is allowed but hardly meant", () => {
  const here = ["2001:db8::f001", "192.0.2.11"];
  const table: [string, string[]][] = [
    ["", []],
    [`peers: ["[2001:db8::f001]:31080", "[2001:db8::f002]:31080"]`, []],
    [`peers: ["[2001:db8:0::f001]:80"]`, [
      "peers[0]: [2001:db8::f001]:80 is a public address of this balancer; " +
      "peers are asked at their challenge port",
    ]],
    [`peers: ["192.0.2.12:80"]`, [
      "peers[0]: 192.0.2.12:80 has the port of the public listener; " +
      "peers are asked at their challenge port",
    ]],
    [`peers: ["192.0.2.11:31081"]`, [
      "peers[0]: 192.0.2.11:31081 is this machine, whose challenge port listens on [::]:31080",
    ]],
    [`peers: ["[2001:db8::1]:31080"]\ncluster: { virtual_addresses: ["2001:db8::1"] }`, [
      "peers[0]: [2001:db8::1]:31080 is a virtual address, which moves; give the balancer's own",
    ]],
    [`peers: ["192.0.2.12:31080", "192.0.2.12:31080"]`, [
      "peers[1]: 192.0.2.12:31080 is there twice",
    ]],
    ["lookup: { timeout: 5s }", []],
    ["lookup: { timeout: 6s }", [
      "lookup.timeout: the CA's budget is near 10s in all; 6s uses most of it",
    ]],
    ["lookup: { timeout: 10s }", [
      "lookup.timeout: the CA gives up near 10s, so 10s is never used up",
    ]],
    ["lookup: { connect_timeout: 3s }", [
      "lookup.connect_timeout: longer than lookup.timeout (2s), which ends first",
    ]],
  ];
  for (const [text, expected] of table) {
    deepStrictEqual(judgeConfig(config(text), here), expected, text);
  }
});

Deno.test("configWarnings() warns of a webroot that others may write to, or replace", async () => {
  const base = await Deno.makeTempDir();
  const [parent, webroot] = [`${base}/acme`, `${base}/acme/challenge`];
  await Deno.mkdir(webroot, { recursive: true });
  const warnings = () => configWarnings(config(`webroot: ${webroot}`));
  try {
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
      if (expected) ok(got.length === 1 && expected.test(got[0]!), name);
      else deepStrictEqual(got, [], name);
    }
    await Deno.remove(webroot);
    ok(/challenge does not exist yet/.test((await warnings())[0]!));
    await Deno.writeTextFile(webroot, "");
    ok(/challenge is not a directory/.test((await warnings())[0]!));
  } finally {
    await Deno.remove(base, { recursive: true });
  }
});
