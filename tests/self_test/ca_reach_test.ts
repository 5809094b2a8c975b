/** Addresses that no CA can reach, and names that lead to them. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { unreachableRange } from "../../lib/self_test/ca_reach.ts";
import { dnsFindings } from "../../lib/self_test/dns_findings.ts";

Deno.test("special-purpose ranges are recognised up to their first and last address", () => {
  const table: [string, "never" | "private" | undefined][] = [
    ["127.0.0.1", "never"],
    ["127.0.1.1", "never"],
    ["127.255.255.255", "never"],
    ["128.0.0.1", undefined],
    ["0.0.0.0", "never"],
    ["9.255.255.255", undefined],
    ["10.0.0.0", "private"],
    ["10.255.255.255", "private"],
    ["11.0.0.0", undefined],
    ["100.63.255.255", undefined],
    ["100.64.0.1", "private"],
    ["100.127.255.255", "private"],
    ["100.128.0.0", undefined],
    ["169.254.169.254", "never"],
    ["172.15.255.255", undefined],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["172.32.0.0", undefined],
    ["192.168.1.1", "private"],
    ["192.167.255.255", undefined],
    ["198.18.0.1", "private"],
    ["224.0.0.1", "never"],
    ["255.255.255.255", "never"],
    ["::1", "never"],
    ["::", "never"],
    ["fe80::1", "never"],
    ["fe80::1%eth0", "never"],
    ["febf::1", "never"],
    ["fc00::1", "private"],
    ["fdff:ffff::1", "private"],
    ["fec0::1", "private"],
    ["ff02::1", "never"],
    ["2a00::1", undefined],
    ["::ffff:10.0.0.1", "private"],
    ["::ffff:127.0.0.1", "never"],
    // Examples are written with these.
    ["192.0.2.1", undefined],
    ["198.51.100.1", undefined],
    ["203.0.113.1", undefined],
    ["2001:db8::1", undefined],
  ];
  for (const [address, kind] of table) {
    assert.equal(unreachableRange(address)?.kind, kind, address);
  }
});

const CONFIG = `
peers: ["10.0.0.11:31080"]
cluster:
  nodes: {lb0: ["10.0.0.11"]}
  virtual_addresses: ["10.0.0.1", "192.0.2.1"]
  public_addresses: ["203.0.113.5"]
  names: [a.example, b.example]
`;

Deno.test("a name with an address the CA cannot reach is a fault, unless the configuration has it too", () => {
  const found = (addresses: string[], names = ["a.example"]) =>
    dnsFindings(
      new Map(names.map((name) => [name, { addresses }])),
      parseConfig(CONFIG, "c"),
    ).filter(({ rule }) => rule === "no_public_address");
  const table: [string, boolean][] = [
    ["192.0.2.1", false],
    ["203.0.113.5", false],
    // Of one's own CA.
    ["10.0.0.1", false],
    ["10.0.0.11", false],
    ["10.20.30.40", true],
    ["192.168.0.7", true],
    ["172.20.1.1", true],
    ["100.100.1.1", true],
    ["fd00::7", true],
    ["127.0.1.1", true],
    ["127.0.0.1", true],
    ["169.254.1.1", true],
    ["::1", true],
  ];
  for (const [address, bad] of table) {
    const findings = found(["192.0.2.1", address]);
    assert.deepEqual(
      findings.map(({ level, about }) => [level, about]),
      bad ? [["fail", "a.example"]] : [],
      address,
    );
    if (bad) assert.ok(findings[0]!.text.includes(address), address);
  }
  // One line for all names that have it.
  const many = Array.from({ length: 100 }, (_, i) => `c${i}.example`);
  assert.deepEqual(found(["127.0.1.1"], many).map(({ about }) => about), [
    "c0.example, c1.example, c2.example and 97 more",
  ]);
});

Deno.test("a virtual address without a name in the DNS is a note, except behind a NAT", () => {
  const spare = (addresses: string[], more = "") =>
    dnsFindings(
      new Map([["a.example", { addresses }]]),
      parseConfig(
        `cluster: {virtual_addresses: ["192.0.2.1", "192.0.2.2", "2001:db8::1"], names: [a.example]${more}}`,
        "c",
      ),
    ).filter(({ rule }) => rule === "unpublished").map(({ level, about }) => `${level} ${about}`);
  assert.deepEqual(spare(["192.0.2.1", "192.0.2.2", "2001:DB8::1"]), []);
  assert.deepEqual(spare(["192.0.2.1", "2001:db8::1"]), ["note 192.0.2.2"]);
  assert.deepEqual(spare(["198.51.100.1"]), ["note 192.0.2.1, 192.0.2.2, 2001:db8::1"]);
  assert.deepEqual(spare(["203.0.113.5"], ', public_addresses: ["203.0.113.5"]'), []);
  assert.deepEqual(spare([]), []);
});
