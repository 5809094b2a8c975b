/** The whole report: what one answer says about another path, and what belongs to no path. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import type { Replies } from "../../lib/self_test/ask_paths.ts";
import type { SelfTestReport } from "../../lib/self_test/findings.ts";
import { type Evidence, selfTestReport } from "../../lib/self_test/self_test_report.ts";
import { dnsFindings } from "../../lib/self_test/dns_findings.ts";
import { planPaths } from "../../lib/self_test/paths.ts";
import { answer, NOW, silence, TEXT } from "./evidence.ts";

const CONFIG = `
peers: ["[2001:db8::f001]:31080", "[2001:db8::f002]:31080"]
cluster:
  nodes: { lb0: ["2001:db8::f001", "192.0.2.11"], lb1: ["2001:db8::f002", "192.0.2.12"] }
`;
const PAGE = "/page";
const DIGEST = "0011223344556677";
const SHARED = { date: new Date(NOW).toUTCString(), "acme-lb-config": DIGEST };

/** All is well, but for the replies at the addresses given. */
function report(
  amiss: Record<string, Partial<Replies>> = {},
  { config: text = CONFIG, ...more }: Partial<Omit<Evidence, "config">> & { config?: string } = {},
): SelfTestReport {
  const config = parseConfig(text, "config.yaml");
  const peers = config.peers.filter((peer) => "hostname" in peer);
  const paths = planPaths({ config, records: new Map(), peers, machine: ["2001:db8::f001"] });
  const replies = paths.map(({ port, address, own, host }): Replies => {
    const well = port === "challenge"
      ? { token: own ? answer(200, TEXT) : answer(404), unknown: answer(404, "", SHARED) }
      : {
        token: answer(200, TEXT),
        unknown: answer(404),
        redirect: answer(301, "", { location: `https://${host}${PAGE}` }),
      };
    const other = amiss[`${port} ${address.hostname}`];
    return other?.token && "fault" in other.token ? { token: other.token } : { ...well, ...other };
  });
  return selfTestReport({
    ...{ config, paths, replies, text: TEXT, webroot: "/w", file: "config.yaml", digest: DIGEST },
    ...{ records: new Map(), unresolved: [], lifetimeMs: 90 * 86_400_000, places: [], here: [] },
    machine: ["2001:db8::f001", "192.0.2.11"],
    questions: { token: "token", unknown: "unknown", page: PAGE },
    ...more,
  });
}

function texts({ paths, findings }: SelfTestReport): string[] {
  return [...paths.flatMap((path) => path.findings), ...findings]
    .filter(({ level }) => level !== "note")
    .map(({ level, rule, about, text }) => `${level} ${rule}${about ? ` ${about}` : ""}: ${text}`);
}

Deno.test("selfTestReport() has no fault when all is well, and shows the calculation of the weekly limit", () => {
  const well = report();
  assert.deepEqual([well.ok, texts(well), well.token], [true, [], "token"]);
  assert.deepEqual(well.findings.map(({ level, rule }) => [level, rule]), [[
    "note",
    "weekly_limit",
  ]]);
  assert.match(well.findings[0]!.text, /^2 balancers, /);
});

Deno.test("selfTestReport() distinguishes a stopped acme-lb from a wrong port by port 80 of the same machine", () => {
  const refused = { token: silence("refused") };
  const port = texts(report({ "challenge 2001:db8::f002": refused }));
  assert.match(port.join(), /^fail refused: nothing listens on port 31080, though the machine/);
  const stopped = texts(report({
    "challenge 2001:db8::f002": refused,
    "public 2001:db8::f002": refused,
    "public 192.0.2.12": refused,
  }));
  assert.deepEqual(stopped.length, 3);
  assert.match(stopped[0]!, /^fail refused: the machine is up, but acme-lb is not running on it/);
  assert.match(stopped[1]!, /^fail refused: nothing listens on port 80 there; start acme-lb/);
});

Deno.test("selfTestReport() distinguishes a machine that is down from a firewall", () => {
  const silent = { token: silence("timeout") };
  assert.match(
    texts(report({ "challenge 2001:db8::f002": silent })).join(),
    /drops packets to port 31080/,
  );
  assert.match(
    texts(report({ "public 192.0.2.12": silent })).join(),
    /drops packets to port 80, while the chall/,
  );
  const down = texts(report({
    "challenge 2001:db8::f002": silent,
    "public 2001:db8::f002": silent,
    "public 192.0.2.12": silent,
  }));
  assert.match(
    down.join("\n"),
    /no answer on any port.*\n.*is the machine up.*\n.*is the machine up/,
  );
});

