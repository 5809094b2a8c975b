/** The whole fleet in one line: `all is well`, or the first thing that is not. */

import { startOf } from "../clip.ts";
import type { FleetView } from "./fleet.ts";
import { stateOf } from "./fleet_findings.ts";
import type { StatusFinding } from "./status_finding.ts";

/** What a headline has room for. */
const MOST = 160;

/** `all is well`, or the first finding without its causes and remedies; may hold told text. */
export function headlineOf({ rows }: FleetView, findings: readonly StatusFinding[]): string {
  const [first] = findings;
  if (rows.length === 0) return "no balancer is known";
  if (stateOf(findings) === 0 || !first) return "all is well";
  // The cause follows a colon, a semicolon, or a full stop; addresses hold colons without a space.
  const clause = `${first.about}: ${first.text.split(/[:;.] /)[0]}`;
  return clause.length > MOST ? `${startOf(clause, MOST)}…` : clause;
}

/** `2 faults, 1 warning`; "" without any. */
export function countsOf(findings: readonly StatusFinding[]): string {
  const count = (level: string) => findings.filter((one) => one.level === level).length;
  const [faults, warnings] = [count("fail"), count("warn")];
  return [
    ...faults > 0 ? [counted(faults, "fault")] : [],
    ...warnings > 0 ? [counted(warnings, "warning")] : [],
  ].join(", ");
}

export function counted(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
