/** Which hosts are allowed in a Location. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { isListedHost, parseHost } from "../lib/host.ts";

const nearlyHost = fc.oneof(
  fc.string({ unit: "binary-ascii", maxLength: 30 }),
  fc.string({ unit: fc.constantFrom(..."abxAZ019.-_:[]%@/\\#? "), maxLength: 30 }),
  fc.domain(),
  fc.ipV4Extended(),
  fc.ipV6().map((address) => `[${address}]`),
).chain((host) => fc.constantFrom(host, `${host}:80`, `${host}.`, host.toUpperCase()));

Deno.test("parseHost() accepts nothing that a browser reads as another host", () => {
  fc.assert(
    fc.property(nearlyHost, (value) => {
      const host = parseHost(value);
      // The URL standard decodes xn-- labels and refuses some; they are ASCII names all the same.
      if (host === undefined || host.includes("xn--")) return;
      const url = new URL(`https://${host}/x`);
      assert.deepEqual([url.hostname, url.pathname, url.username, url.port], [host, "/x", "", ""]);
    }),
    { numRuns: 20_000 },
  );
});

Deno.test("parseHost() is the identity on what it returned", () => {
  fc.assert(fc.property(nearlyHost, (value) => {
    const host = parseHost(value);
    if (host !== undefined) assert.deepEqual(parseHost(host), host);
  }));
});

Deno.test("parseHost() enforces the length limits of DNS", () => {
  const label = "a".repeat(63);
  const longest = [label, label, label, "a".repeat(61)].join(".");
  assert.deepEqual(longest.length, 253);
  assert.deepEqual(parseHost(longest), longest);
  assert.deepEqual(parseHost(`${longest}.:65535`), longest);
  assert.deepEqual(parseHost(`a${longest}`), undefined);
  assert.deepEqual(parseHost(`a${label}.example`), undefined);
});

Deno.test("isListedHost() takes exact names and names below a suffix", () => {
  const list = ["service.example", "*.b.example"];
  for (const host of ["service.example", "a.b.example", "c.a.b.example"]) {
    assert.ok(isListedHost(host, list), host);
  }
  for (const host of ["b.example", "xb.example", "www.service.example", "service.example.evil"]) {
    assert.ok(!isListedHost(host, list), host);
  }
  assert.ok(isListedHost("anything.example", []));
});
