/**
 * Reading the configuration file, with every mistake at its line and column.
 */

import { ConfigError, messageOf } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { parseYaml } from "../yaml.ts";
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
  let bytes: Uint8Array;
  try {
    const { size, isFile } = await Deno.stat(path);
    if (!isFile) throw new ConfigError([`${path}: not a file`]);
    if (size > MAX_BYTES) throw new ConfigError([`${path}: larger than ${MAX_BYTES} bytes`]);
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const missing = error instanceof Deno.errors.NotFound;
    if (missing && asked === undefined) return { config: parseConfig("", path), path: undefined };
    const reason = missing
      ? "no such file"
      : error instanceof Deno.errors.PermissionDenied
      ? "permission denied"
      : messageOf(error);
    throw new ConfigError([`${path}: ${reason}`]);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError([`${path}: not UTF-8 text`]);
  }
  return { config: parseConfig(text, path), path };
}

/**
 * The configuration in a text.
 * @throws {ConfigError} one line for each mistake: `config.yaml:12:7: peers[1]: reason`
 */
export function parseConfig(text: string, path: string): Config {
  const file = path.slice(path.lastIndexOf("/") + 1);
  const yaml = parseYaml(text);
  if (yaml.problems.length > 0) {
    throw new ConfigError(
      yaml.problems.slice(0, MAX_LINES).map(({ line, column, message }) =>
        `${file}:${line}:${column}: ${message}${hintFor(text.split("\n")[line - 1] ?? "")}`
      ),
    );
  }
  const result = readConfig(yaml.value);
  if (!result.mistakes) return result.config;
  throw new ConfigError(
    result.mistakes.slice(0, MAX_LINES).map((mistake) => {
      const { line, column } = yaml.positionOf(mistake.path, mistake.part);
      return `${file}:${line}:${column}: ${describe(mistake)}`;
    }),
  );
}

/** What most often goes wrong on a line that YAML cannot read. */
function hintFor(line: string): string {
  return /[[*]?::|:\s*\[[0-9a-fA-F:]+\]:\d/.test(line) && !/["']/.test(line)
    ? '; put addresses in quotes: "[::]:80"'
    : "";
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
