/** Where a mistake is said to be, how many are told at once, and what a file may be. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { loadConfig } from "../../lib/config/load.ts";
import { ConfigError } from "../../lib/errors.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { mistakesIn } from "./mistakes_in.ts";

/** Every key of the configuration: [section, key]. */
const KEYS: [string, string][] = [
  ...[
    "webroot",
    "public",
    "challenge",
    "peers",
    "lookup",
    "redirect",
    "metrics",
    "certificates",
    "haproxy",
    "limits",
    "cluster",
  ].map((key) => ["", key] as [string, string]),
  ["public", "listen"],
  ["challenge", "listen"],
  ["challenge", "allow"],
  ["lookup", "connect_timeout"],
  ["lookup", "timeout"],
  ["redirect", "status"],
  ["redirect", "hosts"],
  ["redirect", "https_port"],
  ["metrics", "listen"],
  ["haproxy", "sockets"],
  ["limits", "connections"],
  ["limits", "per_source"],
  ["limits", "fan_outs"],
  ["limits", "per_peer"],
  ["limits", "per_suspect_peer"],
  ["cluster", "interface"],
  ["cluster", "nodes"],
  ["cluster", "virtual_addresses"],
  ["cluster", "names"],
  ["cluster", "virtual_router_id"],
  ["cluster", "backends"],
  ["cluster", "backend_check"],
  ["cluster", "backend_tls"],
  ["cluster", "backend_ca"],
  ...["backend_name", "email", "hsts", "include", "preempt_delay", "public_addresses", "unicast"]
    .map((key) => ["cluster", key] as [string, string]),
];

Deno.test("parseConfig() knows each key, and suggests it for a typing error", () => {
  const slips: ((word: string, at: number) => string)[] = [
    (word, at) => word.slice(0, at) + word.slice(at + 1),
    (word, at) => word.slice(0, at) + word[at] + word.slice(at),
    (word, at) => word.slice(0, at) + "q" + word.slice(at + 1),
  ];
  const slip = fc.tuple(fc.constantFrom(...KEYS), fc.constantFrom(...slips), fc.nat(20));
  fc.assert(
    fc.property(slip, fc.nat(3), ([[section, key], change, at], blank) => {
      const typo = change(key, at % key.length);
      const above = "\n".repeat(blank) + (section ? `${section}:\n` : "");
      const indent = section ? "  " : "";
      assert.deepEqual(mistakesIn(`${above}${indent}${key}:\n`), [], key);
      const line = blank + (section ? 2 : 1);
      const name = section ? `${section}.${typo}` : typo;
      assert.deepEqual(mistakesIn(`${above}${indent}${typo}:\n`), [
        `config.yaml:${line}:${indent.length + 1}: ${name}: unknown key; did you mean ${key}?`,
      ]);
    }),
    { numRuns: 500 },
  );
});

Deno.test("parseConfig() names the value found where another was expected", () => {
  const table: [string, string][] = [
    ["webroot: {a: b}", "1:10: webroot: expected an absolute path, got keys and values"],
    ["webroot: [/a, b]", '1:15: webroot[1]: expected an absolute path, got "b"'],
    ["webroot: true", "1:10: webroot: expected an absolute path, got true"],
    ['webroot: "/a\\0b"', '1:10: webroot: a path cannot hold a NUL character, got "/a\0b"'],
    [
      `webroot: ${"x".repeat(100)}`,
      `1:10: webroot: expected an absolute path, got "${"x".repeat(79)}…`,
    ],
    [
      "peers:\n  -",
      '2:4: peers[0]: expected an address such as "[2001:db8::f001]:31080", got nothing',
    ],
    [
      'public: {listen: ["[::]:80", [1]]}',
      '1:30: public.listen[1]: expected an address such as "[::]:80", got a list',
    ],
    ["public: listen:[]", '1:9: public: expected lines of `key: value`, got "listen:[]"'],
    ["webroot:/run/acme", '1:1: expected lines of `key: value`, got "webroot:/run/acme"'],
    ["- webroot: /a", "1:1: expected lines of `key: value`, got a list"],
    ["cluster: {nodes: [lb0]}", "1:18: cluster.nodes: expected lines of `key: value`, got a list"],
    [
      "cluster: {nodes: {lb0: 192.0.2.1}}",
      '1:24: cluster.nodes.lb0: expected a list such as ["2001:db8::1"], got "192.0.2.1"',
    ],
    [
      "cluster: {nodes: {lb0: ['192.0.2.1:80']}}",
      '1:25: cluster.nodes.lb0[0]: expected an IP address without port, got "192.0.2.1:80"',
    ],
    [
      "cluster: {nodes: {'lb 0': []}}",
      '1:19: cluster.nodes.lb 0: expected a name of letters, digits, dots, dashes and underscores, got "lb 0"',
    ],
    [
      "redirect: {https_port: '443'}",
      '1:24: redirect.https_port: expected a whole number from 1 to 65535, got "443"',
    ],
    [
      "limits: {connections: .inf}",
      "1:23: limits.connections: expected a whole number from 16 to 100000, got Infinity",
    ],
  ];
  for (const [text, expected] of table) {
    assert.deepEqual(mistakesIn(text), [`config.yaml:${expected}`], text);
  }
});

