/** The fleet as text for a terminal: one line in sum, what is wrong, and a table for each question. */

import { printable } from "../log.ts";
import { formatRemaining, formatSpan } from "../time.ts";
import { type BalancerRow, certificatesOf, type FleetView, holdersOf } from "./fleet.ts";
import { outcomeOf } from "./reach.ts";
import { counted, countsOf, headlineOf } from "./headline.ts";
import type { StatusFinding } from "./status_finding.ts";

/** Challenges that a glance needs; JSON and the page have all. */
const CHALLENGES_SHOWN = 10;

/** Lines, each with its end; whatever balancers told is escaped. */
export function formatStatus(view: FleetView, findings: readonly StatusFinding[]): string {
  const lines = [
    summaryOf(view, findings),
    ...findings.map(({ level, about, text }) => printable(`${level.padEnd(4)}  ${about}: ${text}`)),
    ...section("virtual addresses", ["address", "held by", "since"], addressRows(view)),
    ...section(
      "balancers",
      ["name", "address", "answers", "version", "up", "configuration", "open", "evicted"],
      view.rows.map((row) => balancerCells(row)),
    ),
    ...section("who reaches whom", ["from", "to", "outcome", "when"], contactRows(view)),
    ...section(
      "certificates",
      ["at", "verdict", "left", "names", "place", "serial"],
      certificateRows(view),
    ),
    ...section("hooks", ["at", "result", "when", "client", "file"], hookRows(view)),
    ...section(
      "last challenges",
      ["when", "at", "token", "asked by", "found", "status", "ms"],
      challengeRows(view),
    ),
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

/** The first line: whether all is well, or what is not. */
function summaryOf(view: FleetView, findings: readonly StatusFinding[]): string {
  const counts = countsOf(findings);
  const whole = counted(view.rows.length, "balancer");
  const sum = counts === "" ? whole : `${counts} among ${whole}`;
  return printable(`${headlineOf(view, findings)} (${sum})`);
}

function section(title: string, head: string[], rows: string[][]): string[] {
  if (rows.length === 0) return [];
  const all = [head, ...rows].map((cells) => cells.map((cell) => printable(cell)));
  const widths = head.map((_, i) => Math.max(...all.map((cells) => cells[i]!.length)));
  const lines = all.map((cells) => cells.map((cell, i) => cell.padEnd(widths[i]!)).join("  "));
  return ["", `${title}:`, ...lines.map((line) => `  ${line}`)];
}

function addressRows(view: FleetView): string[][] {
  return view.expected.virtualAddresses.map((address) => {
    const holders = holdersOf(address, view);
    const since = holders.map(({ report }) => {
      const held = report!.holds.find((one) => one.address === address)!;
      return held.since === null ? "before its start" : agoText(view.now, held.since);
    });
    return [address, holders.map(({ name }) => name).join(" and ") || "nobody", since.join(", ")];
  });
}

function balancerCells({ name, address, here, report, silence, ms }: BalancerRow): string[] {
  const shown = here ? `${name} (here)` : name;
  if (!report) return [shown, address, silence ?? "timeout", "", "", "", "", ""];
  return [
    shown,
    address,
    `${ms} ms`,
    report.version,
    formatSpan(report.uptime_s * 1000),
    report.config.slice(0, 8),
    String(report.connections),
    String(report.evicted),
  ];
}

function contactRows({ rows }: FleetView): string[][] {
  return rows.flatMap((from) =>
    rows.filter((to) => to !== from).flatMap((to) => {
      const outcome = outcomeOf(from, to);
      if (outcome === undefined) return [];
      const told = from.report?.peers.find(({ peer }) => peer === to.address);
      const when = from.here ? "just now" : agoText(new Date(from.report!.now), told!.at);
      return [[from.name, to.name, outcome, when]];
    })
  );
}

function certificateRows(view: FleetView): string[][] {
  return certificatesOf(view).map(({ at, certificate }) => {
    const { verdict, names, place, serial, not_after } = certificate;
    return [
      at,
      verdict,
      not_after === null ? "" : formatRemaining(view.now, new Date(not_after)),
      names.length > 2 ? `${names.slice(0, 2).join(" ")} …` : names.join(" "),
      place,
      serial === null ? "" : serial.length > 16 ? `${serial.slice(0, 16)}…` : serial,
    ];
  });
}

function hookRows({ rows }: FleetView): string[][] {
  return rows.flatMap(({ name, report }) => {
    const hook = report?.hook;
    if (!hook) return [];
    const ago = agoText(new Date(report.now), hook.at);
    return [[name, hook.ok ? "done" : "failed", ago, hook.client, hook.out]];
  });
}

function challengeRows({ rows }: FleetView): string[][] {
  const all = rows.flatMap(({ name, report }) =>
    (report?.challenges ?? []).map((challenge) => ({ name, now: report!.now, ...challenge }))
  );
  return all.toSorted((a, b) => a.at < b.at ? 1 : a.at > b.at ? -1 : 0)
    .slice(0, CHALLENGES_SHOWN)
    .map(({ name, now, at, token, from, source, status, ms }) => [
      agoText(new Date(now), at),
      name,
      `${token}…`,
      from,
      source ?? "nowhere",
      String(status),
      String(ms),
    ]);
}

function agoText(now: Date, at: string): string {
  const then = new Date(at);
  return then < now ? formatRemaining(now, then) : "just now";
}
