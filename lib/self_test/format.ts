/** The report as text for a person: a line for each path and each finding, the sum, the verdict. */

import { printable, printableLines } from "../log.ts";
import type { PathReport, SelfTestFinding, SelfTestReport } from "./findings.ts";
import { listed } from "./dns_findings.ts";

/** Of challenge ports that are well, but for the one that has the token. */
const OUTCOMES: { [outcome: string]: string } = { absent: "absent, as it should be" };

/** Lines, each with its end; text of servers is escaped. */
export function formatReport(report: SelfTestReport): string {
  // Faults that clients notice at once come before the paths.
  const [first, last] = [true, false].map((held) =>
    report.findings.filter(({ rule }) => rule.startsWith("address_") === held)
      .map((finding) => line(finding.level, `${finding.about}: ${said(finding)}`))
  );
  const lines = [
    ...first!,
    ...report.paths.flatMap(pathLines),
    ...last!,
    summary(report),
    report.verdict.text,
  ];
  return lines.map((text) => `${printable(text)}\n`).join("");
}

/** The report as one JSON object; see {@link SelfTestReport}. */
export function formatReportAsJson(report: SelfTestReport): string {
  // JSON itself leaves the controls from 0x7f on as they are.
  return printableLines(JSON.stringify(report, undefined, 2)) + "\n";
}

function pathLines({ port, address, of, outcome, ms, findings }: PathReport): string[] {
  const whose = of.length > 0 ? ` (${listed(of)})` : "";
  const name = `${port} ${address}${whose}`;
  const bad = findings.some(({ level }) => level !== "note");
  return [
    ...bad ? [] : [line("ok", `${name}: ${OUTCOMES[outcome] ?? outcome}, ${ms} ms`)],
    ...findings.map((finding) => line(finding.level, `${name}: ${said(finding)}`)),
  ];
}

function said({ rule, text }: SelfTestFinding): string {
  return `${rule}: ${text}`;
}

function line(level: string, text: string): string {
  return `${level.padEnd(4)}  ${text}`;
}

function summary({ ok, paths, findings }: SelfTestReport): string {
  const all = [...paths.flatMap((path) => path.findings), ...findings];
  const count = (level: string) => all.filter((finding) => finding.level === level).length;
  const warnings = count("warn");
  return `${counted(paths.length, "path")}: ${ok ? "all well" : counted(count("fail"), "fault")}` +
    (warnings > 0 ? `, ${counted(warnings, "warning")}` : "");
}

function counted(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
