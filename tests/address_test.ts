/** Addresses: one spelling in, one spelling out, and who counts as one source. */

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  comparableAddress,
  formatSocketAddress,
  parseIPv4,
  parseIPv6,
  parseSocketAddress,
  sourceOf,
} from "../lib/address.ts";

const ipv6 = fc.oneof(
  fc.ipV6(),
  // Many zero groups, where the rules of compression matter.
  fc.array(fc.constantFrom("0", "1", "f001"), { minLength: 8, maxLength: 8 })
    .map((groups) => groups.join(":")),
);

Deno.test("parseIPv6() spells an address as URL does (RFC 5952)", () => {
  fc.assert(
    fc.property(ipv6, (text) => {
      assert.deepEqual(parseIPv6(text), new URL(`http://[${text}]/`).hostname.slice(1, -1));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("parseSocketAddress() reads back what formatSocketAddress() writes", () => {
  const hostname = fc.oneof(fc.ipV4(), ipv6.map((text) => parseIPv6(text)!));
  fc.assert(fc.property(hostname, fc.nat(65535), (hostname, port) => {
    const address = { hostname, port };
    assert.deepEqual(parseSocketAddress(formatSocketAddress(address)), address);
  }));
});

Deno.test("parseSocketAddress() refuses near misses, naming the part that is wrong", () => {
  const table: [string, RegExp][] = [
    ["", /expected \[IPv6\]:port or IPv4:port/],
    [":80", /expected/],
    ["*:80", /expected/],
    ["80", /expected/],
    ["::1:80", /expected/],
    ["[::1]", /expected/],
    ["[::1]80", /expected/],
    ["[::1]:", /expected/],
    ["[::1]:http", /expected/],
    ["[::1]:-1", /expected/],
    ["[::1]:65536", /port 65536 is not between 0 and 65535/],
    ["[::g]:80", /"::g" is not an IPv6 address/],
    ["[1::2::3]:80", /is not an IPv6 address/],
    ["[1:2:3:4:5:6:7]:80", /is not an IPv6 address/],
    ["[1:2:3:4:5:6:7::8]:80", /is not an IPv6 address/],
    ["[12345::]:80", /is not an IPv6 address/],
    ["[2001:db8::1%eth0]:80", /is not an IPv6 address/],
    ["[fe80::1%]:80", /is not an IPv6 address/],
    ["[fe80::1%a%b]:80", /is not an IPv6 address/],
    ["192.0.2.256:80", /"192.0.2.256" is not an IPv4 address/],
    ["192.0.2:80", /is not an IPv4 address/],
    ["192.0.2.01:80", /is not an IPv4 address/],
    ["0x7f.0.0.1:80", /is not an IPv4 address/],
    ["localhost:80", /"localhost" is not an IPv4 address/],
    [" 192.0.2.1:80", /is not an IPv4 address/],
  ];
  for (const [text, message] of table) {
    assert.throws(() => parseSocketAddress(text), { name: "SyntaxError", message }, text);
  }
});

Deno.test("parseIPv6() keeps a zone on a link-local address, and reads embedded IPv4", () => {
  assert.deepEqual(parseIPv6("FE80::1%eth0"), "fe80::1%eth0");
  assert.deepEqual(parseIPv6("::ffff:192.0.2.1"), "::ffff:c000:201");
  assert.deepEqual(parseIPv6("::ffff:192.0.2.256"), undefined);
  assert.deepEqual(parseIPv4("192.0.2.1"), "192.0.2.1");
});

Deno.test("comparableAddress() is equal for addresses of the same host", () => {
  const table: [string, string][] = [
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:201", "192.0.2.1"],
    ["192.0.2.1", "192.0.2.1"],
    ["2001:DB8:0::F001", "2001:db8::f001"],
    ["fe80::1%eth0", "fe80::1"],
    ["::", "::"],
    ["lb.example", "lb.example"],
  ];
  for (const [text, expected] of table) assert.deepEqual(comparableAddress(text), expected, text);
});

Deno.test("sourceOf() counts an IPv4 address, or an IPv6 /64, as one source", () => {
  const table: [string, string, boolean][] = [
    ["2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true],
    ["2001:db8:0:1::1", "2001:db8:0:2::1", false],
    ["::ffff:192.0.2.1", "192.0.2.1", true],
    ["192.0.2.1", "192.0.2.2", false],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.2", false],
  ];
  for (const [a, b, same] of table) {
    assert.deepEqual(sourceOf(a) === sourceOf(b), same, `${a} ${b}`);
  }
});

Deno.test("comparableAddress() is equal for every spelling of an address, and for no other address", () => {
  fc.assert(fc.property(fc.ipV4(), (four) => {
    const [a, b, c, d] = four.split(".").map(Number) as [number, number, number, number];
    const hex = (high: number, low: number) => (high * 256 + low).toString(16);
    assert.deepEqual(comparableAddress(`::ffff:${four}`), four);
    assert.deepEqual(comparableAddress(`::FFFF:${hex(a, b)}:${hex(c, d)}`), four);
    // Neither the old IPv4-compatible form nor NAT64 is the host itself.
    assert.deepEqual(comparableAddress(`64:ff9b::${four}`).includes(":"), true);
    assert.deepEqual(comparableAddress(`1::${four}`).includes(":"), true);
  }));
  fc.assert(fc.property(ipv6, (six) => {
    const one = comparableAddress(six);
    assert.deepEqual(comparableAddress(six.toUpperCase()), one);
    assert.deepEqual(comparableAddress(one), one);
  }));
});

Deno.test("sourceOf() is the same for two addresses exactly when their /64 is", () => {
  const groups = fc.array(fc.integer({ min: 1, max: 0xffff }), { minLength: 4, maxLength: 4 });
  const spell = (network: number[], host: number[]) =>
    [...network, ...host].map((group) => group.toString(16)).join(":");
  fc.assert(fc.property(groups, groups, groups, (network, other, host) => {
    const source = sourceOf(spell(network, host));
    assert.deepEqual(sourceOf(spell(network, other)), source);
    assert.deepEqual(
      sourceOf(spell(other, host)) === source,
      spell(other, []) === spell(network, []),
    );
  }));
});
