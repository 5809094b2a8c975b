/** The three ways in which the fleet is shown: what stands in them, and what cannot get into them. */

import assert from "node:assert/strict";
import fc from "fast-check";
import type { FleetView } from "../../lib/status/fleet.ts";
import { findFleetFaults } from "../../lib/status/fleet_findings.ts";
import { formatStatusAsJson, jsonStatus } from "../../lib/status/status_json.ts";
import { formatStatus } from "../../lib/status/status_text.ts";
import { statusPage } from "../../lib/status/status_page.ts";
import { UNSAFE, UNSAFE_CHARACTERS } from "../unsafe_text.ts";
import { sampleCertificate, sampleChallenge, sampleReport, sampleView } from "./sample_fleet.ts";

const text = (view: FleetView) => formatStatus(view, findFleetFaults(view));
const json = (view: FleetView) => formatStatusAsJson(jsonStatus(view, findFleetFaults(view)));
const page = (view: FleetView) => statusPage(view, findFleetFaults(view), { refreshes: true });

const DEAD = sampleView({ lb2: { report: undefined, silence: "timeout", ms: 1800 } });

Deno.test("text begins with a summary in one line, and has a table for each part", () => {
  const lines = text(sampleView()).split("\n");
  assert.deepEqual(lines[0], "all is well (3 balancers)");
  assert.deepEqual(lines.filter((line) => /^[a-z]/.test(line)).slice(1), [
    "virtual addresses:",
    "balancers:",
    "who reaches whom:",
    "certificates:",
    "hooks:",
    "last challenges:",
  ]);
  assert.match(text(sampleView()), /^ {2}2001:db8::1 +lb0 +before its start$/m);
  assert.match(text(sampleView()), /^ {2}lb1 +lb0, lb2$/m);
  assert.match(text(DEAD), /^ {2}lb0 +lb1 +lb2 \(timeout, just now\)$/m);
});

Deno.test("text says first what is wrong with a dead balancer's address, and shows it as a row", () => {
  const lines = text(DEAD).split("\n");
  assert.deepEqual(
    lines[0],
    "192.0.2.1: held by no balancer that answers (2 faults among 3 balancers)",
  );
  assert.match(
    lines[1]!,
    /^fail {2}192\.0\.2\.1: held by no balancer that answers; lb2, which told nothing/,
  );
  assert.match(lines[2]!, /^fail {2}lb2: does not answer on \[2001:db8::f003\]:31080 in time/);
  assert.match(text(DEAD), /^ {2}192\.0\.2\.1 +nobody that answers$/m);
  assert.match(text(DEAD), /^ {2}lb2 +\[2001:db8::f003\]:31080 +timeout$/m);
});

Deno.test("text for a terminal fits its width, and repeated output has the time", () => {
  const view = sampleView({
    lb1: { report: sampleReport("lb1", { config: "77aa9a7be01d3344" }) },
    lb2: { report: undefined, silence: "timeout", ms: 1800 },
  });
  const shown = formatStatus(view, findFleetFaults(view), { width: 60, dated: true });
  const lines = shown.split("\n");
  assert.deepEqual(lines[1], "at 2026-11-25T12:00:00Z");
  const tooLong = lines.slice(1).filter((line) => line.length > 60);
  assert.deepEqual(tooLong, []);
  // Nothing of what is to be done is cut.
  const joined = shown.replace(/\n {6}/g, " ");
  for (const { about, text } of findFleetFaults(view)) {
    assert.ok(joined.includes(`${about}: ${text}`), text);
  }
});

Deno.test("a challenge names the balancer that had its key authorization", () => {
  assert.match(text(sampleView()), /^ {2}3h ago +lb0 +Px5gnHjd… +2600:\S+ +lb1 +200 +4$/m);
  assert.ok(!page(sampleView()).includes("<span>[2001:db8::f002]:31080</span>"));
});

