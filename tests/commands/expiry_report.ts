/** Runs `acme-lb check-expiry` and reads its JSON. */

import type { JsonRecord, JsonReport } from "../../lib/expiry/format_json.ts";
import { acmeLb, type ProgramOptions } from "./program.ts";

export interface Checked {
  code: number;
  stderr: string;
  report: JsonReport;
  /** By place, with the directory of the test taken away: `WARNING placeholder`. */
  summaries: Record<string, string>;
}

/** @param directory what to leave out of places */
export async function check(
  directory: string,
  args: string[],
  options: ProgramOptions = {},
): Promise<Checked> {
  const { code, stdout, stderr } = await acmeLb(
    ["check-expiry", "--format", "json", ...args],
    options,
  );
  if (stdout === "") throw new Error(`no report, exit code ${code}: ${stderr}`);
  const report: JsonReport = JSON.parse(stdout);
  const summaries = Object.fromEntries(
    report.records.map((record) => [record.place.replace(`${directory}/`, ""), summary(record)]),
  );
  return { code, stderr, report, summaries };
}

function summary({ state, findings }: JsonRecord): string {
  return [state, findings.map(({ reason }) => reason).join(", ")].filter(Boolean).join(" ");
}
