/**
 * The command line as plain values: commands, operands, flags and what their values are.
 *
 * Read from the very definitions that parse the command line and print --help, so that the man
 * page and the completions cannot tell of a flag that is refused, or forget one.
 */

import type { Command, Option } from "./cli.ts";

export interface Usage {
  name: string;
  description: string;
  /** The flags that every command takes. */
  flags: FlagUsage[];
  commands: CommandUsage[];
}

export interface CommandUsage {
  name: string;
  summary: string;
  /** All behind the command's name, such as `[options] <action> <token>`. */
  synopsis: string;
  operands: OperandUsage[];
  /** Beside those of every command. */
  flags: FlagUsage[];
  /** What --help says after the flags: examples, and what must be known beside them. */
  notes: string;
}

export interface FlagUsage {
  /** Such as `-h`; undefined when there is only the long form. */
  short: string | undefined;
  long: string;
  /** Undefined when the flag takes none. */
  value: ValueUsage | undefined;
  /** With its choices and default, as --help tells them. */
  description: string;
  /** The heading that it stands under. */
  heading: string;
}

export interface OperandUsage {
  value: ValueUsage;
  /** Any number of them, to the end of the line. */
  variadic: boolean;
  description: string;
}

export interface ValueUsage {
  /** As in `<file>`, without the brackets. */
  placeholder: string;
  takes: "file" | "directory" | "text";
  /** The only values there are; empty when there is no such list. */
  choices: string[];
}

const DEFAULT_HEADING = "Options:";

/** Reads a program whose commands are all configured. */
export function usageOf(program: Command): Usage {
  return {
    name: program.name(),
    description: program.description(),
    flags: flagsOf(program),
    commands: program.commands.map((command) => ({
      name: command.name(),
      summary: command.summary(),
      synopsis: command.usage(),
      operands: command.registeredArguments.map((operand) => ({
        value: valueOf(operand.name(), operand.argChoices),
        variadic: operand.variadic,
        description: command.createHelp().argumentDescription(operand),
      })),
      flags: flagsOf(command).filter(({ long }) => long !== "--help"),
      notes: notesOf(command),
    })),
  };
}

function flagsOf(command: Command): FlagUsage[] {
  const help = command.createHelp();
  return help.visibleOptions(command).map((option) => ({
    short: option.short,
    long: option.long ?? option.flags,
    value: option.required || option.optional
      ? valueOf(placeholderOf(option), option.argChoices)
      : undefined,
    description: help.optionDescription(option),
    heading: option.helpGroupHeading ?? DEFAULT_HEADING,
  }));
}

function placeholderOf({ flags }: Option): string {
  return /[<[](.*?)(?:\.\.\.)?[>\]]/.exec(flags)?.[1] ?? "value";
}

/** The placeholder's name says what the value is: that is the convention of this command line. */
function valueOf(placeholder: string, choices: readonly string[] = []): ValueUsage {
  const names = placeholder.toLowerCase().split(/[^a-z]+/);
  const takes = ["file", "path", "paths", "socket"].some((name) => names.includes(name))
    ? "file"
    : names.includes("dir") || names.includes("directory")
    ? "directory"
    : "text";
  return { placeholder, takes, choices: [...choices] };
}

/** The only way to get the text after the help is to print all of it. */
function notesOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => text += part });
  command.outputHelp();
  return text.slice(command.helpInformation().length).trim();
}
