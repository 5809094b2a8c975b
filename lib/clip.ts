/** Cuts texts from certificates, clients and files, which may be of any length. */

/** The text, or its start with a mark that it was cut: at most so many UTF-16 units. */
export function clip(text: string, most: number): string {
  return text.length > most ? `${startOf(text, most - 1)}…` : text;
}

/** The first so many UTF-16 units, one less where the last would be half of a character. */
export function startOf(text: string, most: number): string {
  return text.slice(0, most).replace(/[\ud800-\udbff]$/, "");
}
