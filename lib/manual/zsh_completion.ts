/** Completion for zsh, by its own `_arguments`: flags, choices and files with their descriptions. */

import type { CommandUsage, FlagUsage, Usage, ValueUsage } from "../usage.ts";
import { shellQuote as quote } from "../shell_quote.ts";

export function zshCompletion({ name, flags, commands }: Usage): string {
  const id = `_${name}`;
  const described = commands.map(({ name, summary }) => `${fields(name)}:${fields(summary)}`);
  const list = (texts: string[]) => texts.map((text) => `    ${quote(text)}`).join("\n");
  return `#compdef ${name}
# zsh completion for ${name}, printed by: ${name} generate zsh

${id}() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  local -a commands everywhere
  commands=(
${list(described)}
  )
  everywhere=(
${list(flags.flatMap(flagSpecs))}
  )

  _arguments -C -S "$everywhere[@]" '1:command:->command' '*::operand:->operand'
  case $state in
    command) _describe -t commands command commands ;;
    operand)
      case $words[1] in
${commands.map(commandLines).join("\n")}
      esac
      ;;
  esac
}

# Found by compinit, this file is read when it is needed, and completes at once.
if [[ $funcstack[1] == ${id} ]]; then ${id} "$@"; else compdef ${id} ${name}; fi
`;
}

function commandLines({ name, flags, operands }: CommandUsage): string {
  const specs = [
    ...flags.flatMap(flagSpecs),
    ...operands.map(({ value, variadic }, index) =>
      `${variadic ? "*" : index + 1}${argument(value)}`
    ),
  ];
  const lines = specs.map((spec) => ` \\\n            ${quote(spec)}`).join("");
  return `        ${quote(name)})
          _arguments -S "$everywhere[@]"${lines}
          ;;`;
}

function flagSpecs({ short, long, value, description }: FlagUsage): string[] {
  const explanation = `[${plain(description)}]`;
  // A star: repeatable flags look like the others, and a second one is the command's to refuse.
  const names = [...value ? [`${long}=`] : [long], ...short === undefined ? [] : [short]];
  return names.map((name) => `*${name}${explanation}${value ? argument(value) : ""}`);
}

function argument({ placeholder, takes, choices }: ValueUsage): string {
  // The list is evaluated when it is used, so each word is quoted within it.
  const list = choices.map(quote).join(" ").replaceAll(":", "\\:");
  const action = choices.length > 0
    ? `(${list})`
    : { file: "_files", directory: "_files -/", text: " " }[takes];
  return `:${plain(placeholder)}:${action}`;
}

/** Text within a specification, where a bracket ends it. */
function plain(text: string): string {
  return fields(text).replace(/[[\]]/g, "\\$&");
}

/** Text between colons. */
function fields(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ").replace(/[\\:]/g, "\\$&");
}
