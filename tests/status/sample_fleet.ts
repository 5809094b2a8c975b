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
