/**
 * The executable that the tests of the whole program run: the one named by `$ACME_LB_EXECUTABLE`,
 * else dist/acme-lb, built first when it is missing or older than its sources.
 */

import { resolve } from "node:path";
import { ensureExecutable } from "../compile.ts";

let path: Promise<string> | undefined;

/** The absolute path of the executable under test. */
export function executablePath(): Promise<string> {
  const given = Deno.env.get("ACME_LB_EXECUTABLE");
  return path ??= given ? Promise.resolve(resolve(given)) : ensureExecutable();
}
