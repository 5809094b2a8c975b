/**
 * Mistakes in the configuration: each gets the line that an operator reads at 3 a.m., with file,
 * line, column and what to do, and `acme-lb serve` refuses to start with 78.
 */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** Should it start in spite of a mistake, it shall take nobody's port. */
const HARMLESS = ["--public-listen", "--challenge-listen"].flatMap((flag) => [flag, "127.0.0.1:0"]);

/** [what is wrong, the file, what is printed after its name] */
const MISTAKES: [string, string, string[]][] = [
  ["an unknown key", "webroots: /run/acme\n", [
    "1:1: webroots: unknown key; did you mean webroot?",
  ]],
  ["an unknown key in a section", "lookup:\n  conect_timeout: 1s\n", [
    "2:3: lookup.conect_timeout: unknown key; did you mean connect_timeout?",
  ]],
  ["an unknown key without a near one", "public:\n  colour: blue\n", [
    "2:3: public.colour: unknown key; the keys here are listen, proxy_protocol",
  ]],
  ["__proto__", "__proto__: {}\n", [
    "1:1: __proto__: unknown key; the keys here are webroot, public, challenge, peers, lookup, redirect, metrics, certificates, state, haproxy, limits, cluster",
  ]],
  ["an address without quotes", "public:\n  listen: [[::]:80]\n", [
    '2:12: an address must be in quotes: "[::]:80"',
  ]],
  ["an address without quotes in a block list", "peers:\n  - [2001:db8::f001]:31080\n", [
    '2:5: an address must be in quotes: "[2001:db8::f001]:31080"',
  ]],
  ["a star for all addresses", "public:\n  listen: *:80\n", [
    '2:11: an address must be in quotes: "[::]:80"',
  ]],
  ["an address without a port", 'peers:\n  - "[2001:db8::f001]"\n', [
    '2:5: peers[0]: expected [IPv6]:port, IPv4:port or dns:name:port, got "[2001:db8::f001]"',
  ]],
  ["an IPv6 address without brackets", 'peers: ["2001:db8::f001:31080"]\n', [
    '1:9: peers[0]: expected [IPv6]:port, IPv4:port or dns:name:port, got "2001:db8::f001:31080"',
  ]],
  ["a port out of range", 'challenge:\n  listen: ["[::]:70000"]\n', [
    '2:12: challenge.listen[0]: port 70000 is not between 0 and 65535, got "[::]:70000"',
  ]],
  ["port 0 of a peer", 'peers: ["192.0.2.11:0"]\n', [
    '1:9: peers[0]: port 0 is not a port that can be asked; give the peer\'s real port, got "192.0.2.11:0"',
  ]],
  ["a broken IPv4 address", 'peers: ["192.0.2.256:31080"]\n', [
    '1:9: peers[0]: "192.0.2.256" is not an IPv4 address, got "192.0.2.256:31080"',
  ]],
  ["a zone on a global address", 'peers: ["[2001:db8::1%eth0]:31080"]\n', [
    '1:9: peers[0]: "2001:db8::1%eth0" is not an IPv6 address, got "[2001:db8::1%eth0]:31080"',
  ]],
  ["a host name without dns:", "peers: [lb1.example:31080]\n", [
    '1:9: peers[0]: expected an address; for a host name write dns:lb1.example:31080, got "lb1.example:31080"',
  ]],
  ["a bad host name after dns:", "peers: ['dns:lb_1.example:31080']\n", [
    '1:9: peers[0]: "lb_1.example" is not a host name, got "dns:lb_1.example:31080"',
  ]],
  ["a duration without a unit", "lookup:\n  timeout: 2\n", [
    "2:12: lookup.timeout: expected a duration such as 500ms or 2s, got 2",
  ]],
  ["a duration with a wrong unit", "lookup:\n  timeout: 2sec\n", [
    '2:12: lookup.timeout: expected a duration such as 500ms, 2s, 5m, 48h or 30d, got "2sec"',
  ]],
  ["a duration out of range", "lookup:\n  timeout: 5m\n", [
    '2:12: lookup.timeout: expected a duration from 10ms to 60s, got "5m"',
  ]],
  ["a relative webroot", "webroot: acme-challenge\n", [
    '1:10: webroot: expected an absolute path, got "acme-challenge"',
  ]],
  ["an empty list of webroots", "webroot: []\n", [
    "1:10: webroot: expected at least one entry, got an empty list",
  ]],
  ["a number for a path", "webroot: 5\n", ["1:10: webroot: expected an absolute path, got 5"]],
  ["text for a list", "peers: 2001\n", [
    '1:8: peers: expected a list such as ["[2001:db8::f001]:31080"], got 2001',
  ]],
  ["a list for a section", "lookup: [1s, 2s]\n", [
    "1:9: lookup: expected lines of `key: value`, got a list",
  ]],
  ["an unknown word", "challenge:\n  allow: peer\n", [
    '2:10: challenge.allow: expected any or peers, got "peer"',
  ]],
  ["a wrong redirect status", "redirect:\n  status: 303\n", [
    "2:11: redirect.status: expected auto, 301, 302, 307 or 308, got 303",
  ]],
  ["a host with a port", "redirect:\n  hosts: ['service.example:80']\n", [
    '2:11: redirect.hosts[0]: expected a host name, *.suffix or [IPv6], without port, got "service.example:80"',
  ]],
  ["a wildcard in the middle", "redirect:\n  hosts: ['a.*.example']\n", [
    '2:11: redirect.hosts[0]: expected a host name, *.suffix or [IPv6], without port, got "a.*.example"',
  ]],
  ["a fraction", "limits:\n  connections: 4096.5\n", [
    "2:16: limits.connections: expected a whole number from 16 to 100000, got 4096.5",
  ]],
  ["text for a number", "limits:\n  per_source: many\n", [
    '2:15: limits.per_source: expected a whole number from 1 to 100000, got "many"',
  ]],
  [
    "too many peers",
    `peers: [${Array.from({ length: 65 }, (_, i) => `"192.0.2.${i}:31080"`).join(", ")}]\n`,
    ["1:8: peers: expected at most 64 entries, got 65"],
  ],
  ["a tab", "lookup:\n\ttimeout: 2s\n", ["2:1: indented with a tab; YAML allows only spaces"]],
  ["a key twice", "webroot: /a\nwebroot: /b\n", ["2:1: the key webroot is there twice"]],
  ["an alias", "a: &x [1]\nb: *x\n", ["2:4: *x is a YAML alias, which is not allowed here"]],
  ["an open bracket", "peers: ['192.0.2.1:31080'\nwebroot: /a\n", [
    "2:1: a [ further up is not closed",
  ]],
  ["an open quote", 'webroot: "/run\npeers: []\n', ['3:1: a " further up is not closed']],
  ["wrong indentation", "lookup:\n  timeout: 2s\n connect_timeout: 1s\n", [
    "3:1: indented differently from the lines that it belongs to",
  ]],
  ["two documents", "webroot: /a\n---\nwebroot: /b\n", [
    "2:1: a second document begins here; a file holds one",
  ]],
  ["no keys at all", "hello\n", ['1:1: expected lines of `key: value`, got "hello"']],
  ["two mistakes, in the order of the lines", "redirect:\n  https_port: 0\nwebrot: /x\n", [
    "2:15: redirect.https_port: expected a whole number from 1 to 65535, got 0",
    "3:1: webrot: unknown key; did you mean webroot?",
  ]],
];

