/** Which Via stops a lookup: one that names acme-lb, and nothing that looks like it. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { isPassedOn } from "../../lib/http/via.ts";

const VIAS: [string, boolean][] = [
  ["", false],
  ["1.0 acme-lb", true],
  ["1.1 acme-lb", true],
  ["HTTP/1.1 acme-lb", true],
  [",1.0 acme-lb", true],
  ["1.1 nginx, 1.0 acme-lb", true],
  ["1.0 acme-lb, 1.1 varnish", true],
  ["1.1 front (Apache/2.4),  1.0\tacme-lb ", true],
  ["1.0 acme-lb (comment)", true],
  ["1.1 acme-lb0.example.com", false],
  ["1.1 acme-lb.example.com", false],
  ["1.1 acme-lb:80", false],
  ["1.1 acme-lb-proxy", false],
  ["1.1 x-acme-lb", false],
  ["1.1 my.acme-lb", false],
  ["1.1 ACME-LB", false],
  ["1.1 front (acme-lb)", false],
  ["1.1 front (1.0 acme-lb)", false],
  ["1.1 front (a, 1.0 acme-lb, b)", false],
  ["1.1 front (a (b), 1.0 acme-lb)", false],
  ["1.1 front (a \\), 1.0 acme-lb)", false],
  ["1.1 front (never closed, 1.0 acme-lb", false],
  ["acme-lb", false],
  ["acme-lb 1.0", false],
  ["1.0acme-lb", false],
  ["1.0 acme-lb more", false],
  ["1.0 acme-lb;q=1", false],
  ["acme-lb acme-lb0", false],
  ["1.1 acme-lb0, 1.1 acme-lb1", false],
  ['1.1 "acme-lb"', false],
];

for (const [via, expected] of VIAS) {
  Deno.test(`isPassedOn() says ${expected} to ${JSON.stringify(via)}`, () => {
    assert.deepEqual(isPassedOn(via), expected);
  });
}

Deno.test("isPassedOn() finds acme-lb's own element among any others", () => {
  const other = fc.stringMatching(/^1\.[01] [a-z0-9.-]{1,20}( \([^()\\]{0,20}\))?$/)
    .filter((text) => !/ acme-lb( |$)/.test(text));
  fc.assert(fc.property(fc.array(other), fc.array(other), (before, after) => {
    const element = "1.0 acme-lb";
    assert.deepEqual(isPassedOn([...before, element, ...after].join(", ")), true);
    assert.deepEqual(isPassedOn([...before, ...after].join(", ")), false);
  }));
});
