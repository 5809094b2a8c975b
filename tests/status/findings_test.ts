import assert from "node:assert/strict";
import type { BalancerRow, FleetView } from "../../lib/status/fleet.ts";
import { findFleetFaults, stateOf } from "../../lib/status/fleet_findings.ts";
import { headlineOf } from "../../lib/status/headline.ts";
import {
  addressOf,
  before,
  NOW,
  sampleCertificate,
  sampleReport,
  sampleView,
  VIRTUAL_ADDRESSES,
} from "./sample_fleet.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The findings as `level rule about`, and the text of the first. */
function found(view: FleetView): [string[], string] {
  const findings = findFleetFaults(view);
  return [
    findings.map(({ level, rule, about }) => `${level} ${rule} ${about}`),
    findings[0]?.text ?? "",
  ];
}

const silent = (silence: BalancerRow["silence"]) => ({ report: undefined, silence });
const told = (name: string, changes: Parameters<typeof sampleReport>[1]) => ({
  report: sampleReport(name, changes),
});

Deno.test("a fleet in which all is well has no finding", () => {
  const view = sampleView();
  assert.deepEqual(findFleetFaults(view), []);
  assert.deepEqual(headlineOf(view, []), "all is well");
});

/** What is changed, the findings, the words of the first, and the headline. */
const FAULTS: [string, Parameters<typeof sampleView>[0], string[], RegExp, string][] = [
  [
    "an address that two hold",
    {
      lb1: told("lb1", {
        holds: [{ address: VIRTUAL_ADDRESSES[0]!, since: before(0) }, {
          address: VIRTUAL_ADDRESSES[1]!,
          since: null,
        }],
      }),
    },
    ["fail address_twice 2001:db8::1"],
    /lb0 and lb1 at once.* protocol 112 between them on eth0 .*ff02::12.*virtual_router_id/,
    "2001:db8::1: held by lb0 and lb1 at once",
  ],
  [
    "an address that nobody holds, though all answer",
    { lb2: told("lb2", { holds: [] }) },
    ["fail address_unheld 192.0.2.1"],
    /no balancer.* systemctl status keepalived/,
    "192.0.2.1: held by no balancer, so nobody answers there",
  ],
  [
    "a dead balancer whose address nobody took over",
    { lb2: silent("timeout") },
    ["fail address_unheld 192.0.2.1", "fail silent lb2"],
    /held by no balancer that answers; lb2, which told nothing here/,
    "192.0.2.1: held by no balancer that answers",
  ],
  [
    "another configuration than the others'",
    { lb1: told("lb1", { config: "0123456789abcdef" }) },
    ["fail configuration lb1"],
    /than lb0, lb2: copy the file there, then run systemctl reload acme-lb/,
    "lb1: runs with another configuration than lb0, lb2",
  ],
  [
    "this balancer's configuration, where the two others agree",
    { lb0: told("lb0", { config: "0123456789abcdef" }) },
    ["fail configuration lb0"],
    /than lb1, lb2/,
    "lb0: runs with another configuration than lb1, lb2",
  ],
  [
    "a port that is not served, and a webroot that cannot be read",
    {
      lb1: told("lb1", {
        health: { faults: ["port [::]:80 cannot accept connections"], notes: [] },
      }),
      lb2: told("lb2", { health: { faults: [], notes: ["webroot /w cannot be read"] } }),
    },
    ["fail unhealthy lb1", "warn unhealthy lb2"],
    /its \/healthz fails: port \[::\]:80 cannot accept connections/,
    "lb1: its /healthz fails",
  ],
  [
    "a failing hook",
    {
      lb2: told("lb2", {
        hook: {
          at: before(2 * HOUR),
          ok: false,
          client: "lego",
          out: "/etc/haproxy/certs/a.pem",
          text: "the key does not fit",
        },
      }),
    },
    ["fail hook lb2"],
    /hook of lego for \/etc\/haproxy\/certs\/a\.pem failed 2h ago: the key does not fit/,
    "lb2: the hook of lego for /etc/haproxy/certs/a.pem failed 2h ago",
  ],
  [
    "a certificate that is CRITICAL, before one that is a WARNING",
    {
      lb0: told("lb0", {
        certificates: [sampleCertificate({ verdict: "WARNING", text: "expires soon" })],
      }),
      lb1: told("lb1", {
        certificates: [
          sampleCertificate({
            verdict: "CRITICAL",
            text: "expired: renew it now",
            not_after: before(DAY),
            not_before: before(90 * DAY),
          }),
        ],
      }),
    },
    ["fail certificate lb1", "warn certificate lb0"],
    /service\.example\.pem \(service\.example\) expired: renew it now/,
    "lb1: /etc/haproxy/certs/service.example.pem (service.example) expired",
  ],
  [
    "a certificate that has expired by the clock here, though it is told as OK",
    {
      lb0: told("lb0", {
        certificates: [
          sampleCertificate({ not_before: before(90 * DAY), not_after: before(1000) }),
        ],
      }),
    },
    ["fail certificate lb0"],
    /expired 1s ago, though it is told as OK/,
    "lb0: /etc/haproxy/certs/service.example.pem (service.example) expired 1s ago, though it is told as OK",
  ],
  [
    "a certificate that nothing is known of",
    {
      lb0: told("lb0", {
        certificates: [
          sampleCertificate({
            verdict: "UNKNOWN",
            names: [],
            serial: null,
            issuer: null,
            not_before: null,
            not_after: null,
            text: "cannot be read",
          }),
        ],
      }),
    },
    ["warn certificate lb0", "warn certificate_missing lb0", "warn certificate_missing lb0"],
    /^\/etc\/haproxy\/certs\/service\.example\.pem cannot be read/,
    "lb0: /etc/haproxy/certs/service.example.pem cannot be read",
  ],
  [
    "a name that one balancer lacks",
    { lb2: told("lb2", { certificates: [sampleCertificate({ names: ["service.example"] })] }) },
    ["warn certificate_missing lb2"],
    /no certificate for www\.service\.example, which lb0, lb1 have/,
    "lb2: has no certificate for www.service.example, which lb0, lb1 have",
  ],
  [
    "a clock that is off by ten seconds, and one by an hour",
    {
      lb1: told("lb1", { now: before(-10_000) }),
      lb2: told("lb2", {
        now: before(HOUR),
        uptime_s: 60,
        peers: [],
        challenges: [],
        hook: null,
        renewed_at: null,
        holds: [{ address: "192.0.2.1", since: null }],
      }),
    },
    ["fail clock lb2", "warn clock lb1"],
    /1h behind the one here: run timedatectl/,
    "lb2: its clock is 1h behind the one here",
  ],
  [
    "a peer that one balancer does not reach, though it answers here",
    {
      lb1: told("lb1", {
        peers: [{ peer: addressOf("lb2"), outcome: "timeout", at: before(60_000) }],
      }),
    },
    ["warn unreached lb1"],
    /last question to lb2 \(\[2001:db8::f003\]:31080\), 1m ago, ended in timeout/,
    "lb1: its last question to lb2 ([2001:db8::f003]:31080), 1m ago, ended in timeout, though lb2 answers here",
  ],
  [
    "a question that failed a day ago, or before the peer was started",
    {
      lb1: told("lb1", {
        peers: [{ peer: addressOf("lb2"), outcome: "timeout", at: before(DAY) }, {
          peer: addressOf("lb0"),
          outcome: "refused",
          at: before(120_000),
        }],
      }),
      lb0: told("lb0", { uptime_s: 60 }),
    },
    [],
    /^$/,
    "all is well",
  ],
  [
    "a balancer of another fleet",
    { lb2: told("lb2", { name: "edge7" }) },
    ["fail foreign lb2"],
    /says that it is edge7/,
    "lb2: says that it is edge7, which is not in cluster.nodes here",
  ],
  [
    "an address that is virtual there and not here",
    {
      lb2: told("lb2", {
        holds: [{ address: "192.0.2.1", since: null }, { address: "192.0.2.99", since: null }],
      }),
    },
    ["warn address_unknown lb2"],
    /holds 192\.0\.2\.99 as virtual/,
    "lb2: holds 192.0.2.99 as virtual, which cluster.virtual_addresses here does not name",
  ],
  [
    "a second address that does not answer",
    { lb2: { deaf: ["192.0.2.13:31080"] } },
    ["warn deaf_address lb2"],
    /answers, but not on 192\.0\.2\.13:31080/,
    "lb2: answers, but not on 192.0.2.13:31080",
  ],
  [
    "several versions, and certificates that nobody watches: notes, and all is well",
    { lb2: told("lb2", { version: "0.2.0", certificates: [], certificates_total: 0 }) },
    ["note unwatched lb2", "note version acme-lb"],
    /watches no certificate/,
    "all is well",
  ],
  [
    "a balancer that sends something else",
    {
      lb2: { ...silent("bad_report"), reason: "certificates[0].names: expected a list" },
      lb0: told("lb0", {
        holds: VIRTUAL_ADDRESSES.filter((one) => !one.endsWith("::2")).map((address) => ({
          address,
          since: null,
        })),
      }),
    },
    ["fail bad_report lb2"],
    /sends no report that can be used \(certificates\[0\]\.names: expected a list\)/,
    "lb2: [2001:db8::f003]:31080 sends no report that can be used (certificates[0].names",
  ],
];

