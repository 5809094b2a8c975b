/** What the HAProxy here can do, asked of itself. */

import { execute } from "./network.ts";

/** For `ignore`, with the reason printed: HAProxy has an ACME client from 3.2 on. */
export async function haproxyLacksAcme(): Promise<boolean> {
  const { stdout } = await execute(["haproxy", "-v"], { deadline: 10_000 });
  const [, major = 0, minor = 0] = /version (\d+)\.(\d+)/.exec(stdout)?.map(Number) ?? [];
  const known = major > 3 || (major === 3 && minor >= 2);
  // deno-lint-ignore no-console -- the reason belongs beside the test's "ignored" line
  if (!known) console.error(`skipped: HAProxy's own ACME: needs 3.2, here is ${major}.${minor}`);
  return !known;
}
