/** A word for POSIX shells, bash and zsh, of which nothing is expanded. */

export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
