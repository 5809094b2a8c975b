/** The last line, and what self-test does not claim: whole reports from plain answers. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import type { Reply } from "../../lib/http/ask.ts";
import type { Replies } from "../../lib/self_test/ask_paths.ts";
import type { SelfTestReport } from "../../lib/self_test/findings.ts";
import { formatReport } from "../../lib/self_test/format.ts";
import { type Evidence, selfTestReport } from "../../lib/self_test/self_test_report.ts";
import { planPaths } from "../../lib/self_test/paths.ts";
import { answer, NOW, silence, TEXT } from "./evidence.ts";

const DIGEST = "0011223344556677";
const SHARED = { date: new Date(NOW).toUTCString(), "acme-lb-config": DIGEST };
const OURS = { "content-security-policy": "default-src 'none'; sandbox" };

interface Given extends Partial<Omit<Evidence, "config" | "records">> {
  /** Of `a.example`. @default both virtual addresses */
  dns?: string[];
  names?: string[];
  /** Lines of `cluster`. */
  more?: string;
  /** Findings that replace a good result, by `port address`. */
  amiss?: Record<string, Reply>;
}

function report(
  { dns = ["192.0.2.1", "2001:db8::1"], names = ["a.example"], more = "", amiss = {}, ...rest }:
    Given,
): SelfTestReport {
  const config = parseConfig(
    `peers: ["192.0.2.11:31080", "192.0.2.12:31080"]
cluster:
  nodes: {lb0: ["192.0.2.11", "2001:db8::f1"], lb1: ["192.0.2.12", "2001:db8::f2"]}
  virtual_addresses: ["192.0.2.1", "2001:db8::1"]
  names: [${names}]
${more}`,
    "config.yaml",
  );
  const machine = rest.machine ?? ["192.0.2.11", "2001:db8::f1"];
  const records = new Map(
    names.map((
      name,
    ) => [name, dns.length > 0 ? { addresses: dns } : { addresses: [], reason: "none" }]),
  );
  const peers = config.peers.filter((peer) => "hostname" in peer);
  const paths = planPaths({ config, records, peers, machine });
  const replies = paths.map(({ port, address, own, host }): Replies => {
    const other = amiss[`${port} ${address.hostname}`];
    if (other && ("fault" in other || port === "public")) return { token: other };
    return port === "challenge"
      ? {
        token: other ?? (own ? answer(200, TEXT) : answer(404)),
        unknown: answer(404, "", SHARED),
      }
      : {
        token: answer(200, TEXT, OURS),
        unknown: answer(404, "", OURS),
        redirect: answer(301, "", { location: `https://${host}/page` }),
      };
  });
  return selfTestReport({
    ...{ config, records, paths, replies, machine, text: TEXT, webroot: "/w", file: "/c.yaml" },
    ...{ digest: DIGEST, unresolved: [], lifetimeMs: 90 * 86_400_000, places: [], here: [] },
    questions: { token: "t".repeat(43), unknown: "unknown", page: "/page" },
    ...rest,
  });
}

const found = ({ paths, findings }: SelfTestReport) =>
  [
    ...paths.flatMap((path) => path.findings.map((one) => ({ ...one, at: path.address }))),
    ...findings,
  ]
    .filter(({ rule }) => rule !== "weekly_limit")
    .map((one) => `${one.level} ${one.rule} ${"at" in one ? one.at : one.about}`);

