/**
 * Text as roff: its content is shown and never interpreted.
 *
 * A backslash, a dot or an apostrophe at the start of a line would be a request; a hyphen would
 * become another character, which nobody could paste into a shell.
 */

import { wrapped } from "../text_layout.ts";

/** Width of the source, which tools that check manuals want below 80. */
const WIDTH = 78;

const SPECIAL: Record<string, string> = {
  "\\": "\\e",
  "-": "\\-",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
  '"': "\\(dq",
};

/** Text within a line or within a quoted argument of a macro. */
export function escapeRoff(text: string): string {
  return text.replace(/\p{Cc}+/gu, " ").replace(
    /[\\'`^~"-]|[^\x20-\x7e]/gu,
    (char) =>
      SPECIAL[char] ?? `\\[u${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}]`,
  );
}

export function bold(text: string): string {
  return `\\fB${escapeRoff(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${escapeRoff(text)}\\fR`;
}

/** Running text, filled by the formatter; each sentence begins a line of its own. */
export function paragraph(text: string): string {
  return `.PP\n${filled(text)}`;
}

/** A term, already in roff, and what is to be said of it. */
export function tagged(term: string, text: string): string {
  return `.TP\n${protect(term)}\n${filled(text)}`;
}

/** Lines that stay as they are. */
export function verbatim(text: string): string {
  const lines = text.split("\n").map((line) => protect(escapeRoff(line)));
  return [".PP", ".nf", ...lines, ".fi"].join("\n");
}

/** The lines of running text. */
export function filled(text: string): string {
  const sentences = text.trim().replace(/\s+/g, " ").split(/(?<=[.!?]\)?) (?=[A-Z(])/);
  const lines = sentences.flatMap((sentence) => wrapped(escapeRoff(sentence), { width: WIDTH }));
  return lines.map(protect).join("\n");
}

/** No line of text is a request, nor empty. */
function protect(line: string): string {
  return line === "" || /^[.']/.test(line) ? `\\&${line}` : line;
}
