/** The fleet as one JSON object. Within one `version`, members are added and never changed. */

import { printableLines } from "../log.ts";
import { isoSeconds } from "../time.ts";
import type { HookRun, PeerContact, SeenChallenge, ToldCertificate } from "./balancer_report.ts";
import type { BalancerRow, FleetView, Silence } from "./fleet.ts";
import { stateOf } from "./fleet_findings.ts";
import type { StatusFinding } from "./status_finding.ts";

export interface JsonStatus {
  version: 1;
  at: string;
  /** Nothing fails and nothing is warned of. */
  ok: boolean;
  balancers: JsonBalancer[];
  /** The worst first; those of virtual addresses before all others. */
  findings: StatusFinding[];
}

/** What is not known of a balancer that tells nothing is null, or an empty list. */
interface JsonBalancer {
  name: string;
  address: string;
  /** It told of itself, and no finding fails or warns of it. */
  ok: boolean;
  /** Why it told nothing. */
  silence: Silence | null;
  /** Milliseconds until it answered. */
  ms: number;
  version: string | null;
  uptime_s: number | null;
  config: string | null;
  /** Virtual addresses. */
  holds: string[];
  /** When each was taken over, in that order; null: before acme-lb started. */
  held_since: (string | null)[];
  ports: { role: string; address: string }[];
  health: { faults: string[]; notes: string[] };
  connections: number | null;
  evicted: number | null;
  peers: PeerContact[];
  certificates: ToldCertificate[];
  certificates_total: number | null;
  challenges: SeenChallenge[];
  renewed_at: string | null;
  hook: HookRun | null;
}

export function jsonStatus(view: FleetView, findings: readonly StatusFinding[]): JsonStatus {
  return {
    version: 1,
    at: isoSeconds(view.now),
    ok: stateOf(findings) === 0,
    balancers: view.rows.map((row) => jsonBalancer(row, findings)),
    findings: [...findings],
  };
}

/**
 * The object as text with its newline: indented, or in one line for a reader of lines. No control
 * character stands in it raw.
 */
export function formatStatusAsJson(status: JsonStatus, { oneLine = false } = {}): string {
  return printableLines(JSON.stringify(status, null, oneLine ? 0 : 2)) + "\n";
}

function jsonBalancer(row: BalancerRow, findings: readonly StatusFinding[]): JsonBalancer {
  const { name, address, report, silence, ms } = row;
  return {
    name,
    address,
    ok: report !== undefined &&
      !findings.some(({ about, level }) => about === name && level !== "note"),
    silence: silence ?? null,
    ms,
    version: report?.version ?? null,
    uptime_s: report?.uptime_s ?? null,
    config: report?.config ?? null,
    holds: report?.holds.map(({ address }) => address) ?? [],
    held_since: report?.holds.map(({ since }) => since) ?? [],
    ports: report?.ports ?? [],
    health: report?.health ?? { faults: [], notes: [] },
    connections: report?.connections ?? null,
    evicted: report?.evicted ?? null,
    peers: report?.peers ?? [],
    certificates: report?.certificates ?? [],
    certificates_total: report?.certificates_total ?? null,
    challenges: report?.challenges ?? [],
    renewed_at: report?.renewed_at ?? null,
    hook: report?.hook ?? null,
  };
}
