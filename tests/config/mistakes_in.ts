import { parseConfig } from "../../lib/config/parse_config.ts";
import { ConfigError } from "../../lib/errors.ts";

/** The lines with which a configuration is refused; none when it is accepted. */
export function mistakesIn(text: string, path = "config.yaml"): string[] {
  try {
    parseConfig(text, path);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.lines;
    throw error;
  }
}
