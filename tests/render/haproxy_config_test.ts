/** What HAProxy is told: listeners by family, backends, and values it could not be told. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { haproxyFiles } from "../../lib/render/haproxy.ts";
import { clusterYaml } from "./cluster_yaml.ts";

const ADDRESSES = { ipv6: '"2001:db8::1"', ipv4: '"192.0.2.1"' };

interface Values {
  addresses?: string;
  backends?: string;
  more?: string;
}

function configOf({ addresses = ADDRESSES.ipv6, backends = "", more = "" }: Values) {
  return parseConfig(
    `cluster: {names: [a.example], virtual_addresses: [${addresses}], backends: [${backends}]}\n${more}`,
    "config.yaml",
  );
}

/** The lines that begin with a word. */
function lines(values: Values, word: string): string[] {
  const { text } = haproxyFiles(configOf(values))[0]!;
  return text.split("\n").map((line) => line.trim()).filter((line) => line.startsWith(`${word} `));
}

Deno.test("HAProxy listens only with TLS, on every address of the served families", () => {
  const bind = (addresses: string, more?: string) =>
    lines({ addresses, more }, "bind").filter((line) => !line.endsWith(":8404"));
  const rest = "ssl crt /etc/haproxy/certs alpn h2,http/1.1";
  const { ipv6, ipv4 } = ADDRESSES;
  assert.deepEqual(bind(`${ipv6}, ${ipv4}`), [`bind [::]:443 v4v6 ${rest}`]);
  assert.deepEqual(bind(ipv6), [`bind [::]:443 v6only ${rest}`]);
  assert.deepEqual(bind(ipv4), [`bind 0.0.0.0:443 ${rest}`]);
  assert.deepEqual(bind(ipv4, "redirect: {https_port: 8443}"), [`bind 0.0.0.0:8443 ${rest}`]);
});

Deno.test("the check for keepalived is only on loopback, in a served family", () => {
  const health = (addresses: string) =>
    lines({ addresses }, "bind").filter((line) => line.endsWith(":8404"));
  assert.deepEqual(health(ADDRESSES.ipv6), ["bind [::1]:8404"]);
  assert.deepEqual(health(ADDRESSES.ipv4), ["bind 127.0.0.1:8404"]);
});

Deno.test("the article's options and backends", () => {
  const config = parseConfig(clusterYaml({ nodes: 3, addresses: 3 }), "config.yaml");
  const { text, path } = haproxyFiles(config)[0]!;
  assert.equal(path, "/etc/haproxy/haproxy.cfg");
  const tls = "check ssl verify required ca-file /etc/haproxy/backend-ca.pem " +
    "sni str(service.example) check-sni service.example";
  for (
    const line of [
      "mode http",
      "option httplog",
      "option forwardfor",
      "default_backend be-service",
      "balance roundrobin",
      "cookie SERVERID insert indirect nocache httponly secure",
      "option httpchk",
      "http-check send meth GET uri /status ver HTTP/1.1 hdr Host service.example",
      `server be1 [2001:db8::b001]:443 ${tls} cookie be1`,
      `server be2 192.0.2.201:8443 ${tls} cookie be2`,
      "stats socket /run/haproxy/admin.sock mode 600 level admin",
    ]
  ) assert.ok(text.split("\n").includes(`  ${line}`), line);
  assert.match(
    text,
    /self-signed .* --name www\.service\.example --out \S+\/www\.service\.example/,
  );
});

Deno.test("backends without TLS, with names, and IPv4 in an IPv6 spelling", () => {
  const server = (backends: string, more = "") =>
    lines({ backends, more }, "server").map((line) => line.replace(/ (?:check|ssl) .*/, ""));
  assert.deepEqual(server('"[::ffff:192.0.2.9]:80"'), ["server be1 192.0.2.9:80"]);
  assert.deepEqual(server('"dns:be.example:80"'), ["server be1 be.example:80"]);

  const plain = parseConfig(
    `cluster: {backends: ["192.0.2.9:80", "dns:be.example:80"], backend_tls: false, backend_check: "/up?a=1"}`,
    "config.yaml",
  );
  const { text } = haproxyFiles(plain)[0]!;
  assert.match(text, /^ {2}server be1 192\.0\.2\.9:80 check cookie be1$/m);
  assert.match(
    text,
    /^ {2}server be2 be\.example:80 check resolvers system init-addr libc,none cookie be2$/m,
  );
  assert.match(text, /^resolvers system$/m);
  assert.match(text, /GET uri \/up\?a=1 ver HTTP\/1\.1 hdr Host localhost$/m);
});

