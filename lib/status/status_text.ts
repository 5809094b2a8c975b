/** The fleet as text for a terminal: one line in sum, what is wrong, and a table for each question. */

import { printable } from "../log.ts";
import { formatRemaining, formatSpan, isoSeconds } from "../time.ts";
import { agoAt } from "./instants.ts";
import type { BalancerRow, FleetView } from "./fleet.ts";
import { certificatesOf, challengesOf, heldBy, heldSince, holdersOf } from "./fleet_facts.ts";
import { counted, countsOf, headlineOf } from "./headline.ts";
import { isReached, outcomeOf } from "./reach.ts";
import type { StatusFinding } from "./status_finding.ts";
import { tableLines, type Width, wrapped } from "../text_layout.ts";

/** Challenges that a glance needs; JSON and the page have all. */
const CHALLENGES_SHOWN = 10;

interface StatusTextOptions {
  /** Findings are wrapped to it, and tables cut. */
  width?: Width;
  /** The second line says when it was, for looks that follow each other. */
  dated?: boolean;
}

/** Lines, each with its end; text of balancers is escaped. */
export function formatStatus(
  view: FleetView,
  findings: readonly StatusFinding[],
  { width, dated = false }: StatusTextOptions = {},
): string {
  const table = (title: string, head: string[], rows: string[][]) =>
    tableLines(title, { head, rows, width });
  const lines = [
    summaryOf(view, findings),
    ...dated ? [`at ${isoSeconds(view.now)}`] : [],
    ...findings.flatMap(({ level, about, text }) =>
      wrapped(printable(`${level.padEnd(4)}  ${about}: ${text}`), { width, indent: 6 })
    ),
    ...table("virtual addresses", ["address", "held by", "since"], addressRows(view)),
    ...table(
      "balancers",
      ["name", "address", "answers", "version", "up", "config", "connections"],
      view.rows.map((row) => balancerCells(row)),
    ),
    ...table("who reaches whom", ["from", "reaches", "does not reach"], reachRows(view)),
    ...table("certificates", ["at", "verdict", "left", "names", "place"], certificateRows(view)),
    ...table("hooks", ["at", "result", "when", "client", "file"], hookRows(view)),
    ...table(
      "last challenges",
      ["when", "at", "token", "asked by", "found", "status", "ms"],
      challengeRows(view),
    ),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** The first line: whether all is well, or what is not. */
function summaryOf(view: FleetView, findings: readonly StatusFinding[]): string {
  const counts = countsOf(findings);
  const whole = counted(view.rows.length, "balancer");
  const sum = counts === "" ? whole : `${counts} among ${whole}`;
  return printable(`${headlineOf(view, findings)} (${sum})`);
}

function addressRows(view: FleetView): string[][] {
  return view.expected.virtualAddresses.map((address) => [
    address,
    heldBy(address, view),
    heldSince(address, holdersOf(address, view)),
  ]);
}

function balancerCells({ name, address, here, report, silence, ms }: BalancerRow): string[] {
  const shown = here ? `${name} (here)` : name;
  if (!report) return [shown, address, silence ?? "timeout", "", "", "", ""];
  return [
    shown,
    address,
    `${ms} ms`,
    report.version,
    formatSpan(report.uptime_s * 1000),
    report.config.slice(0, 8),
    report.evicted > 0
      ? `${report.connections}, evicted ${report.evicted}`
      : `${report.connections}`,
  ];
}

/** A row for each balancer that asked another; those it did not reach with what came of it. */
function reachRows({ rows }: FleetView): string[][] {
  return rows.flatMap((from) => {
    const asked = rows.filter((to) => to !== from).flatMap((to) => {
      const outcome = outcomeOf(from, to);
      return outcome === undefined ? [] : [{ to, outcome }];
    });
    if (asked.length === 0) return [];
    const [reached, failed] = [true, false].map((good) =>
      asked.filter(({ outcome }) => isReached(outcome) === good)
    );
    return [[
      from.name,
      reached!.map(({ to }) => to.name).join(", ") || "none",
      failed!.map(({ to, outcome }) => `${to.name} (${outcome}, ${whenOf(from, to)})`).join(", "),
    ]];
  });
}

/** When the last question was asked. */
function whenOf(from: BalancerRow, to: BalancerRow): string {
  if (from.here) return "just now";
  const told = from.report!.peers.find(({ peer }) => peer === to.address)!;
  return agoAt(told.at, from.report!);
}

function certificateRows(view: FleetView): string[][] {
  return certificatesOf(view).map(({ at, certificate }) => {
    const { verdict, names: [name = "", ...more], place, not_after } = certificate;
    return [
      at,
      verdict,
      not_after === null ? "" : formatRemaining(view.now, new Date(not_after)),
      more.length > 0 ? `${name} +${more.length}` : name,
      place,
    ];
  });
}

function hookRows({ rows }: FleetView): string[][] {
  return rows.flatMap(({ name, report }) => {
    const hook = report?.hook;
    if (!hook) return [];
    return [[name, hook.ok ? "done" : "failed", agoAt(hook.at, report), hook.client, hook.out]];
  });
}

function challengeRows(view: FleetView): string[][] {
  return challengesOf(view).slice(0, CHALLENGES_SHOWN).map(({ at, ago, found, challenge }) => {
    const { token, from, status, ms } = challenge;
    return [ago, at, `${token}…`, from, found, String(status), String(ms)];
  });
}
