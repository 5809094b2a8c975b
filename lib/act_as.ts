/**
 * Root lends its hands to another user: the kernel then refuses what that user may not do.
 *
 * Deno has no openat(2), so a path is looked up anew by each call, and whoever owns a directory on
 * the way can exchange it in between. No look beforehand closes that gap; doing the work with that
 * user's own rights does. The change is of the whole process, so nothing else may run meanwhile.
 * Supplementary groups stay; root has none by default.
 */

import type { Account } from "./trusted_path.ts";

/** Does the work as `account` when root runs this; otherwise, or without an account, as it is. */
export async function actAs<T>(account: Account | undefined, work: () => Promise<T>): Promise<T> {
  if (!account || Deno.uid() !== 0) return await work();
  // Loaded when needed: it costs some milliseconds.
  const { default: process } = await import("node:process");
  const gid = Deno.gid()!;
  process.setegid!(account.gid);
  try {
    process.seteuid!(account.uid);
    return await work();
  } finally {
    process.seteuid!(0);
    process.setegid!(gid);
  }
}
