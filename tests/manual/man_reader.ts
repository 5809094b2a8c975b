/** Runs groff and mandoc, which format man pages and report their faults. */

import { runPiped } from "../piped.ts";

export type Reader = "groff" | "mandoc";

export const READERS: Reader[] = ["groff", "mandoc"];

/** The page as readers see it, without overstrikes. */
export async function formatted(reader: Reader, page: string): Promise<string> {
  const args = reader === "groff"
    ? ["-man", "-Tutf8", "-P-c", "-P-b", "-P-u"]
    : ["-Tutf8", "-Owidth=78"];
  const { stdout } = await runPiped(reader, args, page);
  // deno-lint-ignore no-control-regex -- mandoc writes bold and underlined text twice
  return stdout.replace(/.\x08/g, "");
}

/** A line for each complaint. */
export async function lint(reader: Reader, page: string): Promise<string[]> {
  const args = reader === "groff" ? ["-man", "-ww", "-Tutf8"] : ["-Tlint"];
  const { stdout, stderr } = await runPiped(reader, args, page);
  const complaints = reader === "groff" ? stderr : stdout;
  // A date would be that of the printing: see man_page.ts.
  return complaints.split("\n").filter((line) => line !== "" && !line.includes("missing date"));
}
