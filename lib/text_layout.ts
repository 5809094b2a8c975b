/** Tables and paragraphs of text, for a terminal of some width or for a reader of lines. */

import { clip } from "./clip.ts";
import { printable } from "./log.ts";

/** Columns of the terminal; undefined where lines may have any length. */
export type Width = number | undefined;

/** A blank line, the title, and the rows below their heads; nothing at all without rows. */
export function tableLines(
  title: string,
  { head, rows, width }: { head: string[]; rows: string[][]; width: Width },
): string[] {
  if (rows.length === 0) return [];
  const all = [head, ...rows].map((cells) => cells.map((cell) => printable(cell)));
  const widths = head.map((_, i) => Math.max(...all.map((cells) => cells[i]!.length)));
  const lines = all.map((cells) => cells.map((cell, i) => cell.padEnd(widths[i]!)).join("  "));
  return ["", `${title}:`, ...lines.map((line) => cropped(`  ${line.trimEnd()}`, width))];
}

/** The line, or as much of it as there is room for, with a mark that it goes on. */
export function cropped(line: string, width: Width): string {
  return width === undefined ? line : clip(line, width);
}

/** The words in lines of at most that width, all but the first indented; a longer word stays whole. */
export function wrapped(
  text: string,
  { width, indent = 0 }: { width: Width; indent?: number },
): string[] {
  if (width === undefined) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/(?<=\S) (?=\S)/)) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || longer.length <= width) line = longer;
    else {
      lines.push(line);
      line = " ".repeat(indent) + word;
    }
  }
  return [...lines, line];
}
