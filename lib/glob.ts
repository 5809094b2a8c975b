/**
 * File name patterns as a shell knows them: `*`, `?`, `[a-z]`, `[!a-z]`, none of which crosses a
 * slash or stands for a leading dot. No `**`: directories are searched as a whole anyway.
 */

/** Whether a path is a pattern at all. */
export function isGlob(path: string): boolean {
  return /[*?[]/.test(path);
}

/** Whether a name, one part of a path, fits one part of a pattern. */
export function globMatcher(pattern: string): (name: string) => boolean {
  const source = pattern.replace(
    /\[(!?)(\]?[^\]]*)\]|[\s\S]/gu,
    (text, negated: string | undefined, set: string | undefined) => {
      if (set) return `[${negated ? "^" : ""}${set.replace(/[\\^\][]/g, "\\$&")}]`;
      if (text === "*") return ".*";
      return text === "?" ? "." : text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    },
  );
  const hidden = pattern.startsWith(".");
  try {
    const expression = new RegExp(`^${source}$`, "su");
    return (name) => (hidden || !name.startsWith(".")) && expression.test(name);
  } catch {
    // A set such as [z-a] fits nothing, as in a shell.
    return () => false;
  }
}
