/** The reason for an operator when the system refuses to read or write a file. */
import { messageOf } from "./errors.ts";

/** By errno name; for others the text of the system is used, without that of the runtime. */
const REASONS: Record<string, string> = {
  EACCES: "permission denied",
  EBUSY: "it is in use, or a mount point, which cannot be replaced: mount its directory instead",
  EDQUOT: "the disk quota is used up",
  EEXIST: "it exists already",
  EINVAL: "its file system does not allow this",
  EIO: "the disk or its network failed",
  EISDIR: "it is a directory",
  ELOOP: "its symbolic links form a loop",
  EMFILE: "too many open files",
  ENAMETOOLONG: "its name is too long",
  ENOENT: "its directory does not exist",
  ENOSPC: "no space left on its file system",
  ENODEV: "there is no such device",
  ENOTDIR: "a part of its path is not a directory",
  EPERM: "not permitted to this user, or the file is immutable",
  EROFS: "its file system is mounted read-only",
  ESTALE: "its file server no longer has it (stale handle)",
  ETIMEDOUT: "its file system gave no answer in time",
  ETXTBSY: "a program is running from it",
  EXDEV: "it is a mount point, which cannot be replaced: mount its directory instead",
};

/** The errno name that `error` carries, such as `ENOSPC`; undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) return code;
  // Those that this program throws itself carry no code.
  if (error instanceof Deno.errors.FilesystemLoop) return "ELOOP";
  if (error instanceof Deno.errors.IsADirectory) return "EISDIR";
  if (error instanceof Deno.errors.NotADirectory) return "ENOTDIR";
  if (error instanceof Deno.errors.NotFound) return "ENOENT";
  return undefined;
}

/** Whether it says that nothing is at the path. */
export function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "");
}

/** The reason on one line, with the errno name behind it: `permission denied (EACCES)`. */
export function systemReason(error: unknown): string {
  const code = errnoOf(error);
  if (code && Object.hasOwn(REASONS, code)) return `${REASONS[code]} (${code})`;
  // A device, or what stands below /proc: the runtime opens those only with all its permissions.
  if (error instanceof Deno.errors.NotCapable) return "this program may not open it";
  return messageOf(error).replace(/ \(os error \d+\)/g, "").replace(
    /: [a-z]+ '.*'( -> '.*')?$/,
    "",
  );
}
