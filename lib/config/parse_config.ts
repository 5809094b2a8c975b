/**
 * A configuration's text, with every mistake at its line and column.
 */

import { ConfigError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { parseYaml, type YamlProblem } from "../yaml.ts";
import { readConfig } from "./read_config.ts";
import type { Config, Mistake } from "./schema.ts";

/** Mistakes reported at once. */
const MAX_LINES = 20;

/**
 * The configuration in a text.
 * @throws {ConfigError} one line for each mistake: `config.yaml:12:7: peers[1]: reason`
 */
export function parseConfig(text: string, path: string): Config {
  const yaml = parseYaml(text);
  const [problem] = yaml.problems;
  if (problem) {
    const { line, column, message } = bareAddress(text, problem) ?? problem;
    throw new ConfigError([`${path}:${line}:${column}: ${message}`]);
  }
  const result = readConfig(yaml.value);
  if ("config" in result) return result.config;
  const mistakes = result.mistakes
    .map((mistake) => ({ ...yaml.positionOf(mistake.path, mistake.part), text: describe(mistake) }))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
  const lines = mistakes.map(({ line, column, text }) => `${path}:${line}:${column}: ${text}`);
  const more = lines.splice(MAX_LINES).length;
  throw new ConfigError(more > 0 ? [...lines, `${path}: and ${more} more`] : lines);
}

/** An address without quotes, which YAML reads as a list or an alias: `[::]:80`, `*:80`. */
const BARE_ADDRESS = /^((?:[^#"']|"[^"]*"|'[^']*')*?[\s,[])((?:\[[\w:.%]*\]|\*):\d+)/;

/** The problem, in a clearer message when its line holds an address without quotes. */
function bareAddress(text: string, { line }: YamlProblem): YamlProblem | undefined {
  const match = BARE_ADDRESS.exec(text.split("\n")[line - 1] ?? "");
  if (!match) return undefined;
  const address = match[2]!.replace("*", "[::]");
  return {
    line,
    column: match[1]!.length + 1,
    message: `an address must be in quotes: "${address}"`,
  };
}

function describe({ path, message, known }: Mistake): string {
  const name = path.reduce<string>(
    (text, step) => typeof step === "number" ? `${text}[${step}]` : text ? `${text}.${step}` : step,
    "",
  );
  if (!known) return name ? `${name}: ${message}` : message;
  const near = nearest(String(path.at(-1)), known);
  return `${name}: unknown key; ` +
    (near ? `did you mean ${near}?` : `the keys here are ${known.join(", ")}`);
}