Deno.test("selfTestReport() counts a machine as up when a port hangs or another challenge port answers", () => {
  const hung = { token: silence("timeout", true) };
  const refused = { token: silence("refused") };
  const found = texts(report({
    "challenge 2001:db8::f002": refused,
    "public 2001:db8::f002": hung,
    "public 192.0.2.12": refused,
  }));
  assert.match(found[0]!, /^fail refused: nothing listens on port 31080, though the machine/);
  const config =
    'peers: ["[2001:db8::f001]:31080", "192.0.2.12:31080", "[2001:db8::f002]:31080"]\n' +
    'cluster: { nodes: { lb1: ["2001:db8::f002", "192.0.2.12"] } }';
  const two = texts(report({
    "challenge 2001:db8::f002": refused,
    "public 2001:db8::f002": refused,
    "public 192.0.2.12": refused,
  }, { config }));
  assert.match(two[0]!, /^fail refused: nothing listens on port 31080, though the machine/);
});

Deno.test("selfTestReport() does not count a dead challenge port as up", () => {
  const found = texts(report({
    "challenge 2001:db8::f002": { token: silence("refused") },
    "public 192.0.2.12": { token: silence("timeout") },
  }));
  assert.match(
    found[1]!,
    /^fail timeout: a firewall drops packets to port 80 of IPv4, while IPv6 answers/,
  );
});

Deno.test("selfTestReport() compares families, not addresses of one", () => {
  const config = 'peers: ["[2001:db8::f001]:31080"]\n' +
    "cluster: { nodes: { lb1: [192.0.2.12, 192.0.2.13] } }";
  const found = texts(report({ "public 192.0.2.12": { token: silence("refused") } }, { config }));
  assert.match(found.join(), /^fail refused: nothing listens on port 80 there; start acme-lb/);
});

Deno.test("selfTestReport() counts balancers by nodes and by peers, whichever are more", () => {
  const count = (config: string) => /^\d+/.exec(report({}, { config }).findings.at(-1)!.text)![0];
  const nodes = "cluster: { nodes: { a: [192.0.2.1], b: [192.0.2.2], c: [192.0.2.3] } }";
  assert.deepEqual(count(`peers: ["192.0.2.1:31080"]\n${nodes}`), "3");
  assert.deepEqual(count('peers: ["192.0.2.1:31080", "192.0.2.1:31081", "192.0.2.2:31080"]'), "2");
  assert.deepEqual(count(""), "1");
});

Deno.test("selfTestReport() reports IPv4 that fails while IPv6 of the same node answers", () => {
  const found = texts(report({ "public 192.0.2.12": { token: silence("refused") } }));
  assert.match(
    found.join(),
    /^fail refused: nothing listens on port 80 of IPv4, while IPv6 answers/,
  );
});

Deno.test("selfTestReport() names one webroot as the cause of every path that does not find the token", () => {
  const absent = { token: answer(404) };
  const found = texts(report({
    "challenge 2001:db8::f001": absent,
    "public 2001:db8::f001": absent,
    "public 192.0.2.11": absent,
  }));
  assert.match(found[0]!, /does not serve the token in \/w/);
  for (const text of found.slice(1)) {
    assert.match(text, /as this balancer itself does not give the token/);
  }
});

Deno.test("selfTestReport() accepts a 504 for an unknown token only while a peer is not well", () => {
  const unknown = { unknown: answer(504) };
  assert.deepEqual(texts(report({ "public 2001:db8::f001": unknown })).length, 1);
  const found = texts(report({
    "public 2001:db8::f001": unknown,
    "challenge 2001:db8::f002": { token: silence("timeout") },
  }));
  assert.deepEqual(found.length, 1);
  assert.match(found[0]!, /^fail timeout: a firewall/);
  const failing = { "challenge 2001:db8::f002": { token: answer(500) } };
  assert.deepEqual(texts(report({ "public 2001:db8::f001": unknown, ...failing })).length, 1);
  const nameless = report({ "public 2001:db8::f001": unknown }, { unresolved: ["lb2.example"] });
  assert.deepEqual(texts(nameless).length, 1);
});

