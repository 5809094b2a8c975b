/** The report for Nagios, read back by a parser of its own. */

import assert from "node:assert/strict";
import * as fc from "fast-check";
import { formatNagios } from "../../lib/expiry/format_nagios.ts";
import type { ExpiryRecord } from "../../lib/expiry/record.ts";
import { isAlert, parsePluginOutput } from "./plugin_output.ts";
import { ANY_REPORT, leafOf, MIXED, recordOf, reportOf } from "./reports.ts";
import { UNSAFE } from "../unsafe_text.ts";

const LEVELS = [0, 1, 2, 3] as const;

Deno.test("formatNagios() says what is worst on one short line, with figures in strict syntax", () => {
  assert.deepEqual(
    formatNagios(MIXED, { verbosity: 0 }),
    "SSL CRITICAL: /etc/haproxy/certs/gone.pem: expired 2d 3h ago " +
      "(2 CRITICAL, 1 WARNING, 1 UNKNOWN, 1 OK) | " +
      "'[2001:db8::1]:443'=U " +
      "'/etc/haproxy/certs/gone.pem'=-183600s;1944000:;972000: " +
      "'/etc/haproxy/certs/good.pem'=5227200s;1944000:;972000: " +
      "'/etc/haproxy/certs/secret.pem'=U " +
      "'/etc/haproxy/certs/soon.pem'=1728000s;1944000:;972000:\n",
  );
  const good = recordOf("/a/good.pem", { leaf: leafOf("good.example", 60.5) });
  assert.deepEqual(
    formatNagios(reportOf([good]), { verbosity: 0 }),
    "SSL OK: good.example expires in 60d 12h, /a/good.pem | " +
      "'/a/good.pem'=5227200s;1944000:;972000:\n",
  );
  assert.deepEqual(
    formatNagios(reportOf([]), { verbosity: 0 }),
    "SSL UNKNOWN: nothing was checked\n",
  );
});

