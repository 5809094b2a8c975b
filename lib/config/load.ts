/**
 * Which configuration is used: the requested file, the default file, or the default values.
 *
 * parse_config.ts, which reads a file's text, is loaded with its YAML parser only when there is a
 * file: hooks often have none, and start faster without it.
 */

import { ConfigError } from "../errors.ts";
import { InProgress } from "../in_progress.ts";
import { orSilent } from "../silent_file.ts";
import { readConfig } from "./read_config.ts";
import { systemReason } from "../system_reason.ts";
import type { Config } from "./schema.ts";

export const DEFAULT_CONFIG_PATH = "/etc/acme-lb/config.yaml";

/** A configuration is a page or two; more is a mistake or an attack on the parser. */
const MAX_BYTES = 64 * 1024;

/** Each reload reads again, and must not take another thread of a disk that does not answer. */
const reads = new InProgress<Uint8Array<ArrayBuffer>>();

interface LoadedConfig {
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
    bytes = await orSilent(reads.join(path, () => readBounded(path)));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const missing = error instanceof Deno.errors.NotFound;
    if (missing && asked === undefined) return { config: defaults(), path: undefined };
    const reason = missing
      ? "no such file"
      : error instanceof Deno.errors.PermissionDenied
      ? "permission denied; the user that acme-lb runs as must be able to read it"
      : systemReason(error);
    throw new ConfigError([`${path}: ${reason}`]);
  }
  const { parseConfig } = await import("./parse_config.ts");
  return { config: parseConfig(decode(bytes, path), path), path };
}

/** @throws {ConfigError} for what is no file of a configuration's size */
async function readBounded(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const { size, isFile } = await Deno.stat(path);
  if (!isFile) throw new ConfigError([`${path}: not a file`]);
  if (size > MAX_BYTES) {
    throw new ConfigError([`${path}: larger than ${MAX_BYTES} bytes; is it the right file?`]);
  }
  return await Deno.readFile(path);
}

function defaults(): Config {
  const result = readConfig({});
  if ("config" in result) return result.config;
  throw new TypeError(`the defaults are wrong: ${JSON.stringify(result.mistakes)}`);
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