Deno.test("the verdict says whether the CA gets its answer, through which addresses, and why not", () => {
  const refused = silence("refused");
  const table: [string, Given, string, RegExp][] = [
    ["all well", {}, "yes", /^yes: the CA gets its answer now, through 192\.0\.2\.1, 2001:db8::1$/],
    [
      "no token here",
      {
        amiss: {
          "challenge 192.0.2.11": answer(404),
          "public 192.0.2.1": answer(404, "", OURS),
          "public 2001:db8::1": answer(404, "", OURS),
        },
      },
      "no",
      /^no: .* not through 192\.0\.2\.1, 2001:db8::1; to mend first \(2 other faults may follow from it\): challenge 192\.0\.2\.11:31080: absent: acme-lb here/,
    ],
    [
      "acme-lb does not run here",
      {
        amiss: { "challenge 192.0.2.11": refused, "public 192.0.2.1": refused },
      },
      "partly",
      /not through 192\.0\.2\.1: an order fails when it asks there; to mend first \(1 other fault .*: challenge 192\.0\.2\.11:31080: refused/,
    ],
    [
      "nothing listens on port 80, and this balancer is no peer",
      {
        machine: ["192.0.2.13"],
        amiss: { "public 192.0.2.1": refused, "public 2001:db8::1": refused },
      },
      "no",
      /to mend first \(.*\): public 192\.0\.2\.1:80: refused/,
    ],
    [
      "the token is not found, and this balancer is no peer",
      {
        machine: ["192.0.2.13"],
        amiss: {
          "public 192.0.2.1": answer(404, "", OURS),
          "public 2001:db8::1": answer(404, "", OURS),
        },
      },
      "no",
      /to mend first \(.*\): peers: not_a_peer/,
    ],
    [
      "one address is dead",
      { amiss: { "public 2001:db8::1": silence("timeout") } },
      "partly",
      /^partly: the CA gets its answer through 192\.0\.2\.1, not through 2001:db8::1: an order/,
    ],
    [
      "a peer is dead",
      {
        amiss: { "challenge 192.0.2.12": refused, "public 192.0.2.1": answer(504, "", OURS) },
      },
      "partly",
      /to mend first .*: challenge 192\.0\.2\.12:31080: refused: /,
    ],
    [
      "the DNS knows nothing",
      { dns: [] },
      "partly",
      /some names have no address; to mend first: a\.example: unresolved/,
    ],
    [
      "a hosts file",
      { dns: ["127.0.1.1"] },
      "no",
      /^no: .*not through 127\.0\.1\.1; to mend first.*no_public_address/,
    ],
    [
      "behind a NAT",
      {
        dns: ["203.0.113.5"],
        more: '  public_addresses: ["203.0.113.5"]',
        amiss: { "public 203.0.113.5": silence("timeout") },
      },
      "unknown",
      /^unknown: 203\.0\.113\.5 cannot be judged from here$/,
    ],
    [
      "no IPv6 here",
      {
        machine: ["192.0.2.11"],
        amiss: { "public 2001:db8::1": silence("unreachable") },
      },
      "yes",
      /^yes: .* through 192\.0\.2\.1; 2001:db8::1 cannot be judged from here$/,
    ],
    [
      "the odd one",
      { digest: "other", amiss: {} },
      "yes",
      /^yes: .*; to mend first.*configuration/,
    ],
  ];
  for (const [name, given, expected, text] of table) {
    const result = report(given);
    assert.equal(result.verdict.answer, expected, `${name}: ${result.verdict.text}`);
    assert.match(result.verdict.text, text, name);
    assert.equal(formatReport(result).trimEnd().split("\n").at(-1), result.verdict.text, name);
  }
});

Deno.test("an own address without a name in the DNS is no failure, unless acme-lb itself answers wrongly", () => {
  const closed = (reply: Reply) => ({ amiss: { "public 192.0.2.12": reply } });
  const notes: Reply[] = [
    silence("refused"),
    silence("timeout"),
    silence("empty", true),
    answer(404, "<html>nginx"),
    answer(200, "It works"),
    answer(301, "", { location: "/" }),
  ];
  for (const reply of notes) {
    const result = report(closed(reply));
    assert.deepEqual([result.ok, result.verdict.answer], [true, "yes"], JSON.stringify(reply));
    assert.ok(
      found(result).every((line) => line.startsWith("note ")),
      JSON.stringify(found(result)),
    );
  }
  assert.equal(report(closed(answer(504, "", OURS))).ok, false);
  // The same is a fault where a name leads there, and where nothing tells what the CA asks.
  const named = report({ dns: ["192.0.2.1", "192.0.2.12"], ...closed(silence("refused")) });
  assert.deepEqual([named.ok, named.verdict.answer], [false, "partly"]);
  // A virtual address is one in any case.
  assert.equal(
    report({ amiss: { "public 2001:db8::1": silence("refused") }, dns: ["192.0.2.1"] }).ok,
    false,
  );
});

Deno.test("what cannot be asked from here is a note that says why", () => {
  const nat = '  public_addresses: ["203.0.113.5", "2001:db8:5::5"]';
  const replies: Reply[] = [
    silence("timeout"),
    silence("refused"),
    silence("unreachable"),
    answer(404, "the router's own page"),
    answer(302, "", { location: "/login" }),
  ];
  for (const reply of replies) {
    const result = report({
      dns: ["203.0.113.5"],
      more: nat,
      amiss: { "public 203.0.113.5": reply, "public 2001:db8:5::5": reply },
    });
    assert.equal(result.ok, true, JSON.stringify(found(result)));
    assert.ok(found(result).includes("note not_from_here 203.0.113.5:80"));
  }
  // With a hairpin it is judged like any other.
  assert.deepEqual(found(report({ dns: ["203.0.113.5", "2001:db8:5::5"], more: nat })), []);

  const six = report({
    machine: ["2001:db8::f1", "fe80::1", "127.0.0.1"],
    amiss: { "public 192.0.2.1": silence("unreachable") },
  });
  assert.deepEqual(found(six).filter((line) => line.endsWith(":80")), [
    "note no_family 192.0.2.1:80",
  ]);
  const both = report({ amiss: { "public 192.0.2.1": silence("unreachable") } });
  assert.deepEqual([both.ok, found(both)], [false, ["fail unreachable 192.0.2.1:80"]]);
});

Deno.test("names of one address with the same result share a line", () => {
  const names = Array.from({ length: 100 }, (_, i) => `c${i}.example`);
  const result = report({ names, amiss: { "public 192.0.2.1": silence("timeout") } });
  const lines = formatReport(result).split("\n").filter((line) => line.includes(" 192.0.2.1:80"));
  assert.equal(lines.length, 2);
  assert.match(
    lines[0]!,
    /^fail {2}public 192\.0\.2\.1:80 \(virtual address, c0\.example, c1\.example and 98 more\): timeout/,
  );
  const well = result.paths.filter(({ address }) => address === "[2001:db8::1]:80");
  assert.deepEqual(well.map(({ of }) => of.length), [101]);
});

Deno.test("a webroot whose tokens are not served is named", () => {
  const place = (directory: string, more: { reply?: Reply; reason?: string }) => ({
    ...{ webroot: "/w", directory, token: "t".repeat(43), text: TEXT, ...more },
  });
  const at = (places: Evidence["places"], amiss = {}) => {
    const result = report({ places, amiss });
    return found(result).filter((line) => line.includes("webroot"));
  };
  assert.deepEqual(at([place("/w/n", { reply: answer(200, TEXT) })]), []);
  assert.deepEqual(at([place("/w/n", { reply: answer(404) })]), ["fail webroot /w/n"]);
  assert.deepEqual(at([place("/v", { reply: answer(200, "other") })]), ["fail webroot /v"]);
  assert.deepEqual(at([place("/v", { reply: silence("timeout") })]), ["fail webroot /v"]);
  assert.deepEqual(at([place("/v", { reason: "permission denied" })]), ["note webroot /v"]);
  // A consequence, where none is given at all.
  const none = { "challenge 192.0.2.11": answer(404) };
  assert.deepEqual(at([place("/v", { reply: answer(404) })], none), []);
});
