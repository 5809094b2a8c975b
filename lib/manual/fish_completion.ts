/** Completion for fish: one `complete` for each command, flag and operand, with its description. */

import type { FlagUsage, Usage, ValueUsage } from "../usage.ts";

export function fishCompletion({ name, flags, commands }: Usage): string {
  const id = `__${name.replace(/[^A-Za-z0-9]/g, "_")}`;
  const at = (command: string, operands = "-ge 0") =>
    `-n ${quote(`${id}_at ${quote(command)} ${operands}`)}`;
  const valued = [...flags, ...commands.flatMap(({ flags }) => flags)].filter(({ value }) => value);
  const valuedNames = new Set(valued.flatMap(({ short, long }) => short ? [long, short] : [long]));
  const lines = [
    "-f",
    ...commands.map(({ name, summary }) =>
      `${at("")} -a ${quote(quote(name))} -d ${quote(summary)}`
    ),
    ...flags.map(flagWords),
    ...commands.flatMap(({ name, flags, operands }) => [
      ...flags.map((flag) => `${at(name)} ${flagWords(flag)}`),
      ...operands.map(({ value, variadic, description }, index) =>
        `${at(name, `${variadic ? "-ge" : "-eq"} ${index}`)} ${valueWords(value)} ` +
        `-d ${quote(description)}`
      ),
    ]),
  ];
  return `# fish completion for ${name}, printed by: ${name} generate fish

# Whether the line so far names this command, or none when asked so, and as many operands.
function ${id}_at --argument-names wanted comparison count
    set -l found
    set -l operands 0
    set -l value
    for word in (commandline -opc)[2..-1]
        if set -q value[1]
            set -e value[1]
        else if contains -- $word ${[...valuedNames].map(quote).join(" ")}
            set value yes
        else if string match -q -- '-*' $word
            continue
        else if not set -q found[1]
            set found $word
        else
            set operands (math $operands + 1)
        end
    end
    if test -z "$wanted"
        not set -q found[1]
        return
    end
    test "$found" = "$wanted"
    and test $operands $comparison $count
end

${lines.map((words) => `complete -c ${quote(name)} ${words}`).join("\n")}
`;
}

function flagWords({ short, long, value, description }: FlagUsage): string {
  return [
    `-l ${quote(long.replace(/^--/, ""))}`,
    ...short === undefined ? [] : [`-s ${quote(short.replace(/^-/, ""))}`],
    ...value ? [`-r ${valueWords(value)}`] : [],
    `-d ${quote(description)}`,
  ].join(" ");
}

function valueWords({ takes, choices }: ValueUsage): string {
  // The list is expanded when it is used, so each word is quoted within it.
  if (choices.length > 0) return `-f -a ${quote(choices.map(quote).join(" "))}`;
  return { file: "-F", directory: "-f -a '(__fish_complete_directories)'", text: "-f" }[takes];
}

function quote(text: string): string {
  return `'${text.replace(/\p{Cc}+/gu, " ").replace(/[\\']/g, "\\$&")}'`;
}
