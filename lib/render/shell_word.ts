/** Values as words of a shell script. */

/** One word for sh, quoted where it must be. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9/._+:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