/** Files that are wrong as a whole. */
const FILES: [string, Uint8Array<ArrayBuffer>, string][] = [
  [
    "not UTF-8",
    latin1("webroot: /a\npeers: [caf\xe9]\n"),
    ":2:12: not UTF-8 text; save the file in that encoding",
  ],
  [
    "larger than a configuration is",
    new Uint8Array(65 * 1024).fill(35),
    ": larger than 65536 bytes; is it the right file?",
  ],
];

function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** What `acme-lb serve --config FILE` prints and returns. */
async function serveWith(path: string): Promise<{ code: number; lines: string[] }> {
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", MAIN, "serve", "--config", path, ...HARMLESS],
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(20_000),
    stdout: "null",
    stderr: "piped",
  }).output();
  return { code, lines: new TextDecoder().decode(stderr).trimEnd().split("\n") };
}

Deno.test("serve refuses each mistake in its configuration with file, line, column and remedy", async () => {
  await using folder = await temporaryFolder();
  const dir = folder.path;
  for (const [name, text, expected] of MISTAKES) {
    const path = `${dir}/config.yaml`;
    await Deno.writeTextFile(path, text);
    const lines = expected.map((line) => `acme-lb: ${path}:${line}`);
    assert.deepEqual(await serveWith(path), { code: 78, lines }, name);
  }
});

Deno.test("serve refuses a file that is not a configuration", async () => {
  await using folder = await temporaryFolder();
  const dir = folder.path;
  for (const [name, bytes, reason] of FILES) {
    const path = `${dir}/config.yaml`;
    await Deno.writeFile(path, bytes);
    assert.deepEqual(
      await serveWith(path),
      { code: 78, lines: [`acme-lb: ${path}${reason}`] },
      name,
    );
  }
  const nothing = `${dir}/none.yaml`;
  assert.deepEqual(await serveWith(nothing), {
    code: 78,
    lines: [`acme-lb: ${nothing}: no such file`],
  });
  assert.deepEqual(await serveWith(dir), { code: 78, lines: [`acme-lb: ${dir}: not a file`] });
});

Deno.test("parseConfig() accepts an empty file, empty keys, a byte order mark and CRLF", () => {
  const defaults = parseConfig("", "config.yaml");
  const table = [
    "# nothing\n",
    "---\n",
    "peers:\nlookup:\n",
    "\ufeffpeers: []\n",
    "peers: []\r\nlookup:\r\n  timeout: 2s\r\n",
  ];
  for (const text of table) {
    assert.deepEqual(parseConfig(text, "config.yaml"), defaults, JSON.stringify(text));
  }
});
