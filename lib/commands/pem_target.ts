/**
 * The file that assemble-pem and self-signed write: its flags, and the checks around it.
 */

import { checked, type Command } from "../cli.ts";
import { JobError, messageOf, UsageError } from "../errors.ts";
import { parseKeyFileMode } from "../file_mode.ts";
import { parseOwner, readAccounts } from "../owner.ts";
import { type RealTarget, realTarget } from "../resolve_target.ts";
import { orSilent, SilentFileError } from "../silent_file.ts";
import { systemReason } from "../system_reason.ts";
import { isOwn } from "../trusted_path.ts";

/** The values of `--mode` and `--owner`. */
export interface RightsFlags {
  mode?: number;
  owner?: string;
}

export interface Rights {
  mode?: number;
  uid?: number;
  gid?: number;
}

export function addRightsFlags(command: Command): Command {
  return command
    .option(
      "--mode <octal>",
      "permission bits (default: the old file's, without any for others; 0600 for a new one)",
      checked(parseKeyFileMode),
    )
    .option("--owner <user[:group]>", "owner and group (default: the old file's)");
}

/** @throws {UsageError} when the owner is unknown here */
export async function readRights({ mode, owner }: RightsFlags): Promise<Rights> {
  if (owner === undefined) return { mode };
  try {
    return { mode, ...parseOwner(owner, await readAccounts()) };
  } catch (error) {
    throw new UsageError(`--owner ${owner}: ${messageOf(error)}`);
  }
}

/** An absolute path without doubled slashes, as HAProxy would show it. */
export function absolutePath(path: string): string {
  const whole = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  return whole.replace(/\/(\.?\/)+/g, "/");
}

/** A typing error must not overwrite one of the input files. @throws {JobError} */
export async function refuseInputAsTarget(target: string, inputs: string[]): Promise<void> {
  const real = await realTarget(target).catch(unlessSilent(`cannot write ${target}`));
  for (const input of inputs) {
    const path = await orSilent(Deno.realPath(input)).catch(unlessSilent(`cannot read ${input}`));
    if (path !== undefined && path === real?.path) {
      throw new JobError(`${target} is not written: it is the same file as ${input}`);
    }
  }
}

/** Errors other than silence are met again, with their reason, where the file is used. */
function unlessSilent(what: string): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof SilentFileError)) return undefined;
    throw new JobError(`${what}: ${error.message}`, { cause: error });
  };
}

/**
 * The file behind the links, looked up once for all that follows.
 * @throws {JobError} when its directory is missing, or links lead nowhere
 */
export async function resolvePemTarget(out: string): Promise<RealTarget> {
  try {
    return await realTarget(out);
  } catch (error) {
    throw new JobError(`cannot write ${out}: ${systemReason(error)}`, { cause: error });
  }
}

/** A warning when others could read the file and its mode becomes stricter. */
export async function warnAboutMode(path: string, { mode }: Rights): Promise<string[]> {
  const info = await Deno.lstat(path).catch(() => undefined);
  const old = (info?.mode ?? 0) & 0o777;
  if (!info?.isFile || mode !== undefined || (old & 0o007) === 0) return [];
  const [before, after] = [old, old & 0o770].map((bits) => bits.toString(8).padStart(4, "0"));
  return [
    `${path}: every user could read the key (mode ${before}); its mode is now ${after}. Give other ` +
    "users access with --owner and --mode",
  ];
}

/**
 * A warning when others may replace files beside the target: owner and mode of the old file do not
 * count there.
 */
export async function warnAboutDirectory(
  { directory, trusted }: RealTarget,
): Promise<string[]> {
  const { uid, mode = 0 } = await Deno.stat(directory);
  if (trusted || ((mode ?? 0) & 0o022) === 0) return [];
  const who = ((mode ?? 0) & 0o002) !== 0 ? "every user" : "the group";
  const advice = isOwn(uid) ? `chmod go-w ${directory}` : `chown root ${directory}`;
  return [
    `${who} may write to ${directory}, so owner, group and mode of the old file do not count there: ` +
    advice,
  ];
}
