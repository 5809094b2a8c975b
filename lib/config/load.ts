/**
 * Reading the configuration file, with every mistake at its line and column.
 */

import { ConfigError, messageOf } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { parseYaml, type YamlProblem } from "../yaml.ts";
import { type Config, type Mistake, readConfig } from "./schema.ts";

export const DEFAULT_CONFIG_PATH = "/etc/acme-lb/config.yaml";

/** A configuration is a page or two; more is a mistake or an attack on the parser. */
const MAX_BYTES = 64 * 1024;
/** Mistakes reported at once. */
const MAX_LINES = 20;

export interface LoadedConfig {
  config: Config;
  /** The file it came from; undefined for the defaults alone. */
  path: string | undefined;
}

/**
 * Reads the file that was asked for, else the default one when it exists, else the defaults.
 * @throws {ConfigError}
 */
export async function loadConfig(asked: string | undefined): Promise<LoadedConfig> {
  const path = asked ?? DEFAULT_CONFIG_PATH;
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    const { size, isFile } = await Deno.stat(path);
    if (!isFile) throw new ConfigError([`${path}: not a file`]);
    if (size > MAX_BYTES) {
      throw new ConfigError([`${path}: larger than ${MAX_BYTES} bytes; is it the right file?`]);
    }
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const missing = error instanceof Deno.errors.NotFound;
    if (missing && asked === undefined) return { config: parseConfig("", path), path: undefined };
    const reason = missing
      ? "no such file"
      : error instanceof Deno.errors.PermissionDenied
      ? "permission denied; the user that acme-lb runs as must be able to read it"
      : messageOf(error);
    throw new ConfigError([`${path}: ${reason}`]);
  }
  return { config: parseConfig(decode(bytes, path), path), path };
}

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
  if (!result.mistakes) return result.config;
  const mistakes = result.mistakes
    .map((mistake) => ({ ...yaml.positionOf(mistake.path, mistake.part), text: describe(mistake) }))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
  const lines = mistakes.map(({ line, column, text }) => `${path}:${line}:${column}: ${text}`);
  const more = lines.splice(MAX_LINES).length;
  throw new ConfigError(more > 0 ? [...lines, `${path}: and ${more} more`] : lines);
}

/** @throws {ConfigError} at the first byte that is not UTF-8 */
function decode(bytes: Uint8Array<ArrayBuffer>, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const before = new TextDecoder().decode(bytes).split("\ufffd")[0]!.split("\n");
    const column = before.at(-1)!.length + 1;
    throw new ConfigError([
      `${path}:${before.length}:${column}: not UTF-8 text; save the file in that encoding`,
    ]);
  }
}

/** An address without quotes, which YAML reads as a list or an alias: `[::]:80`, `*:80`. */
const BARE_ADDRESS = /^((?:[^#"']|"[^"]*"|'[^']*')*?[\s,[])((?:\[[\w:.%]*\]|\*):\d+)/;

/** The problem as it should be put when an address without quotes stands in its line. */
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