for (const [name, changes, expected, text, headline] of FAULTS) {
  Deno.test(`findFleetFaults() tells of ${name}`, () => {
    const view = sampleView(changes);
    const [findings, first] = found(view);
    assert.deepEqual(findings, expected);
    assert.match(first, text);
    assert.deepEqual(headlineOf(view, findFleetFaults(view)), headline);
  });
}

Deno.test("findFleetFaults() says what to do for every reason of a missing answer", () => {
  const kinds = [
    "timeout",
    "refused",
    "reset",
    "unreachable",
    "unresolved",
    "empty",
    "bad_framing",
    "too_large",
    "bad_status",
    "redirected",
    "not_told",
    "bad_report",
  ] as const;
  for (const silence of kinds) {
    const [findings] = found(
      sampleView({ lb0: silent(silence), lb1: silent(silence), lb2: silent(silence) }),
    );
    const rule = ["bad_report", "too_large", "bad_framing"].includes(silence)
      ? "bad_report"
      : "silent";
    // With nobody that tells anything, nothing is said of addresses.
    assert.deepEqual(findings, ["lb0", "lb1", "lb2"].map((name) => `fail ${rule} ${name}`));
  }
});

Deno.test("stateOf() is the state of the worst finding, and notes do not count", () => {
  const of = (...levels: ("fail" | "warn" | "note")[]) =>
    stateOf(levels.map((level) => ({ level, rule: "clock", text: "", about: "" })));
  assert.deepEqual([of(), of("note"), of("note", "warn"), of("warn", "fail")], [0, 0, 1, 2]);
});

Deno.test("every time in the sample fleet is before its clock", () => {
  assert.deepEqual(Date.parse(before(1000)), NOW.getTime() - 1000);
});
