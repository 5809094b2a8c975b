/**
 * What assemble-pem was asked to do: its flags, or what an ACME client tells its hook, as a list
 * of files to assemble.
 */

import { fileStem, type HookOutcome, type IssuedFiles } from "../clients/hook.ts";
import { type ClientName, CLIENTS } from "../clients/clients.ts";
import { type Command, type GlobalOptions, Option, repeatable } from "../cli.ts";
import { loadConfig } from "../config/load.ts";
import { messageOf, UsageError } from "../errors.ts";
import type { HaproxyTarget } from "../haproxy/install_pem.ts";
import { nameProblem } from "../haproxy/payload.ts";
import { readStandardInput } from "../read_input.ts";
import { parseRuntimeAddress } from "../runtime_address.ts";
import {
  absolutePath,
  addRightsFlags,
  readRights,
  type Rights,
  type RightsFlags,
} from "./pem_target.ts";

export interface AssembleFlags extends RightsFlags {
  key?: string;
  cert?: string;
  chain?: string;
  fullchain?: string;
  hook?: ClientName;
  fromHaproxy?: boolean;
  out?: string;
  outDir?: string;
  haproxySocket?: string[];
  haproxyName?: string;
  crtList?: string;
  force?: boolean;
}

/** One file to write. */
export interface AssembleJob {
  source: Omit<IssuedFiles, "name"> | "haproxy";
  /** Absolute, as HAProxy would show it. */
  out: string;
  rights: Rights;
  force: boolean;
  /** Prints nothing when there was nothing to do. */
  quiet: boolean;
  /** Undefined when no HAProxy gets the certificate. */
  haproxy: HaproxyTarget | undefined;
}

/** `faults`: certificates of the client that cannot be installed, a sentence each. */
type AssemblePlan =
  | { kind: "jobs"; jobs: AssembleJob[]; faults: string[] }
  | { kind: "ignored"; exitCode: number };

/** Names of changed certificates are a line each. */
const MAX_HOOK_INPUT = 1024 * 1024;

export function addAssembleFlags(command: Command): Command {
  command
    .argument("[arguments...]", "arguments that the client passes to its hook, after --")
    .optionsGroup("What to assemble:")
    .option("--key <file>", "private key, unencrypted (PKCS#8, PKCS#1 or SEC1)")
    .option("--cert <file>", "certificate; may hold the chain too")
    .option("--chain <file>", "issuing certificates, in any order")
    .option(
      "--fullchain <file>",
      "certificate and chain in one file, instead of --cert and --chain",
    )
    .addOption(
      new Option("--hook <client>", "run as the hook of this ACME client, which passes the files")
        .choices(Object.keys(CLIENTS)),
    )
    .option(
      "--from-haproxy",
      "take the certificate that HAProxy 3.1 or later has in memory, as after its own ACME order",
    )
    .optionsGroup("Where to put it:")
    .option("--out <file>", "the PEM file to write; a symlink is followed")
    .option("--out-dir <dir>", "with --hook: write NAME.pem there for each certificate");
  addRightsFlags(command)
    .option(
      "--force",
      "replace a newer or unrelated certificate, in the file or in HAProxy's memory, or a file without " +
        "a certificate; accept a weak signature",
    );
  return command
    .optionsGroup("Update of running HAProxy:")
    .option(
      "--haproxy-socket <address>",
      "runtime API of a worker or master; repeatable (default: haproxy.sockets of the configuration)",
      repeatable(parseRuntimeAddress),
    )
    .option(
      "--haproxy-name <name>",
      "the file's name in HAProxy, such as @store/alias; with --out-dir, the directory (default: " +
        "as given to --out, and every other name under which HAProxy loads that file)",
    )
    .option("--crt-list <file>", "crt-list that takes new certificates (default: the directory)");
}

