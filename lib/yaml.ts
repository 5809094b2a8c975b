/**
 * YAML with the position of every node: the one place where the `yaml` package is used.
 *
 * Chosen over @std/yaml (published on JSR alone, and without positions) because a mistake in the
 * configuration must be reported at its line and column.
 */

import {
  isAlias,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  parseDocument,
  stringify,
  visit,
} from "yaml";

/** Line and column, both from 1. */
export interface Position {
  line: number;
  column: number;
}

/** A mistake in the text itself. */
export interface YamlProblem extends Position {
  message: string;
}

/** A parsed document: its plain value, or what is wrong with it. */
export interface YamlText {
  /** Plain objects, arrays, strings, numbers, booleans and null; undefined when there are problems. */
  value: unknown;
  problems: YamlProblem[];
  /** Where the value at this path stands; for `key` the position of the key itself. */
  positionOf(path: (string | number)[], part?: "key" | "value"): Position;
}

/** Reads one YAML 1.2 document. Never throws for what the text holds. */
export function parseYaml(text: string): YamlText {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, version: "1.2" });
  const at = (offset: number): Position => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const problems = document.errors.map((error) => ({
    message: error.message.split(/ at line|:?\n/)[0]!,
    ...at(error.pos[0]),
  }));
  // An alias is refused even when it resolves: it is how `*:80` is read, and how bombs are built.
  visit(document, (_key, node) => {
    if (isAlias(node)) {
      problems.push({
        message: `"*${node.source}" is a YAML alias; write an address that begins with * as [::]`,
        ...at(node.range?.[0] ?? 0),
      });
    }
  });
  const positionOf = (path: (string | number)[], part: "key" | "value" = "value"): Position => {
    let node: unknown = document.contents;
    let offset = isCollection(node) || isScalar(node) ? node.range?.[0] ?? 0 : 0;
    path.forEach((step, depth) => {
      if (!isCollection(node)) return;
      const last = depth === path.length - 1;
      const pair = isMap(node)
        ? node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
        : undefined;
      const child: unknown = isMap(node) ? pair?.value : node.items[Number(step)];
      const target = last && part === "key" || child == null ? pair?.key : child;
      if (isScalar(target) || isCollection(target)) offset = target.range?.[0] ?? offset;
      node = child;
    });
    return at(offset);
  };
  return { value: problems.length > 0 ? undefined : document.toJS(), problems, positionOf };
}

/** Block style, strings in double quotes where they need quotes. */
export function formatYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, singleQuote: false });
}
