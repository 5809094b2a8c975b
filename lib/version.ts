/** The version, kept in deno.json alone, and the time before which it cannot be running. */

import denoJson from "../deno.json" with { type: "json" };

export const VERSION: string = denoJson.version;

/**
 * No right clock shows an earlier time: this program did not exist. To be moved on now and then;
 * it must not lie in the future of whoever builds.
 */
export const EARLIEST_NOW = new Date("2026-01-01T00:00:00Z");
