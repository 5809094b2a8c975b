/**
 * A report for a person at a terminal: a table with what is due first on top, what is wrong, what
 * was passed over, and one line that sums it up.
 *
 * The place is the last column and never cut, because an operator copies it into the next command.
 */

import { startOf } from "../clip.ts";
import type { ExpiryRecord, ExpiryReport, State } from "./record.ts";
import { printable } from "../log.ts";
import { describeCounts, dueFirst, overallState } from "./due_order.ts";
import { formatRemaining, formatSpan } from "../time.ts";

interface TextOptions {
  /** Whether to colour the states, with ANSI sequences. */
  colour: boolean;
}

const HEAD = ["STATE", "LEFT", "EXPIRES (UTC)", "CERTIFICATE", "PLACE"];
const MAX_TITLE = 60;
const COLOURS: Record<State, number> = { OK: 32, UNKNOWN: 35, WARNING: 33, CRITICAL: 31 };

/** Several lines, each with its newline. Hostile text is escaped. */
export function formatText(report: ExpiryReport, { colour }: TextOptions): string {
  const paint = (state: State, text: string = state) =>
    colour ? `\x1b[${COLOURS[state]}m${text}\x1b[0m` : text;
  const records = dueFirst(report);
  const wrong = records.flatMap(({ place, findings }) =>
    findings.map(({ state, text }) => `${paint(state)}: ${printable(place)}: ${printable(text)}`)
  );
  const sections = [
    records.length > 0 ? table(records, { now: report.now, paint }) : [],
    wrong,
    report.notes.map((note) => `note: ${printable(note)}`),
    [`${paint(overallState(report))}: ${printable(summary(report))}`],
  ];
  const filled = sections.filter((lines) => lines.length > 0);
  return filled.map((lines) => lines.join("\n") + "\n").join("\n");
}

function table(
  records: ExpiryRecord[],
  { now, paint }: { now: Date; paint: (state: State, text?: string) => string },
): string[] {
  const rows = records.map((record) => cells(record, now));
  const widths = HEAD.map((_, column) =>
    Math.max(...[HEAD, ...rows].map((row) => columns(row[column]!)))
  );
  const line = (row: string[]) => row.map((cell, i) => pad(cell, widths[i]!));
  const body = rows.map((row, i) => {
    const [state, ...rest] = line(row);
    return [paint(records[i]!.state, state), ...rest];
  });
  return [line(HEAD), ...body].map((row) => row.join("  ").trimEnd());
}

function cells({ state, leaf, place }: ExpiryRecord, now: Date): string[] {
  if (!leaf) return [state, "-", "-", "-", printable(place)];
  const { notBefore, notAfter } = leaf;
  // RFC 5280 section 4.1.2.5: both ends belong to the validity, so 90 days end a second early.
  const lifetime = formatSpan(notAfter.getTime() - notBefore.getTime() + 1000);
  return [
    state,
    `${formatRemaining(now, notAfter)} of ${lifetime}`,
    notAfter.toISOString().slice(0, 16).replace("T", " "),
    shorten(printable(leaf.title)),
    printable(place),
  ];
}

function summary(report: ExpiryReport): string {
  const next = report.records.filter(({ leaf }) => leaf && leaf.notAfter >= report.now)
    .toSorted((a, b) => a.leaf!.notAfter.getTime() - b.leaf!.notAfter.getTime())[0];
  const counts = describeCounts(report);
  if (!next) return counts;
  return `${counts}; next to expire in ${formatRemaining(report.now, next.leaf!.notAfter)}: ` +
    `${startOf(next.leaf!.title, MAX_TITLE)}`;
}

function shorten(text: string): string {
  const characters = [...text];
  return characters.length > MAX_TITLE ? `${characters.slice(0, MAX_TITLE - 1).join("")}…` : text;
}

function pad(text: string, width: number): string {
  return text + " ".repeat(width - columns(text));
}

/** Characters outside the basic plane are two units of a string but one on the screen. */
function columns(text: string): number {
  return [...text].length;
}
