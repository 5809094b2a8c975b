/**
 * A report for Nagios, Icinga and their kin, after the Monitoring Plugins' development guidelines:
 * `SSL STATE: text | perfdata` on one short line, more below it with -vv.
 *
 * Whatever stands in files and certificates could end the text early or fake figures, so `|`,
 * controls and newlines are escaped, and labels are made of harmless characters. What carries the
 * line is short of breath, so text and figures are bounded.
 */

import type { ExpiryRecord, ExpiryReport, Finding } from "./record.ts";
import { printable } from "../log.ts";
import { describeCounts, dueFirst, overallState } from "./due_order.ts";
import { formatRemaining, isoSeconds } from "../time.ts";

export interface NagiosOptions {
  /**
   * 0: what is worst, on one line. 1: the same line with everything that is not OK. 2: a line for
   * each record below it. 3: with the facts of each certificate and what was passed over.
   */
  verbosity: 0 | 1 | 2 | 3;
}

const MAX_TEXT = 160;
const MAX_VERBOSE_TEXT = 500;
const MAX_LINE = 400;
const MAX_LABEL = 40;
/** Bytes. NRPE before version 3 passes on 1,024 of them. */
const MAX_FIRST_LINE = 1000;

/** One line or several, each with its newline. */
export function formatNagios(report: ExpiryReport, { verbosity }: NagiosOptions): string {
  const records = dueFirst(report);
  const text = verbosity === 0
    ? headline(report, records)
    : cut(everyHeadline(report, records), MAX_VERBOSE_TEXT);
  const first = `SSL ${overallState(report)}: ${text}`;
  const more = verbosity < 2 ? [] : records.flatMap((record) => [
    `${record.state} ${describe(record, report.now)}`,
    ...(verbosity > 2 ? details(record) : []),
  ]);
  const notes = verbosity > 2 ? report.notes.map((note) => safe(`note: ${note}`)) : [];
  const below = [...more, ...notes].map((line) => cut(line, MAX_LINE));
  return [withFigures(first, figures(report, records)), ...below].join("\n") + "\n";
}

/** The worst thing, with the counts behind it when there is more than one record. */
function headline(report: ExpiryReport, records: ExpiryRecord[]): string {
  const [worst] = records;
  if (!worst) return describeCounts(report);
  const counts = records.length > 1 ? ` (${describeCounts(report)})` : "";
  return cut(describe(worst, report.now), MAX_TEXT) + counts;
}

function everyHeadline(report: ExpiryReport, records: ExpiryRecord[]): string {
  const wrong = records.filter(({ state }) => state !== "OK");
  if (wrong.length === 0) return headline(report, records);
  const all = wrong.map((record) => `[${record.state}] ${describe(record, report.now)}`);
  return `${describeCounts(report)}: ${all.join(" ")}`;
}

function describe({ place, findings, leaf }: ExpiryRecord, now: Date): string {
  if (findings.length > 0) return safe(`${place}: ${findings.map(({ text }) => text).join("; ")}`);
  const left = leaf && ` expires in ${formatRemaining(now, leaf.notAfter)}`;
  return safe(leaf ? `${leaf.title}${left}, ${place}` : place);
}

function details({ leaf, findings }: ExpiryRecord): string[] {
  const reasons = findings.map(({ state, reason }: Finding) => `${state} ${reason}`);
  const facts = leaf
    ? [
      `serial ${leaf.serial}, SHA-256 ${leaf.fingerprint}`,
      `issuer ${leaf.issuer}, key ${leaf.key}`,
      `valid ${isoSeconds(leaf.notBefore)} to ${isoSeconds(leaf.notAfter)}`,
      `names ${leaf.names.join(" ")}`,
    ]
    : [];
  return [...reasons, ...facts].map((text) => safe(`  ${text}`));
}

/** As many figures as fit, those of what is due first. */
function withFigures(text: string, figures: string[]): string {
  let line = text;
  for (const [index, figure] of figures.entries()) {
    const longer = `${line}${index === 0 ? " | " : " "}${figure}`;
    if (new TextEncoder().encode(longer).length > MAX_FIRST_LINE) break;
    line = longer;
  }
  return line;
}

/** `'label'=seconds left;warning;critical` of each record, U for what has no date. */
function figures({ now, records: all }: ExpiryReport, records: ExpiryRecord[]): string[] {
  const labels = labelsOf(all);
  return records.map((record) => {
    const { leaf, warningFrom, criticalFrom } = record;
    const label = `'${labels.get(record)}'`;
    if (!leaf) return `${label}=U`;
    const left = (at: Date) => Math.floor((leaf.notAfter.getTime() - at.getTime()) / 1000);
    // The strict range: `20:` alerts below 20, where a bare 20 would alert above it.
    const range = (from?: Date) => from ? `${left(from)}:` : "";
    return `${label}=${left(now)}s;${range(warningFrom)};${range(criticalFrom)}`;
  });
}

/**
 * A label for each record: its place without directories, or with them where two would be the
 * same. They depend on the places alone and not on what is due, so that graphs go on.
 */
function labelsOf(records: ExpiryRecord[]): Map<ExpiryRecord, string> {
  const sorted = records.toSorted((a, b) => a.place < b.place ? -1 : 1);
  const short = Map.groupBy(sorted, ({ place }) => label(place.replace(/\/\S*\//g, "")));
  const labels = new Map<ExpiryRecord, string>();
  const taken = new Set<string>();
  for (const [name, owners] of short) {
    for (const record of owners) {
      const wanted = owners.length === 1 ? name : label(record.place);
      // No other label holds a #, and no two of them the same number.
      const free = taken.has(wanted) ? `${wanted.slice(0, MAX_LABEL - 6)}#${taken.size}` : wanted;
      taken.add(free);
      labels.set(record, free);
    }
  }
  return labels;
}

/** The end of a long text tells more than its beginning. */
function label(text: string): string {
  return text.replace(/[^A-Za-z0-9 .:/@()[\]_-]/g, "_").slice(-MAX_LABEL).trim() || "_";
}

/** Nagios takes what follows a `|` for figures, in any line. */
function safe(text: string): string {
  return printable(text).replaceAll("|", "\\x7c");
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