Deno.test("selfTestReport() compares clock and configuration only at challenge ports", () => {
  const late = { ...SHARED, date: new Date(NOW - 600_000).toUTCString() };
  const stale = { ...SHARED, "acme-lb-config": "8899aabbccddeeff" };
  const found = report({
    "challenge 2001:db8::f001": { unknown: answer(404, "", stale) },
    "challenge 2001:db8::f002": { unknown: answer(404, "", late) },
    "public 2001:db8::f001": { unknown: answer(404, "", { ...late, ...stale }) },
  });
  assert.deepEqual(found.ok, false);
  assert.deepEqual(texts(found).map((text) => text.split(";")[0]), [
    "fail configuration: acme-lb runs here with another configuration than config.yaml",
    "fail clock: its clock is 10 min behind the one here",
  ]);
});

Deno.test("selfTestReport() accepts a peer that is not acme-lb, with a note", () => {
  const nginx = report({
    "challenge 2001:db8::f002": { unknown: answer(404, "", { date: SHARED.date }) },
  });
  assert.deepEqual([nginx.ok, texts(nginx)], [true, []]);
  const [finding] = nginx.paths[1]!.findings;
  assert.deepEqual([finding?.level, finding?.rule], ["note", "configuration"]);
});

Deno.test("selfTestReport() says that this balancer is none of the peers, and that a peer has no address", () => {
  const config = 'peers: ["[2001:db8::f001]:31081", "[2001:db8::f002]:31080"]';
  assert.match(
    texts(report({}, { config })).join(),
    /^fail not_a_peer peers: no entry is this machine/,
  );
  // A single balancer needs no peers.
  assert.deepEqual(texts(report({}, { config: "challenge: { listen: [] }" })), []);
  const found = texts(report({}, { unresolved: ["lb2.example"] }));
  assert.match(found.join(), /^fail unresolved dns:lb2\.example: this name does not resolve here/);
});

Deno.test("selfTestReport() does not count warnings as failures", () => {
  const slow = report({ "public 192.0.2.11": { token: { ...answer(200, TEXT), ms: 6000 } } });
  assert.deepEqual([slow.ok, texts(slow).length], [true, 1]);
  assert.ok(report({}, { lifetimeMs: 3_600_000 }).ok);
});

Deno.test("dnsFindings() names wildcards, names without addresses, and families that are missing", () => {
  const cluster = {
    ...parseConfig(CONFIG, "config.yaml").cluster,
    names: ["*.example", "none.example", "six.example", "four.example", "both.example"],
  };
  const records = new Map([
    ["none.example", { addresses: [], reason: "no records" }],
    ["six.example", { addresses: ["2001:db8::1"] }],
    ["four.example", { addresses: ["192.0.2.1"] }],
    ["both.example", { addresses: ["192.0.2.1", "2001:db8::1"] }],
  ]);
  const found = (addresses: string[]) =>
    dnsFindings(records, {
      peers: [],
      cluster: {
        ...cluster,
        virtual_addresses: addresses.map((address, i) => ({ address, router_id: i + 1 })),
      },
    })
      .filter(({ level }) => level !== "note")
      .map(({ level, rule, about }) => `${level} ${rule} ${about}`);
  const always = ["warn wildcard *.example", "fail unresolved none.example"];
  const both = [...always, "warn one_family six.example", "warn one_family four.example"];
  // By the virtual addresses, where there are any: nodes have both families in this cluster.
  assert.deepEqual(found([]), both);
  assert.deepEqual(found(["192.0.2.1", "2001:db8::1"]), both);
  assert.deepEqual(found(["2001:db8::1"]), [...always, "warn one_family four.example"]);
  assert.deepEqual(found(["192.0.2.1"]), [...always, "warn one_family six.example"]);
});

Deno.test("selfTestReport() blames no family for one virtual address, while others of it answer", () => {
  const config = 'peers: ["[2001:db8::f001]:31080"]\ncluster: { virtual_addresses: ' +
    '["2001:db8::1", "2001:db8::2", 192.0.2.1, 192.0.2.2] }';
  const refused = { token: silence("refused") };
  const one = texts(report({ "public 2001:db8::1": refused }, { config }));
  assert.match(one.join(), /^fail refused: nothing listens on port 80 there; start acme-lb/);
  const all = { "public 2001:db8::1": refused, "public 2001:db8::2": refused };
  assert.match(texts(report(all, { config }))[0]!, /port 80 of IPv6, while IPv4 answers/);
});
