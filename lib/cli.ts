/**
 * The command line: the one place where `commander` is used.
 *
 * Chosen over @std/cli (published only on JSR, and lenient about unknown flags) because it refuses
 * unknown flags and suggests the nearest known one. Only the requested subcommand is loaded, so a
 * hook does not spend time on loading the server.
 */

import { Argument, type Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { Command as Program } from "commander";
import { ConfigError, EXIT, JobError, messageOf, UsageError } from "./errors.ts";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "./log.ts";
import { systemReason } from "./system_reason.ts";

export { Argument, type Command, Option };

/** The flags that every subcommand takes. */
export interface GlobalOptions {
  config?: string;
  logFormat: LogFormat;
  logLevel: LogLevel;
}

/** What a subcommand's file exports. */
export interface Subcommand<Options = Record<string, unknown>> {
  /** Adds the command's operands, flags and examples. */
  configure(command: Command): void;
  /** Changes the arguments before they are read, where an operand may look like a flag. */
  rewrite?(args: string[]): string[];
  /** Does the job; the exit code is returned, errors are thrown. */
  run(options: Options & GlobalOptions, operands: string[]): Promise<number>;
}

/** A row of main.ts's table. */
export interface CommandEntry {
  summary: string;
  load(): Promise<Subcommand<never>>;
  /** The exit code of every failure, where a convention requires codes other than those of EXIT. */
  failureExit?: number;
}

export interface CliOptions {
  name: string;
  description: string;
  version: string;
  commands: Record<string, CommandEntry>;
}

/** What the command line came to: an exit code, or the line to print with it. */
interface CliResult {
  code: number;
  error?: unknown;
}

/** Without a terminal, or with one whose width is unknown. */
const DEFAULT_WIDTH = 80;

/** Runs the subcommand that `args` name. Help and version go to stdout. Never throws. */
export async function runCommandLine(args: string[], options: CliOptions): Promise<CliResult> {
  const chosen = chosenCommand(args);
  const entry = chosen !== undefined && Object.hasOwn(options.commands, chosen)
    ? options.commands[chosen]
    : undefined;
  let code: number = EXIT.done;
  try {
    const subcommand = await entry?.load() as Subcommand | undefined;
    const program = buildProgram(options, {
      loaded: subcommand ? { [chosen!]: subcommand } : {},
      finish: (result) => code = result,
    });
    await program.parseAsync(subcommand?.rewrite?.(args) ?? args, { from: "user" });
    return { code };
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return { code: EXIT.done };
      const known = entry ? chosen : undefined;
      return { code: entry?.failureExit ?? EXIT.usage, error: usageError(error, known) };
    }
    return { code: entry?.failureExit ?? exitCodeOf(error), error };
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  return error instanceof ConfigError ? EXIT.config : EXIT.failed;
}

/** A value of a repeatable flag or operand, checked by `parse`; its error becomes a usage error. */
export function checked<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError(messageOf(error));
    }
  };
}

/** Collects the values of a repeatable flag, each checked by `parse`. */
export function repeatable<T>(parse: (text: string) => T): (text: string, before?: T[]) => T[] {
  const check = checked(parse);
  return (text, before = []) => [...before, check(text)];
}

/** The whole command line, with the flags of every command. */
export async function loadProgram(options: CliOptions): Promise<Command> {
  const loaded: Record<string, Subcommand> = {};
  for (const [name, { load }] of Object.entries(options.commands)) {
    loaded[name] = await load() as Subcommand;
  }
  return buildProgram(options, { loaded });
}

function buildProgram(
  options: CliOptions,
  { loaded, finish }: {
    /** Those whose flags and operands are read; the rest are names. */
    loaded: Record<string, Subcommand>;
    finish?: (code: number) => void;
  },
): Command {
  const program = new Program(options.name)
    .description(options.description)
    .version(options.version)
    .option(
      "--config <file>",
      "configuration file (default: /etc/acme-lb/config.yaml if it exists)",
    )
    .addOption(
      new Option("--log-format <format>", "format of the log, one event per line")
        .choices(LOG_FORMATS).default("text"),
    )
    .addOption(
      new Option("--log-level <level>", "lowest level to log").choices(LOG_LEVELS).default("info"),
    )
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeErr: () => {},
      writeOut: writeToStdout,
      // Set here, so that commander looks at neither terminal nor environment: help is plain text
      // everywhere.
      getOutHelpWidth: terminalWidth,
      getErrHelpWidth: () => DEFAULT_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .exitOverride();
  for (const [name, { summary }] of Object.entries(options.commands)) {
    const command = program.command(name).summary(summary).description(summary)
      .helpOption("-h, --help", "display help for the command");
    const subcommand = loaded[name];
    if (!subcommand) continue;
    subcommand.configure(command);
    command.action(async () => {
      finish?.(await subcommand.run(command.optsWithGlobals() as never, command.args));
    });
  }
  return program;
}

/** The first word that is neither a flag nor the value of a global flag. */
function chosenCommand(args: string[]): string | undefined {
  for (let i = 0; i < args.length; i++) {
    if (["--config", "--log-format", "--log-level"].includes(args[i]!)) i++;
    else if (!args[i]!.startsWith("-")) return args[i];
  }
  return undefined;
}

/** The parser's message on one line, with the command whose help tells more. */
function usageError(error: CommanderError, command: string | undefined): UsageError {
  if (error.code === "commander.help") {
    return new UsageError("no command given; see acme-lb --help");
  }
  const text = error.message.replace(/^error: /, "").replace(/\s+/g, " ").trim()
    .replace(". Allowed choices", ": allowed choices")
    .replace(" is invalid. ", " is invalid: ").replace(/\.$/, "");
  const help = ["acme-lb", command, "--help"].filter((word) => word !== undefined).join(" ");
  return new UsageError(`${text}; see ${help}`);
}

/** Columns that help is wrapped to. */
function terminalWidth(): number {
  const { columns } = Deno.stdout.isTerminal() ? Deno.consoleSize() : { columns: 0 };
  return columns > 0 ? columns : DEFAULT_WIDTH;
}

const encoder = new TextEncoder();

/**
 * It is not an error that the reader has closed the pipe (`acme-lb --help | head -1`).
 * @returns whether there is still a reader
 * @throws {JobError} for any other reason, such as a full disk
 */
export function writeToStdout(text: string): boolean {
  try {
    const bytes = encoder.encode(text);
    for (let sent = 0; sent < bytes.length;) sent += Deno.stdout.writeSync(bytes.subarray(sent));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw new JobError(`cannot write to standard output: ${systemReason(error)}`, { cause: error });
  }
}
