/**
 * The man page, in the man(7) macros that groff and mandoc both read.
 *
 * Commands, operands, flags and examples come from the command line's own definitions; what no
 * definition holds (files, environment, signals) stands in manual_text.ts. It has no date: the
 * version says which program it belongs to, and the same version gives the same page.
 */

import type { CommandUsage, FlagUsage, Usage } from "../usage.ts";
import {
  ENVIRONMENT,
  EXAMPLES,
  EXIT_STATUS,
  FILES,
  SEE_ALSO,
  SIGNALS,
  STORY,
} from "./manual_text.ts";
import { bold, escapeRoff, filled, italic, paragraph, tagged, verbatim } from "./roff.ts";

/** The section of administrators' commands. */
const SECTION = "8";

export function manPage(usage: Usage, version: string): string {
  const title = usage.name.toUpperCase();
  return [
    `.TH ${escapeRoff(title)} ${SECTION} "" "${escapeRoff(`${usage.name} ${version}`)}"`,
    section("NAME", named(usage)),
    section("SYNOPSIS", ...synopsis(usage)),
    section("DESCRIPTION", ...STORY.map(paragraph)),
    section("COMMANDS", ...usage.commands.map((command) => commandPart(usage.name, command))),
    section(
      "OPTIONS",
      paragraph("Every command takes these, before or after its name."),
      ...usage.flags.map(flagPart),
    ),
    section("FILES", ...entries(FILES)),
    section("ENVIRONMENT", ...entries(ENVIRONMENT)),
    section("EXIT STATUS", ...entries(EXIT_STATUS)),
    section("SIGNALS", ...entries(SIGNALS)),
    section(
      "EXAMPLES",
      ...EXAMPLES.flatMap(([what, text]) => [paragraph(what), verbatim(text)]),
    ),
    section("SEE ALSO", paragraph(SEE_ALSO)),
  ].join("\n") + "\n";
}

function section(heading: string, ...parts: string[]): string {
  // A heading begins a paragraph itself.
  return [`.SH "${heading}"`, parts.join("\n").replace(/^\.PP\n/, "")].join("\n");
}

function synopsis({ name, commands }: Usage): string[] {
  return commands.map((command, index) =>
    [
      ...(index > 0 ? [".br"] : []),
      `${bold(`${name} ${command.name}`)} ${escapeRoff(command.synopsis)}`,
    ].join("\n")
  );
}

function commandPart(program: string, command: CommandUsage): string {
  const { name, summary, operands, flags, notes } = command;
  return [
    `.SS "${escapeRoff(name)}"`,
    `${bold(`${program} ${name}`)} ${escapeRoff(command.synopsis)}`,
    paragraph(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`),
    ...operands.map(({ value, variadic, description }) =>
      tagged(italic(value.placeholder) + (variadic ? "\\ ..." : ""), description)
    ),
    ...[...Map.groupBy(flags, ({ heading }) => heading)].flatMap(([heading, group]) => [
      paragraph(heading),
      ...group.map(flagPart),
    ]),
    ...notes.split(/\n{2,}/).filter((block) => block !== "").flatMap(notePart),
  ].join("\n");
}

function flagPart({ short, long, value, description }: FlagUsage): string {
  const names = [short, long].filter((name) => name !== undefined).map(bold).join(", ");
  return tagged(value ? `${names} ${italic(value.placeholder)}` : names, description);
}

/** A block of indented lines, headed or not, keeps its lines; anything else is a paragraph. */
function notePart(block: string): string[] {
  const lines = block.split("\n");
  const start = lines.findIndex((line) => line.startsWith(" "));
  if (start < 0) return [paragraph(block)];
  const before = lines.slice(0, start).join("\n");
  return [...before === "" ? [] : [paragraph(before)], verbatim(lines.slice(start).join("\n"))];
}

function entries(list: [string, string][]): string[] {
  return list.map(([name, text]) => tagged(bold(name), text));
}

/** The line that `apropos` shows, by convention without a full stop. */
function named({ name, description }: Usage): string {
  return `${escapeRoff(name)} \\-\n${filled(description.replace(/\.$/, ""))}`;
}