Deno.test("the holder of an address is unknown when no balancer reports", () => {
  const silent = { report: undefined, silence: "refused" as const };
  const view = sampleView({ lb0: silent, lb1: silent, lb2: silent });
  assert.match(text(view), /^ {2}2001:db8::1 +unknown$/m);
  assert.ok(!/tag t-fail">unknown/.test(page(view)));
});

Deno.test("JSON has every member for every balancer, null or empty for one that is dead", () => {
  const status = JSON.parse(json(DEAD));
  assert.deepEqual(Object.keys(status), ["version", "at", "ok", "balancers", "findings"]);
  assert.deepEqual(
    status.balancers.map(({ name, ok }: { name: string; ok: boolean }) => [name, ok]),
    [
      ["lb0", true],
      ["lb1", true],
      ["lb2", false],
    ],
  );
  const [alive, , dead] = status.balancers;
  assert.deepEqual(Object.keys(dead), Object.keys(alive));
  assert.deepEqual([dead.silence, dead.version, dead.holds, dead.hook], [
    "timeout",
    null,
    [],
    null,
  ]);
  assert.deepEqual([alive.silence, alive.holds, alive.held_since], [null, ["2001:db8::1"], [null]]);
  assert.deepEqual(Object.keys(status.findings[0]).sort(), ["about", "level", "rule", "text"]);
});

Deno.test("JSON is ok exactly when nothing fails and nothing is warned of", () => {
  const warned = sampleView({ lb0: { deaf: ["192.0.2.11:31080"] } });
  const noted = sampleView({ lb0: { report: sampleReport("lb0", { version: "0.2.0" }) } });
  assert.deepEqual([sampleView(), noted, warned, DEAD].map((view) => JSON.parse(json(view)).ok), [
    true,
    true,
    false,
    false,
  ]);
});

Deno.test("JSON for a reader of lines is one line", () => {
  const line = formatStatusAsJson(jsonStatus(DEAD, []), { oneLine: true });
  assert.deepEqual(line.indexOf("\n"), line.length - 1);
});

Deno.test("the page has a landmark for each part, headings in order, and a name for each picture", () => {
  const made = page(DEAD);
  assert.match(made, /^<!DOCTYPE html>\s*<html lang="en">/);
  for (const landmark of ["<header>", "<main>", "<footer>"]) {
    assert.deepEqual(made.split(landmark).length, 2, landmark);
  }
  const sections = [...made.matchAll(/<section aria-labelledby="(\w+)">/g)].map(([, id]) => id!);
  assert.deepEqual(sections, [
    "todo",
    "fleet",
    "held",
    "reach",
    "certificates",
    "balancers",
    "challenges",
  ]);
  for (const id of sections) assert.ok(made.includes(`<h2 id="${id}">`), id);
  for (const [svg] of made.matchAll(/<svg [^>]*>/g)) {
    assert.match(svg, /role="img"\s+aria-label="[^"]+"|aria-hidden="true"/);
  }
  assert.ok(
    !/<th(?! scope=")/.test(made.replaceAll("<thead", "")),
    "a header cell without its scope",
  );
});

Deno.test("the page loads nothing, has no script, and no style outside its style sheet", () => {
  const made = page(DEAD);
  assert.deepEqual(
    [...made.matchAll(/(?:src|href|action)="([^"]*)"/g)].map(([, to]) => to!.slice(0, 15)),
    [
      "data:image/svg+",
      "/?still",
    ],
  );
  assert.ok(!/<script|\son[a-z]+=|style="|@import|url\(/i.test(made));
});

Deno.test('a fleet without faults is reported as "all is well", with nothing to do', () => {
  const made = page(sampleView());
  assert.match(made, /class="sum s-ok"[^>]*>\s*<strong>all is well<\/strong>/);
  assert.ok(!made.includes("What to do"));
});

Deno.test("text from balancers is escaped in all three formats", () => {
  const hostile = fc.oneof(
    fc.constantFrom(
      "<script>alert(1)</script>",
      '"><img src=x onerror=alert(1)>',
      "\x1b[2J\x1b]0;title\x07",
      "\u202Etxt.exe",
      "</svg></section><h1>all is well</h1>",
      "line\nfail  lb0: forged",
      "&lt;b&gt; &#60;",
    ),
    fc.constantFrom(...UNSAFE_CHARACTERS),
    fc.string({ unit: "binary" }),
  );
  // The shape of the page is that of a harmless one, whatever the texts are.
  const shape = (made: string) => made.replace(/>[^<]*/g, ">").replace(/"[^"]*"/g, '""');
  const view = (word: string) => {
    const told = sampleReport("lb1", {
      certificates: [
        sampleCertificate({
          place: word,
          names: [word],
          issuer: word,
          text: word,
          verdict: "WARNING",
        }),
      ],
      challenges: [sampleChallenge({ source: word })],
      hook: { ...sampleReport("lb1").hook!, ok: false, out: word, text: word },
    });
    return sampleView({ lb1: { report: told } });
  };
  const plain = view("x");
  fc.assert(
    fc.property(hostile, (word) => {
      const made = page(view(word || "x"));
      assert.deepEqual(shape(made), shape(page(plain)));
      assert.match(made, /^[\n -~]*$/);
      for (const shown of [text(view(word)), json(view(word))]) {
        assert.doesNotMatch(shown, UNSAFE);
      }
      assert.deepEqual(text(view(word)).split("\n").length, text(plain).split("\n").length);
      JSON.parse(json(view(word)));
    }),
    { numRuns: 60 },
  );
});

Deno.test("the page of 64 balancers with reports of the maximum size has a bounded size", () => {
  const report = sampleReport("lb0", {
    certificates: Array(40).fill(sampleCertificate({ verdict: "WARNING", text: "x".repeat(400) })),
    challenges: Array(50).fill(sampleChallenge()),
  });
  const [row] = sampleView().rows;
  const rows = Array.from({ length: 64 }, (_, i) => ({
    ...row!,
    ...{ name: `lb${i}`, address: `[2001:db8::${i}]:31080`, report },
  }));
  const made = page({ ...sampleView(), rows });
  assert.ok(made.length < 1_000_000, String(made.length));
});
