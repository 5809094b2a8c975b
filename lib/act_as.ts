/**
 * Runs work with the rights of another user, so that the kernel refuses what that user may not do.
 *
 * Deno has no openat(2), so each call resolves the path again, and the owner of a directory on the
 * way can replace it between two calls. A check beforehand cannot close this gap; working with that
 * user's rights does. The change affects the whole process, so nothing else may run at the same
 * time. Supplementary groups are not changed; root has none by default.
 */

import type { Account } from "./trusted_path.ts";

/** Does the work as `account` when the process runs as root; otherwise with the rights it has. */
export async function actAs<T>(account: Account | undefined, work: () => Promise<T>): Promise<T> {
  if (!account || Deno.uid() !== 0) return await work();
  // Loaded only when needed, because loading it takes some milliseconds.
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
