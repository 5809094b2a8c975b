/**
 * Values as words of a systemd unit or of a tmpfiles.d line.
 *
 * In both, `%` begins a specifier, and blanks, quotes and backslashes divide or change words; in a
 * command line `$` begins a variable. What is plain stays plain, for units are read by people.
 */

/** How units call acme-lb. */
export interface Invocation {
  /** The executable, as a word of a command line. */
  program: string;
  /** `" --config FILE"` or nothing. */
  flags: string;
  /** Files that must not be hidden from it. */
  files: string[];
}

/** By the absolute path of the executable, and of a configuration elsewhere than where it looks. */
export function invocationOf(
  { executable, configFile }: { executable: string; configFile: string | undefined },
): Invocation {
  return {
    program: unitWord(executable),
    flags: configFile === undefined ? "" : ` --config ${argumentWord(configFile)}`,
    files: configFile === undefined ? [executable] : [executable, configFile],
  };
}

const PLAIN = /^[\w.,:@+\/=[\]%$-]+$/;

/** A path or value in a setting: `/srv/my certs` becomes `"/srv/my certs"`. */
export function unitWord(value: string): string {
  const text = value.replaceAll("%", "%%");
  return PLAIN.test(value) ? text : `"${text.replace(/["\\\p{Cc}]/gu, escaped)}"`;
}

/** An argument of `Exec…=`; for the program itself, where no variable is read, {@link unitWord}. */
export function argumentWord(value: string): string {
  return unitWord(value).replaceAll("$", "$$$$");
}

function escaped(character: string): string {
  if (character === '"' || character === "\\") return `\\${character}`;
  return `\\x${character.codePointAt(0)!.toString(16).padStart(2, "0")}`;
}
