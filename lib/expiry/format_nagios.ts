/**
 * A report for Nagios, Icinga and compatible systems, by the Monitoring Plugins' development
 * guidelines: `SSL STATE: text | perfdata` on one short line, more below it with -vv.
 *
 * Content of files and certificates could end the text early or forge performance data, so `|`,
 * controls and newlines are escaped, and labels use safe characters. Nagios cuts output after 8
 * KiB, so text and performance data are bounded, and the line says how many figures are left out.
 */

import { clip } from "../clip.ts";
import type { ExpiryFinding, ExpiryRecord, ExpiryReport } from "./record.ts";
import { printable } from "../log.ts";
import { describeCounts, dueFirst, overallState } from "./due_order.ts";
import { formatRemaining, isoSeconds } from "../time.ts";

interface NagiosOptions {
  /**
   * 0: what is worst, on one line. 1: the same line with everything that is not OK. 2: a line for
   * each record below it. 3: with the facts of each certificate and what was passed over.
   */
  verbosity: 0 | 1 | 2 | 3;
}

const MAX_TEXT = 160;
const MAX_VERBOSE_TEXT = 500;
const MAX_LINE = 400;
const MAX_LABEL = 120;
/** Bytes. Nagios reads 8,192 (MAX_PLUGIN_OUTPUT_LENGTH), NRPE since version 3 passes on 65,536. */
const MAX_FIRST_LINE = 8000;

/** One line or several, each with its newline. */
export function formatNagios(report: ExpiryReport, { verbosity }: NagiosOptions): string {
  const records = dueFirst(report);
  const text = verbosity === 0
    ? headline(report, records)
    : clip(everyHeadline(report, records), MAX_VERBOSE_TEXT);
  const first = `SSL ${overallState(report)}: ${text}`;
  const more = verbosity < 2 ? [] : records.flatMap((record) => [
    `${record.state} ${describe(record, report.now)}`,
    ...(verbosity > 2 ? details(record) : []),
  ]);
  const notes = verbosity > 2 ? report.notes.map((note) => safe(`note: ${note}`)) : [];
  const below = [...more, ...notes].map((line) => clip(line, MAX_LINE));
  return [withFigures(first, figures(report)), ...below].join("\n") + "\n";
}

/** The worst thing, with the counts behind it when there is more than one record. */
function headline(report: ExpiryReport, records: ExpiryRecord[]): string {
  const [worst] = records;
  if (!worst) return describeCounts(report);
  const counts = records.length > 1 ? ` (${describeCounts(report)})` : "";
  return clip(describe(worst, report.now), MAX_TEXT) + counts;
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
  const reasons = findings.map(({ state, reason }: ExpiryFinding) => `${state} ${reason}`);
  const facts = leaf
    ? [
      `serial ${leaf.serial}${leaf.fingerprint ? `, SHA-256 ${leaf.fingerprint}` : ""}`,
      `issuer ${leaf.issuer}, key ${leaf.key}`,
      `valid ${isoSeconds(leaf.notBefore)} to ${isoSeconds(leaf.notAfter)}`,
      `names ${leaf.names.join(" ")}`,
    ]
    : [];
  return [...reasons, ...facts].map((text) => safe(`  ${text}`));
}

/** As many figures as fit, with a remark in the text when some do not. */
function withFigures(text: string, figures: string[]): string {
  const size = (line: string) => new TextEncoder().encode(line).length;
  const cutWords = (shown: number) =>
    ` (${figures.length - shown} of ${figures.length} figures left out)`;
  const room = MAX_FIRST_LINE - size(`${text} |`);
  const roomWhenCut = room - size(cutWords(0));
  let used = 0;
  let shown = 0;
  for (const figure of figures) {
    used += size(figure) + 1;
    if (used > room) break;
    if (used <= roomWhenCut) shown++;
  }
  if (used <= room) shown = figures.length;
  const words = shown < figures.length ? cutWords(shown) : "";
  return shown > 0 ? `${text}${words} | ${figures.slice(0, shown).join(" ")}` : `${text}${words}`;
}

/**
 * `'label'=seconds left;warning;critical` of each record, U for what has no date. In the order of
 * the places, so that what is left out does not change with what is due.
 */
function figures({ now, records }: ExpiryReport): string[] {
  const sorted = records.toSorted((a, b) => {
    const [one, other] = [a, b].map(({ source, place }) => `${source} ${place}`);
    return one! < other! ? -1 : one! > other! ? 1 : 0;
  });
  const taken = new Map<string, number>();
  return sorted.map((record) => {
    const { leaf, warningFrom, criticalFrom } = record;
    const label = labelOf(record);
    // The same place twice, as two names that are not UTF-8 may be shown.
    const times = (taken.get(label) ?? 0) + 1;
    taken.set(label, times);
    const quoted = `'${label}${times > 1 ? `#${times}` : ""}'`;
    if (!leaf) return `${quoted}=U`;
    const left = (at: Date) => Math.floor((leaf.notAfter.getTime() - at.getTime()) / 1000);
    // The strict range: `20:` alerts below 20, where a bare 20 would alert above it.
    const range = (from?: Date) => from ? `${left(from)}:` : "";
    return `${quoted}=${left(now)}s;${range(warningFrom)};${range(criticalFrom)}`;
  });
}

/**
 * The record's place, for an endpoint behind what was typed. It depends only on the record, so that
 * a graph continues when other records come, go or become due.
 */
function labelOf({ place, target }: ExpiryRecord): string {
  const typed = target === undefined || place.startsWith(target) ? "" : `${target} `;
  const text = `${typed}${place}`;
  const harmless = text.replace(/[^A-Za-z0-9 .,:/@()[\]*_-]/g, "_").trim();
  if (harmless === text && text.length <= MAX_LABEL && text !== "") return text;
  // The end of a long text is more useful than its beginning.
  return `${harmless.slice(-MAX_LABEL)}#${digestOf(text)}`;
}

/** FNV-1a of the text's UTF-16 units: tells labels apart that came to the same characters. */
function digestOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** Nagios takes what follows a `|` for figures, in any line. */
function safe(text: string): string {
  return printable(text).replaceAll("|", "\\x7c");
}