Deno.test("formatNagios() tells more with each level, and the figures stay on the first line", () => {
  const [one, two, three] = [1, 2, 3].map((verbosity) =>
    parsePluginOutput(formatNagios(MIXED, { verbosity: verbosity as 1 | 2 | 3 }))
  );
  assert.deepEqual(
    one!.text,
    "2 CRITICAL, 1 WARNING, 1 UNKNOWN, 1 OK: " +
      "[CRITICAL] /etc/haproxy/certs/gone.pem: expired 2d 3h ago " +
      "[CRITICAL] [2001:db8::1]:443: no TLS handshake in time " +
      "[WARNING] /etc/haproxy/certs/soon.pem: expires in 20d " +
      "[UNKNOWN] /etc/haproxy/certs/secret.pem: permission denied (EACCES)",
  );
  assert.deepEqual(one!.more, []);
  assert.deepEqual(two!.more, [
    "CRITICAL /etc/haproxy/certs/gone.pem: expired 2d 3h ago",
    "CRITICAL [2001:db8::1]:443: no TLS handshake in time",
    "WARNING /etc/haproxy/certs/soon.pem: expires in 20d",
    "UNKNOWN /etc/haproxy/certs/secret.pem: permission denied (EACCES)",
    "OK good.example expires in 60d 12h, /etc/haproxy/certs/good.pem",
  ]);
  const details = three!.more.join("\n");
  assert.match(details, /CRITICAL expired\n {2}serial 04A1B2C3, SHA-256 ABAB/);
  assert.match(details, /issuer CN=R12, O=Let's Encrypt, key P-256/);
  assert.match(details, /valid 2026-08-24T03:00:00Z to 2026-11-22T03:00:00Z/);
  assert.match(details, /note: \/etc\/haproxy\/certs\/\.old\.pem: hidden$/);
});

Deno.test("formatNagios() gives figures whose ranges alert when the state does", () => {
  const lives = [6 + 2 / 3, 45, 64, 90, 398];
  fc.assert(
    fc.property(fc.constantFrom(...lives), fc.double({ min: -1, max: 1 }), (life, share) => {
      fc.pre(Number.isFinite(share));
      const leaf = leafOf("x.example", life * share, life);
      const output = formatNagios(reportOf([recordOf("/x", { leaf })]), { verbosity: 0 });
      const [figure] = parsePluginOutput(output).figures;
      const { value, unit, warning, critical } = figure!;
      assert.deepEqual(unit, "s");
      // The second in which the state changes belongs to either side.
      if (Math.abs(share - 0.25) > 1e-5) assert.deepEqual(isAlert(warning!, value!), share < 0.25);
      if (Math.abs(share - 0.125) > 1e-5) {
        assert.deepEqual(isAlert(critical!, value!), share < 0.125);
      }
    }),
  );
});

/** The labels of a report's figures, in their order. */
function labelsOf(records: ExpiryRecord[]): string[] {
  const { figures } = parsePluginOutput(formatNagios(reportOf(records), { verbosity: 0 }));
  return figures.map(({ label }) => label);
}

Deno.test("formatNagios() gives each place its whole path for a label, whatever comes beside it or falls due", () => {
  const places = ["/live/a.example/fullchain.pem", "/live/b.example/fullchain.pem", "/x/c.pem"];
  const labels = (left: number[]) =>
    labelsOf(left.map((days, i) => recordOf(places[i]!, { leaf: leafOf("x", days) })));
  for (const left of [[10], [10, 20], [30, 5], [10, 20, 30], [30, 5, 1]]) {
    assert.deepEqual(labels(left), places.slice(0, left.length));
  }
  const memory = "/etc/haproxy/a.pem at /run/haproxy/admin.sock";
  assert.deepEqual(labelsOf([recordOf(memory, { source: "haproxy" })]), [memory]);
});

Deno.test("formatNagios() tells labels apart that come to the same harmless characters, by the place alone", () => {
  const long = "/etc/haproxy/certs".repeat(10);
  const table: [one: string, other: string][] = [
    ["/a|b.pem", "/a_b.pem"],
    ["/a'b.pem", "/a=b.pem"],
    [`/one${long}`, `/two${long}`],
    ["/\u00e4.pem", "/\u00f6.pem"],
    ["/a\n.pem", "/a\t.pem"],
    ["/a.pem ", "/a.pem"],
  ];
  for (const [one, other] of table) {
    const alone = [one, other].flatMap((place) => labelsOf([recordOf(place, {})]));
    assert.deepEqual(new Set(alone).size, 2, one);
    const together = labelsOf([one, other].map((place) => recordOf(place, {})));
    assert.deepEqual(together.toSorted(), alone.toSorted(), one);
  }
});

Deno.test("formatNagios() names an endpoint as it was typed beside the address that answered", () => {
  const table: [place: string, target: string, label: string][] = [
    ["192.0.2.1:443 (a.example)", "balancer:443", "balancer:443 192.0.2.1:443 (a.example)"],
    ["192.0.2.1:443 (a.example)", "192.0.2.1:443", "192.0.2.1:443 (a.example)"],
    ["192.0.2.1:443 (a.example, RSA)", "LB:443", "LB:443 192.0.2.1:443 (a.example, RSA)"],
    ["[2001:db8::1]:443", "[2001:DB8:0::1]:443", "[2001:DB8:0::1]:443 [2001:db8::1]:443"],
    ["[2001:db8::1]:443", "[2001:db8::1]:443", "[2001:db8::1]:443"],
    ["[fe80::1%eth0]:8443", "[fe80::1%eth0]:8443", "[fe80::1_eth0]:8443#d8f0ec92"],
    ["127.0.0.1:443", "LOCALHOST:443", "LOCALHOST:443 127.0.0.1:443"],
  ];
  for (const [place, target, label] of table) {
    const record = recordOf(place, { source: "endpoint" });
    assert.deepEqual(labelsOf([{ ...record, target }]), [label], place);
  }
});

Deno.test("formatNagios() has a figure for each record as long as Nagios reads them, and says how many it left out", () => {
  const records = (count: number, due = -1) =>
    Array.from(
      { length: count },
      (_, i) =>
        recordOf(`/etc/haproxy/certs/site${String(i).padStart(4, "0")}.customer.example.pem`, {
          leaf: leafOf(`host${i}.example`, 10),
          findings: i === due ? [{ state: "CRITICAL", reason: "expired", text: "expired" }] : [],
        }),
    );
  assert.deepEqual(labelsOf(records(80)).length, 80);
  for (const count of [150, 200, 500, 1000, 3000, 10_000]) {
    const output = formatNagios(reportOf(records(count)), { verbosity: 0 });
    assert.ok(new TextEncoder().encode(output).length <= 8001, `${output.length}`);
    const { text, figures } = parsePluginOutput(output);
    assert.ok(figures.length > 80);
    assert.match(text, new RegExp(`\\(${count - figures.length} of ${count} figures left out\\)$`));
    // None of the others goes when one falls due.
    assert.deepEqual(labelsOf(records(count, count - 1)).slice(0, 80), labelsOf(records(80)));
  }
});

Deno.test("formatNagios() is accepted by the guidelines' grammar whatever stands in certificates", () => {
  fc.assert(
    fc.property(ANY_REPORT, fc.constantFrom(...LEVELS), (report, verbosity) => {
      const output = formatNagios(report, { verbosity });
      assert.doesNotMatch(output, UNSAFE);
      const { service, figures, more, text } = parsePluginOutput(output);
      assert.deepEqual(service, "SSL");
      assert.ok(text.length < 600, text);
      assert.deepEqual(new Set(figures.map(({ label }) => label)).size, figures.length);
      if (verbosity < 2) assert.deepEqual(more, []);
      if (verbosity === 2) assert.deepEqual(more.length, report.records.length);
    }),
    { numRuns: 500 },
  );
});

Deno.test("the grammar itself refuses what the guidelines do not allow", () => {
  const table = [
    "SSL OK: fine",
    "SSL FINE: x\n",
    "OK: x\n",
    "SSL OK: a | b=1 | c=2\n",
    "SSL OK: a | 'b=1\n",
    "SSL OK: a | b=1d\n",
    "SSL OK: a | b=1s;20:10\n",
    "SSL OK: a | b=1s;x\n",
    "SSL OK: a\nmore | b=1\n",
  ];
  for (const output of table) assert.throws(() => parsePluginOutput(output), SyntaxError, output);
  assert.deepEqual(isAlert({ inside: false, start: 0, end: 20 }, 21), true);
  const [figure] = parsePluginOutput("SSL OK: a | b=21s;20;@~:5\n").figures;
  assert.deepEqual(isAlert(figure!.warning!, 21), true, "a bare 20 alerts above it");
  assert.deepEqual(isAlert(figure!.critical!, 4), true);
});
