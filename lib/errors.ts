/**
 * The errors that an operator sees, each with its exit code.
 *
 * Each is one line on stderr, prefixed `acme-lb: `, that says what is wrong, where, and what to do.
 * Results go to stdout. An error of any other class is a defect of acme-lb; main.ts says so and
 * exits with 1.
 */

/** Exit codes after sysexits(3); `check-expiry` uses the codes of monitoring plugins instead. */
export const EXIT = { done: 0, failed: 1, usage: 64, config: 78 } as const;

/** The command line is wrong. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The configuration file is wrong: one line for each mistake, each with file, line and column. */
export class ConfigError extends Error {
  override name = "ConfigError";
  constructor(readonly lines: string[]) {
    super(lines.join("\n"));
  }
}

/** The job itself failed, for a reason outside the program. */
export class JobError extends Error {
  override name = "JobError";
}

/** The message of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, " ").trim();
}