Deno.test("backends are sent a name, which their certificates must have, unless there is none", () => {
  const words = (more: string) => {
    const config = parseConfig(
      `cluster: {virtual_addresses: ["192.0.2.1"], backends: ["192.0.2.9:443"], ${
        more.startsWith("names") ? more : `names: [a.example], ${more}`
      }}`,
      "config.yaml",
    );
    const { text } = haproxyFiles(config)[0]!;
    const server = /^ {2}server be1 (.*)$/m.exec(text)![1]!;
    return { sni: / sni (\S+) check-sni (\S+) /.exec(server)?.slice(1), text };
  };
  const table: [string, string | undefined][] = [
    ["", "a.example"],
    ["backend_name: null", "a.example"],
    ["backend_name: Be.Example", "be.example"],
    ["backend_name: false", undefined],
    ["backend_tls: false", undefined],
    ['names: ["*.b.example"]', "b.example"],
    ['names: ["192.0.2.1"]', undefined],
    ['names: ["[2001:db8::1]"]', undefined],
  ];
  for (const [more, name] of table) {
    const { sni, text } = words(more);
    assert.deepEqual(sni, name && [`str(${name})`, name], more);
    const said = /must stand in their certificates/.test(text);
    assert.equal(said, name !== undefined, more);
  }
});

Deno.test("Strict-Transport-Security is sent when the cluster asks for it, and only then", () => {
  const age = (hsts: string) => {
    const config = parseConfig(`cluster: {names: [a.example], hsts: ${hsts}}`, "config.yaml");
    return /Strict-Transport-Security max-age=(\d+) /.exec(haproxyFiles(config)[0]!.text)?.[1];
  };
  const table: [string, string | undefined][] = [
    ["", undefined],
    ["false", undefined],
    ["0s", undefined],
    ["true", "31536000"],
    ["30d", "2592000"],
    ["5m", "300"],
  ];
  for (const [hsts, expected] of table) assert.equal(age(hsts), expected, hsts);
});

Deno.test("a path with special characters is quoted", () => {
  const socket = (path: string) => `haproxy: {sockets: [${JSON.stringify(path)}]}`;
  assert.deepEqual(lines({ more: socket('/run/a b$c"#\\d') }, "stats"), [
    `stats socket '/run/a b$c"#\\d' mode 600 level admin`,
  ]);
});

Deno.test("what uses HAProxy's runtime API uses the socket of the configuration, and can reach it", () => {
  const table: [string, { stats: string; order: string; network: string[] }][] = [
    ["", {
      stats: "/run/haproxy/admin.sock",
      order: "/run/haproxy/admin.sock",
      network: ["PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX"],
    }],
    ["haproxy: {sockets: [/run/a b.sock, '127.0.0.1:9999']}", {
      stats: "'/run/a b.sock'",
      order: "'/run/a b.sock'",
      network: ["PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX"],
    }],
    ["haproxy: {sockets: ['127.0.0.1:9999']}", {
      stats: "127.0.0.1:9999",
      order: "TCP:127.0.0.1:9999",
      network: ["RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"],
    }],
  ];
  for (const [more, { stats, order, network }] of table) {
    const [cfg, unit] = haproxyFiles(configOf({ more }), { acme: true });
    assert.ok(cfg!.text.includes(`\n  stats socket ${stats} mode 600 level admin\n`), more);
    assert.ok(cfg!.text.includes(`"acme renew @acme-lb/a.example" | socat - ${order}\n`), more);
    const said = unit!.text.match(/^(?:PrivateNetwork|RestrictAddressFamilies)=.*$/gm);
    assert.deepEqual(said, network, more);
  }
});

Deno.test("the unit that saves HAProxy's certificate may leave how it ended, as a hook does", () => {
  const unit = (more: string, configFile?: string) =>
    haproxyFiles(configOf({ more }), { acme: true, here: { configFile } })[1]!.text;
  assert.match(unit(""), /^ReadWritePaths=\/etc\/haproxy\/certs -\/var\/lib\/acme-lb$/m);
  assert.match(unit(""), /^ExecStart=\S+ assemble-pem --from-haproxy /m);
  const other = unit("state: /srv/a b", "/srv/lb$.yaml");
  assert.match(other, /^ReadWritePaths=\/etc\/haproxy\/certs "-\/srv\/a b"$/m);
  assert.match(other, /^ExecStart=\S+ assemble-pem --config \/srv\/lb\$\$\.yaml --from-haproxy /m);
});
