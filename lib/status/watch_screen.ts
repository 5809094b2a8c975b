/** One look of `status --watch` after the other, each in the place of the one before. */

import { cropped } from "../text_layout.ts";

const HOME = "\x1b[H";
const CLEAR = "\x1b[2J";
const CLEAR_LINE_END = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/**
 * What to write to a terminal of that size. Each line is written over the old one, so nothing
 * flickers; what does not fit is counted, so that the first line, which says what is wrong, stays.
 */
export function watchScreen(
  text: string,
  { columns, rows, first }: { columns: number; rows: number; first: boolean },
): string {
  const lines = text.trimEnd().split("\n");
  // The last row is for the cursor.
  const room = Math.max(2, rows - 1);
  const shown = lines.length <= room ? lines : [
    ...lines.slice(0, room - 1),
    `… ${lines.length - room + 1} more lines: enlarge the window, or run acme-lb status`,
  ];
  const drawn = shown.map((line) => `${cropped(line, columns)}${CLEAR_LINE_END}\n`).join("");
  return HOME + (first ? CLEAR : "") + drawn + CLEAR_BELOW;
}
