/** What an operator is told when the system refuses to read or write a file. */
import { messageOf } from "./errors.ts";

/** By errno name; what is not here is told in the system's own words. */
const REASONS: Record<string, string> = {
  EACCES: "permission denied",
  EDQUOT: "the disk quota is used up",
  EISDIR: "it is a directory",
  ELOOP: "its symbolic links form a loop",
  EMFILE: "too many open files",
  ENAMETOOLONG: "its name is too long",
  ENOENT: "its directory does not exist",
  ENOSPC: "no space left on its file system",
  ENOTDIR: "a part of its path is not a directory",
  EPERM: "not permitted to this user, or the file is immutable",
  EROFS: "its file system is mounted read-only",
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

/** The reason on one line, with the errno name behind it: `permission denied (EACCES)`. */
export function systemReason(error: unknown): string {
  const code = errnoOf(error);
  if (code && Object.hasOwn(REASONS, code)) return `${REASONS[code]} (${code})`;
  return messageOf(error);
}
