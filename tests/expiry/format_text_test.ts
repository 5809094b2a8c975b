/** The report for a person. */

import assert from "node:assert/strict";
import * as fc from "fast-check";
import { formatText } from "../../lib/expiry/format_text.ts";
import { ANY_REPORT, leafOf, MIXED, recordOf, reportOf } from "./reports.ts";
import { UNSAFE } from "../unsafe_text.ts";

Deno.test("formatText() shows a table, what is wrong, what was passed over, and a sum", () => {
  assert.deepEqual(
    formatText(MIXED, { colour: false }),
    `STATE     LEFT              EXPIRES (UTC)     CERTIFICATE   PLACE
CRITICAL  2d 3h ago of 90d  2026-11-22 03:00  gone.example  /etc/haproxy/certs/gone.pem
CRITICAL  -                 -                 -             [2001:db8::1]:443
WARNING   20d of 90d        2026-12-14 06:00  soon.example  /etc/haproxy/certs/soon.pem
UNKNOWN   -                 -                 -             /etc/haproxy/certs/secret.pem
OK        60d 12h of 90d    2027-01-23 18:00  good.example  /etc/haproxy/certs/good.pem

CRITICAL: /etc/haproxy/certs/gone.pem: expired 2d 3h ago
CRITICAL: [2001:db8::1]:443: no TLS handshake in time
WARNING: /etc/haproxy/certs/soon.pem: expires in 20d
UNKNOWN: /etc/haproxy/certs/secret.pem: permission denied (EACCES)

note: /etc/haproxy/certs/.old.pem: hidden

CRITICAL: 2 CRITICAL, 1 WARNING, 1 UNKNOWN, 1 OK; next to expire in 20d: soon.example
`,
  );
});

Deno.test("formatText() has one line for a check that found nothing to check", () => {
  assert.deepEqual(formatText(reportOf([]), { colour: false }), "UNKNOWN: nothing was checked\n");
});

Deno.test("formatText() tells the lifetime of a certificate whole, as its CA advertises it", () => {
  const leaf = leafOf("six.example", 3);
  leaf.notBefore = new Date(leaf.notAfter.getTime() - 160 * 3600_000 + 1000);
  assert.match(
    formatText(reportOf([recordOf("/a", { leaf })]), { colour: false }),
    / 3d of 6d 16h /,
  );
});

Deno.test("formatText() colours states alone, and only when asked", () => {
  const coloured = formatText(MIXED, { colour: true });
  // deno-lint-ignore no-control-regex
  const found = [...coloured.matchAll(/\x1b\[(\d+)m([A-Z]+) *\x1b\[0m/g)];
  assert.deepEqual(
    new Set(found.map(([, code, state]) => `${state} ${code}`)),
    new Set(["CRITICAL 31", "WARNING 33", "UNKNOWN 35", "OK 32"]),
  );
  // deno-lint-ignore no-control-regex
  const bare = coloured.replaceAll(/\x1b\[\d+m/g, "");
  assert.deepEqual(bare, formatText(MIXED, { colour: false }));
  assert.doesNotMatch(bare, UNSAFE);
});

Deno.test("formatText() keeps its shape whatever stands in files and certificates", () => {
  fc.assert(fc.property(ANY_REPORT, (report) => {
    const text = formatText(report, { colour: false });
    assert.doesNotMatch(text, UNSAFE);
    const sections = text.slice(0, -1).split("\n\n");
    const [table] = report.records.length > 0 ? sections : [""];
    const findings = report.records.flatMap(({ findings }) => findings);
    const lines = text.split("\n").length - 1;
    const sum = (report.records.length > 0 ? report.records.length + 1 : 0) + findings.length +
      report.notes.length + 1 + (sections.length - 1);
    assert.deepEqual(lines, sum, "each thing is one line");
    const [head, ...rows] = table!.split("\n").map((line) => [...line]);
    if (head) {
      const start = head.join("").indexOf("PLACE");
      for (const row of rows) {
        assert.ok(
          row.slice(start - 2, start).every((character) => character === " "),
          row.join(""),
        );
      }
    }
  }));
});
