/**
 * File name patterns as a shell knows them: `*`, `?`, `[a-z]`, `[!a-z]`, none of which crosses a
 * slash or stands for a leading dot, and `**` as a whole part, for any number of directories, none
 * included.
 */

/** The part of a pattern that stands for any number of directories. */
export const ANY_DEPTH = "**";

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
    // A set such as [z-a] matches nothing, as in a shell.
    return () => false;
  }
}

/**
 * Whether a path, or a directory on the way to it, fits a pattern. One without a slash stands for
 * names at any depth, as in .gitignore.
 */
export function pathMatcher(pattern: string): (path: string) => boolean {
  const parts = partsOf(pattern.includes("/") ? pattern : `${ANY_DEPTH}/${pattern}`);
  const fits = parts.map((part) => part === ANY_DEPTH ? ANY_DEPTH : globMatcher(part));
  const absolute = pattern.startsWith("/");
  return (path) =>
    (absolute ? path.startsWith("/") : !pattern.includes("/") || !path.startsWith("/")) &&
    fitsFrom(fits, partsOf(path));
}

type Part = typeof ANY_DEPTH | ((name: string) => boolean);

/** Whether the parts fit the path or a beginning of it. */
function fitsFrom([first, ...more]: Part[], names: string[]): boolean {
  if (first === undefined) return true;
  if (first !== ANY_DEPTH) {
    return names.length > 0 && first(names[0]!) && fitsFrom(more, names.slice(1));
  }
  return names.some((_, i) => fitsFrom(more, names.slice(i)));
}

/** The parts of a path between its slashes, without those that mean nothing. */
export function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
