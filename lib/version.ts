/** The version, kept only in deno.json, and the time before which it cannot be running. */

import denoJson from "../deno.json" with { type: "json" };

export const VERSION: string = denoJson.version;

/**
 * A clock that shows an earlier time is wrong, because this program did not exist then. Move it
 * forward from time to time, but never to a time in the future.
 */
export const EARLIEST_NOW = new Date("2026-01-01T00:00:00Z");
