/** Words for POSIX shells, bash and zsh, of which nothing is expanded. */

export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** One word, quoted only where it must be: scripts are read by people. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9/._+:@-]+$/.test(text) ? text : shellQuote(text);
}
