/** The version, kept in deno.json alone. */

import denoJson from "../deno.json" with { type: "json" };

export const VERSION: string = denoJson.version;
