/**
 * Completion for bash, as one function over COMP_WORDS; it needs no package beside bash itself.
 *
 * All that comes from the definitions stands in single quotes, and is compared as it is: bash's own
 * `compgen -W` would expand it, and run what looks like a command.
 */

import type { CommandUsage, FlagUsage, Usage, ValueUsage } from "../usage.ts";
import { shellQuote as quote } from "../shell_quote.ts";

export function bashCompletion({ name, flags, commands }: Usage): string {
  const id = `_${name.replace(/[^A-Za-z0-9]/g, "_")}`;
  const flagValues = flags.flatMap((flag) => valueLines(flag));
  const ownFlagValues = commands.flatMap((command) =>
    command.flags.flatMap((flag) => valueLines(flag, command.name))
  );
  const ownFlags = commands.filter(({ flags }) => flags.length > 0).map(({ name, flags }) =>
    `      ${quote(name)}) choices+=(${words(flags.flatMap(names))}) ;;`
  );
  return `# bash completion for ${name}, printed by: ${name} generate bash

# What the value of a flag is: none, or kind and, where it is one of a few, choices.
${id}_value() { # COMMAND FLAG
  kind= choices=()
  case $2 in
${flagValues.join("\n")}
  esac
  case "$1 $2" in
${ownFlagValues.join("\n")}
  esac
}

# The same for an operand, counted from 0.
${id}_operand() { # COMMAND INDEX
  kind= choices=()
  case "$1 $2" in
${commands.flatMap(operandLines).join("\n")}
  esac
}

# Offers those that begin with what has been typed.
${id}_offer() { # CURRENT CANDIDATE...
  local current=$1 candidate
  shift
  for candidate; do
    [[ $candidate != "$current"* ]] || COMPREPLY+=("$candidate")
  done
}

${id}() {
  local words=() word glue= current= command= flag= kind= rest= index i
  local choices=() operands=0
  COMPREPLY=()
  # bash cuts words at = and : too; here they belong to flags and addresses.
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word =~ ^[:=]+$ && \${#words[@]} -gt 0 ]]; then
      words[\${#words[@]}-1]+=$word
      glue=1
    elif [[ $glue ]]; then
      words[\${#words[@]}-1]+=$word
      glue=
    else
      words+=("$word")
    fi
  done
  for ((i = 0; i < \${#words[@]} - 1; i++)); do
    word=\${words[i]}
    if [[ $flag ]]; then
      flag=
    elif [[ ! $rest && $word == -- ]]; then
      rest=1
    elif [[ ! $rest && $word == -* ]]; then
      [[ $word == *=* ]] && continue
      ${id}_value "$command" "$word"
      [[ ! $kind ]] || flag=$word
    elif [[ ! $command ]]; then
      command=$word
    else
      operands=$((operands + 1))
    fi
  done
  current=\${words[\${#words[@]}-1]} kind= choices=()
  if [[ ! $flag && ! $rest && $current == --*=* ]]; then
    flag=\${current%%=*}
    current=\${current#*=}
  fi

  if [[ $flag ]]; then
    ${id}_value "$command" "$flag"
  elif [[ ! $rest && $current == -* ]]; then
    choices=(${words(flags.flatMap(names))})
    case $command in
${ownFlags.join("\n")}
    esac
  elif [[ ! $command ]]; then
    choices=(${words(commands.map(({ name }) => name))})
  else
    ${id}_operand "$command" "$operands"
  fi
  case $kind in
    file) compopt -o default ;;
    directory) compopt -o dirnames ;;
  esac
  ${id}_offer "$current" "\${choices[@]}"
}

complete -F ${id} ${quote(name)}
`;
}

function valueLines(flag: FlagUsage, command?: string): string[] {
  if (!flag.value) return [];
  const patterns = names(flag).map((name) => quote(command ? `${command} ${name}` : name));
  return [`    ${patterns.join(" | ")}) ${effect(flag.value)} ;;`];
}

function operandLines({ name, operands }: CommandUsage): string[] {
  return operands.map(({ value, variadic }, index) => {
    const pattern = variadic ? `${quote(`${name} `)}*` : quote(`${name} ${index}`);
    return `    ${pattern}) ${effect(value)} ;;`;
  });
}

function effect({ takes, choices }: ValueUsage): string {
  return choices.length > 0 ? `kind=choice choices=(${words(choices)})` : `kind=${takes}`;
}

function names({ short, long }: FlagUsage): string[] {
  return [long, ...short === undefined ? [] : [short]];
}

function words(texts: string[]): string {
  return texts.map(quote).join(" ");
}
