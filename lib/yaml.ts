/**
 * YAML with the position of every node: the one place where the `yaml` package is used.
 *
 * Chosen over @std/yaml (published only on JSR, and without positions) because a mistake in the
 * configuration must be reported at its line and column.
 */

import {
  Document,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";
import { printableLines } from "./log.ts";

/** Line and column, both from 1. */
interface Position {
  line: number;
  column: number;
}

/** A mistake in the text itself. */
export interface YamlProblem extends Position {
  message: string;
}

/** A parsed document: its plain value, or what is wrong with it. */
interface YamlText {
  /** Plain objects, arrays, strings, numbers, booleans and null; undefined when there are problems. */
  value: unknown;
  /** In the order of the text. What follows the first is often no more than its consequence. */
  problems: YamlProblem[];
  /** Where the value at this path stands; for `key` the position of the key itself. */
  positionOf(path: (string | number)[], part?: "key" | "value"): Position;
}

/** Reads one YAML 1.2 document. Never throws for what the text holds. */
export function parseYaml(text: string): YamlText {
  const counter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: counter,
    prettyErrors: false,
    stringKeys: true,
    logLevel: "error",
  });
  const at = (offset: number): Position => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const problems = [...document.errors, ...document.warnings].map((error) => ({
    message: explain(error, text),
    offset: error.pos[0],
  }));
  // In YAML 1.1 `no` is false and 0644 is octal: a line at the top must not change the meaning of
  // the rest.
  const { yaml } = document.directives ?? {};
  if (yaml?.explicit && yaml.version !== "1.2") {
    problems.push({ message: "a file in YAML 1.2 is expected; remove the %YAML line", offset: 0 });
  }
  // Aliases are refused even where they resolve: they are how `*:80` is read, and how bombs are built.
  if (problems.length === 0) {
    visit(document, {
      Alias(_key, { source, range }) {
        const message = `*${source} is a YAML alias, which is not allowed here`;
        problems.push({ message, offset: range?.[0] ?? 0 });
      },
    });
  }
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
  return {
    value: problems.length > 0 ? undefined : document.toJS(),
    problems: problems.toSorted((a, b) => a.offset - b.offset)
      .map(({ message, offset }) => ({ message, ...at(offset) })),
    positionOf,
  };
}

/** The parser's errors, in words for the author of a configuration file. */
function explain({ code, message, pos }: YAMLError, text: string): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "indented with a tab; YAML allows only spaces";
    case "DUPLICATE_KEY":
      return `the key ${/^[^\s:]*/.exec(text.slice(pos[0]))![0]} is there twice`;
    case "NON_STRING_KEY":
      return "a list or a section cannot be a key";
    case "MULTIPLE_DOCS":
      return "a second document begins here; a file holds one";
    case "RESOURCE_EXHAUSTION":
      return "nested too deeply";
    case "TAG_RESOLVE_FAILED":
      return "a value that begins with ! is a YAML tag; put it in quotes";
    case "BAD_SCALAR_START":
      return `a value that begins with ${text[pos[0]]} must be in quotes`;
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return "expected `key: value`; look for a missing colon, a wrong indentation or missing quotes";
    case "BAD_INDENT":
      return /^Flow/.test(message)
        ? `a ${message.endsWith("]") ? "[" : "{"} further up is not closed`
        : "indented differently from the lines that it belongs to";
    case "MISSING_CHAR":
      return /^Missing closing (.)quote/.test(message)
        ? `a ${/["']/.exec(message)![0]} further up is not closed`
        : message;
    default:
      return message;
  }
}

/**
 * Block style, strings in double quotes where they need quotes; no character is written raw that
 * {@link printableLines} escapes.
 */
export function formatYaml(value: unknown): string {
  const document = new Document(value);
  visit(document, {
    Scalar(_, node) {
      // Only in double quotes is an escape read as one.
      if (typeof node.value === "string" && printableLines(node.value) !== node.value) {
        node.type = "QUOTE_DOUBLE";
      }
    },
  });
  return printableLines(document.toString({ lineWidth: 0, singleQuote: false }));
}
