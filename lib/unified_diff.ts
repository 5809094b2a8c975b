/** The difference of two texts as `diff -u` shows it. The one place where `diff` is used. */

import { createTwoFilesPatch } from "diff";

/** With three lines around each change; `from` and `to` name the two texts. */
export function unifiedDiff(
  before: { from: string; text: string },
  after: { to: string; text: string },
): string {
  const patch = createTwoFilesPatch(before.from, after.to, before.text, after.text, "", "");
  // The package puts a line of = before it, which diff does not.
  return patch.slice(patch.indexOf("---"));
}