/** @throws {UsageError} when the flags do not make a whole */
export async function planAssembly(
  flags: AssembleFlags & GlobalOptions,
  operands: string[],
): Promise<AssemblePlan> {
  const outcome = await outcomeOf(flags, operands);
  if (outcome.kind === "ignored") return outcome;
  const { certificates } = outcome;
  if ((flags.out === undefined) === (flags.outDir === undefined)) {
    throw new UsageError("give either --out FILE, or --out-dir DIR with --hook");
  }
  if (flags.out !== undefined && certificates.length > 1) {
    const names = certificates.map(({ name }) => name).join(", ");
    throw new UsageError(`--out takes one certificate, and there are ${names}: use --out-dir`);
  }
  const sockets = flags.haproxySocket ?? (await loadConfig(flags.config)).config.haproxy.sockets;
  if (flags.fromHaproxy && sockets.length === 0) {
    throw new UsageError("--from-haproxy needs --haproxy-socket");
  }
  const rights = await readRights(flags);
  const jobs: AssembleJob[] = [];
  const faults: string[] = [];
  for (const { name, ...files } of certificates) {
    try {
      jobs.push({
        ...placeFor(name, { flags, sockets }),
        source: flags.fromHaproxy ? "haproxy" : files,
        rights,
        force: flags.force ?? false,
        quiet: outcome.again ?? false,
      });
    } catch (error) {
      // An invalid name must not prevent the installation of the others.
      if (!(error instanceof UsageError) || certificates.length === 1) throw error;
      faults.push(messageOf(error));
    }
  }
  return { kind: "jobs", jobs, faults };
}

/** @throws {UsageError} when the certificate's name makes no file, or no name for HAProxy */
function placeFor(
  name: string,
  { flags, sockets }: { flags: AssembleFlags; sockets: string[] },
): Pick<AssembleJob, "out" | "haproxy"> {
  const { outDir, haproxyName, crtList } = flags;
  const file = outDir === undefined ? undefined : `${fileStem(name)}.pem`;
  const out = absolutePath(flags.out ?? `${outDir}/${file}`);
  if (sockets.length === 0) return { out, haproxy: undefined };
  const known = file === undefined ? haproxyName : haproxyName && `${haproxyName}/${file}`;
  const haproxy = { sockets, name: known === undefined ? out : tidy(known), crtList };
  const problem = nameProblem(haproxy.name);
  if (problem) {
    throw new UsageError(`${haproxy.name} cannot be a name in HAProxy's command: ${problem}`);
  }
  return { out, haproxy };
}

/** Slashes as in a path, or in `@store/alias`. */
function tidy(name: string): string {
  return name.replace(/\/{2,}/g, "/");
}

async function outcomeOf(flags: AssembleFlags, operands: string[]): Promise<HookOutcome> {
  const sources = ["key", "cert", "chain", "fullchain"] as const;
  const other = flags.hook ? "--hook" : flags.fromHaproxy ? "--from-haproxy" : undefined;
  for (const name of sources) {
    if (other && flags[name] !== undefined) {
      throw new UsageError(`--${name} cannot be used with ${other}`);
    }
  }
  if (flags.hook && flags.fromHaproxy) {
    throw new UsageError("--from-haproxy cannot be used with --hook");
  }
  if (flags.hook) {
    return await CLIENTS[flags.hook].hook({
      args: operands,
      env: (name) => Deno.env.get(name),
      stdin: () => readStandardInput(MAX_HOOK_INPUT),
    });
  }
  if (operands.length > 0) {
    throw new UsageError(`${JSON.stringify(operands[0])} is only allowed with --hook`);
  }
  if (flags.outDir !== undefined) throw new UsageError("--out-dir needs --hook; give --out FILE");
  const files = flags.fromHaproxy ? { key: "", certificates: [] } : filesOfFlags(flags);
  return { kind: "issued", certificates: [{ name: "", ...files }] };
}

function filesOfFlags(flags: AssembleFlags): Omit<IssuedFiles, "name"> {
  const { key, cert, chain, fullchain } = flags;
  if (key === undefined) {
    throw new UsageError("--key FILE is missing (or --hook CLIENT, or --from-haproxy)");
  }
  if ((cert === undefined) === (fullchain === undefined)) {
    throw new UsageError(
      "give either --fullchain FILE, or --cert FILE with or without --chain FILE",
    );
  }
  if (chain !== undefined && cert === undefined) throw new UsageError("--chain needs --cert");
  return { key, certificates: [cert ?? fullchain!, ...chain === undefined ? [] : [chain]] };
}