Deno.test("parseConfig() shows addresses without quotes at their place, and others as they are", () => {
  const table: [string, string][] = [
    ["peers: [[2001:db8::1]:31080]", '1:9: an address must be in quotes: "[2001:db8::1]:31080"'],
    [
      'peers: ["192.0.2.1:31080", [2001:db8::2]:31080]',
      '1:28: an address must be in quotes: "[2001:db8::2]:31080"',
    ],
    [
      "peers:\n  - [fe80::1%eth0]:31080",
      '2:5: an address must be in quotes: "[fe80::1%eth0]:31080"',
    ],
    ["metrics: {listen: [*:9180]}", '1:20: an address must be in quotes: "[::]:9180"'],
    ["a: *b # not [::]:80", "1:4: *b is a YAML alias, which is not allowed here"],
    ['a: *b\nc: "[::]:80"', "1:4: *b is a YAML alias, which is not allowed here"],
  ];
  for (const [text, expected] of table) {
    assert.deepEqual(mistakesIn(text), [`config.yaml:${expected}`], text);
  }
});

Deno.test("parseConfig() reports twenty mistakes in the order of the lines, and counts the rest", () => {
  const text = Array.from({ length: 25 }, (_, i) => `colour${i}: red`).join("\n");
  const lines = mistakesIn(text);
  assert.deepEqual(
    lines.slice(0, 20).map((line) => line.split(": ")[0]),
    Array.from({ length: 20 }, (_, i) => `config.yaml:${i + 1}:1`),
  );
  assert.deepEqual(lines.slice(20), ["config.yaml: and 5 more"]);
  assert.deepEqual(
    mistakesIn("colour: red\nwebroot: 5\nlookup: {timeout: 1, x: 2}\npeers: 3\n")
      .map((line) => line.split(": ").slice(0, 2).join(" ")),
    [
      "config.yaml:1:1 colour",
      "config.yaml:2:10 webroot",
      "config.yaml:3:19 lookup.timeout",
      "config.yaml:3:22 lookup.x",
      "config.yaml:4:8 peers",
    ],
  );
});

Deno.test("parseConfig() throws only ConfigError for any text", () => {
  const words = KEYS.flat().concat(
    ..."[]{}:,-*&!|>'\"#\n\t ".split("").map((sign) => [sign, `${sign} `]),
    ": ",
    "\n  ",
    "\n  - ",
    '"[::]:80"',
    "192.0.2.1:80",
    "2s",
    "/run/acme",
    "__proto__",
    "null",
    "1e999",
  );
  const text = fc.array(fc.constantFrom(...words), { maxLength: 20 }).map((all) => all.join(""));
  fc.assert(fc.property(text, (text) => void mistakesIn(text)), { numRuns: 5000 });
});

Deno.test("loadConfig() accepts a file of 64 KiB, and refuses larger, broken and non-regular files", async () => {
  await using folder = await temporaryFolder();
  const dir = folder.path;
  const path = `${dir}/config.yaml`;
  const refused = (reason: RegExp) =>
    assert.rejects(loadConfig(path), (error: Error) => {
      assert.match(error.message, reason);
      return error instanceof ConfigError;
    });
  const largest = `webroot: /srv/acme\n#${" ".repeat(65_536 - 20)}`;
  await Deno.writeTextFile(path, largest);
  assert.deepEqual((await loadConfig(path)).config.webroot, ["/srv/acme"]);
  await Deno.writeTextFile(path, `${largest} `);
  await refused(/config\.yaml: larger than 65536 bytes/);
  await Deno.writeFile(path, Uint8Array.of(0xff, 0xfe, 0x61, 0x00));
  await refused(/config\.yaml:1:1: not UTF-8 text/);
  await Deno.writeTextFile(path, "\ufeffwebrot: /a\n");
  await refused(/config\.yaml:1:1: webrot: unknown key/);
  await Deno.remove(path);
  await Deno.symlink(path, path);
  await refused(/config\.yaml: its symbolic links form a loop \(ELOOP\)$/);
  await Deno.remove(path);
  await Deno.writeTextFile(`${dir}/file`, "");
  await Deno.symlink(`${dir}/file/config.yaml`, path);
  await refused(/config\.yaml: a part of its path is not a directory \(ENOTDIR\)$/);
});
