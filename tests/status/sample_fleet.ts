/** A fleet of the source document's kind, all well, for tests to make worse. */

import type {
  BalancerReport,
  SeenChallenge,
  ToldCertificate,
} from "../../lib/status/balancer_report.ts";
import type { BalancerRow, FleetView } from "../../lib/status/fleet.ts";

export const NOW = new Date("2026-11-25T12:00:00Z");
export const VIRTUAL_ADDRESSES = ["2001:db8::1", "2001:db8::2", "192.0.2.1"];
export const NODES = ["lb0", "lb1", "lb2"];

const DAY = 86_400_000;

/** An instant so many milliseconds before {@link NOW}, as reports spell it. */
export function before(ms: number): string {
  return new Date(NOW.getTime() - ms).toISOString().replace(".000", "");
}

export function addressOf(name: string): string {
  return `[2001:db8::f00${Number(name.slice(2)) + 1}]:31080`;
}

export function sampleCertificate(changes: Partial<ToldCertificate> = {}): ToldCertificate {
  return {
    place: "/etc/haproxy/certs/service.example.pem",
    names: ["service.example", "www.service.example"],
    serial: "04A1B2C3D4E5F60718293A4B5C6D7E8F9012",
    issuer: "C=US, O=Let's Encrypt, CN=E7",
    not_before: before(20 * DAY),
    not_after: before(-70 * DAY),
    verdict: "OK",
    text: "",
    ...changes,
  };
}

export function sampleChallenge(changes: Partial<SeenChallenge> = {}): SeenChallenge {
  return {
    at: before(3 * 3_600_000),
    token: "Px5gnHjd",
    from: "2600:3000:2710:300::1d",
    source: "own",
    ms: 3,
    status: 200,
    ...changes,
  };
}

export function sampleReport(
  name: string,
  changes: Partial<BalancerReport> = {},
): BalancerReport {
  const index = NODES.indexOf(name);
  return {
    format: 1,
    instance: `00000000000000${index}0`,
    name,
    version: "0.1.0",
    now: before(0),
    uptime_s: 1_209_600,
    config: "5f2c9a7be01d3344",
    holds: [{ address: VIRTUAL_ADDRESSES[index]!, since: index === 0 ? null : before(9 * DAY) }],
    ports: [{ role: "public", address: "[::]:80" }, { role: "challenge", address: "[::]:31080" }],
    health: { faults: [], notes: [] },
    connections: 12 + index,
    evicted: 0,
    peers: NODES.filter((other) => other !== name).map((other, i) => ({
      peer: addressOf(other),
      outcome: i === 0 ? "found" : "absent",
      at: before(3 * 3_600_000),
    })),
    challenges: [
      sampleChallenge({ source: index === 1 ? "own" : addressOf("lb1"), ms: 4 + 7 * index }),
      sampleChallenge({ at: before(DAY), source: null, status: 404, token: "robots", ms: 6 }),
    ],
    certificates: [sampleCertificate()],
    certificates_total: 1,
    renewed_at: before(20 * DAY),
    hook: {
      at: before(20 * DAY),
      ok: true,
      client: "acmetool",
      out: "/etc/haproxy/certs/service.example.pem",
      text: "",
    },
    ...changes,
  };
}

/** A row whose balancer answers; `undefined` for the report makes it silent. */
export function sampleRow(name: string, changes: Partial<BalancerRow> = {}): BalancerRow {
  return {
    name,
    address: addressOf(name),
    here: name === "lb0",
    report: sampleReport(name),
    deaf: [],
    ms: 3,
    ...changes,
  };
}

export function sampleView(
  changes: { [name: string]: Partial<BalancerRow> } = {},
): FleetView {
  return {
    now: NOW,
    expected: {
      nodes: NODES,
      virtualAddresses: VIRTUAL_ADDRESSES,
      interface: "eth0",
      unicast: false,
      config: "5f2c9a7be01d3344",
      file: "/etc/acme-lb/config.yaml",
    },
    rows: NODES.map((name) => sampleRow(name, changes[name])),
  };
}

/** A fault of every kind: who holds what, a dead balancer, certificates, a hook, configurations. */
export function troubledFleet(): FleetView {
  const [lb0, lb1] = [sampleReport("lb0"), sampleReport("lb1")];
  const hour = 3_600_000;
  const certificate = (changes: Partial<ToldCertificate>, began: number, ends: number) =>
    sampleCertificate({
      not_before: before(began * DAY),
      not_after: before(-ends * DAY),
      ...changes,
    });
  return sampleView({
    lb0: {
      deaf: ["192.0.2.11:31080"],
      report: {
        ...lb0,
        holds: [...lb0.holds, { address: "2001:db8::2", since: before(40_000) }],
        peers: [
          { peer: addressOf("lb1"), outcome: "found", at: before(2 * hour) },
          { peer: addressOf("lb2"), outcome: "timeout", at: before(60_000) },
        ],
      },
    },
    lb1: {
      report: {
        ...lb1,
        config: "77aa9a7be01d3344",
        now: before(8_000),
        health: { faults: ["the public port is not served"], notes: [] },
        peers: [{ peer: addressOf("lb0"), outcome: "refused", at: before(600_000) }],
        certificates: [
          certificate({ verdict: "CRITICAL", text: "expired 5d ago: renew it now" }, 95, -5),
          certificate(
            {
              place: "/etc/haproxy/certs/shop.pem",
              names: ["shop.example"],
              verdict: "WARNING",
              text: "expires in 15d: find out why it has not been renewed",
            },
            75,
            15,
          ),
          sampleCertificate({
            place: "/etc/haproxy/certs/new.pem",
            names: [],
            ...{ serial: null, issuer: null, not_before: null, not_after: null },
            verdict: "UNKNOWN",
            text: "permission denied: let the user acme-lb read it, or leave it out",
          }),
        ],
        certificates_total: 3,
        evicted: 3,
        hook: {
          at: before(2 * hour),
          ok: false,
          client: "certbot",
          out: "/etc/haproxy/certs/service.example.pem",
          text: "/etc/letsencrypt/live/service.example/privkey.pem: the key does not fit",
        },
      },
    },
    lb2: { report: undefined, silence: "timeout", ms: 1_500 },
  });
}

/** Twenty balancers that hold two addresses each, and words without a place to break. */
export function largeFleet(): FleetView {
  const long = `${"balancer-".repeat(4)}name.example`;
  const virtualAddresses = Array.from(
    { length: 40 },
    (_, i) => `2001:db8:1234:5678:9abc:def0:1234:${(0x1000 + i).toString(16)}`,
  );
  const names = Array.from({ length: 20 }, (_, i) => `edge${i}-${long}`);
  const address = (i: number) => `[2001:db8:1234:5678:9abc:def0:f00d:${0x1000 + i}]:31080`;
  const view = sampleView();
  return {
    ...view,
    expected: { ...view.expected, nodes: names, virtualAddresses },
    rows: names.map((name, i) => ({
      name,
      address: address(i),
      here: i === 0,
      deaf: [],
      ms: 4,
      report: sampleReport("lb0", {
        name,
        holds: virtualAddresses.slice(2 * i, 2 * i + 2).map((held) => ({
          address: held,
          since: null,
        })),
        peers: names.flatMap((_, other) =>
          other === i ? [] : [{ peer: address(other), outcome: "absent", at: before(DAY) }]
        ),
        certificates: [
          sampleCertificate({ place: `/etc/${"long".repeat(40)}.pem`, names: [long] }),
        ],
      }),
    })),
  };
}
