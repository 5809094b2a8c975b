/**
 * What assemble-pem was asked to do: its flags, or what an ACME client tells its hook, as a list
 * of files to assemble.
 */

import type { HookOutcome, IssuedFiles } from "../clients/hook.ts";
import { type ClientName, HOOKS } from "../clients/hooks.ts";
import { type Command, type GlobalOptions, Option, repeatable } from "../cli.ts";
import { loadConfig } from "../config/load.ts";
import { UsageError } from "../errors.ts";
import type { HaproxyTarget } from "../haproxy/install_pem.ts";
import { nameProblem } from "../haproxy/payload.ts";
import { readStandardInput } from "../read_input.ts";
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
  out?: string;
  outDir?: string;
  haproxySocket?: string[];
  haproxyName?: string;
  crtList?: string;
  force?: boolean;
}

/** One file to write. */
export interface AssembleJob {
  key: string;
  certificates: string[];
  issuer?: string;
  out: string;
  rights: Rights;
  force: boolean;
  /** Undefined when no HAProxy is to be told. */
  haproxy: HaproxyTarget | undefined;
}

export type AssemblePlan = { kind: "jobs"; jobs: AssembleJob[] } | {
  kind: "ignored";
  exitCode: number;
};

/** Names of changed certificates are a line each. */
const MAX_HOOK_INPUT = 1024 * 1024;

export function addAssembleFlags(command: Command): Command {
  command
    .argument("[arguments...]", "what the client passes to its hook, after --")
    .optionsGroup("What to assemble:")
    .option("--key <file>", "private key, unencrypted (PKCS#8, PKCS#1 or SEC1)")
    .option("--cert <file>", "certificate; may hold the chain too")
    .option("--chain <file>", "certificates above it, in any order")
    .option("--fullchain <file>", "certificate and chain in one file, in place of the two")
    .addOption(
      new Option("--hook <client>", "be the hook of this ACME client, and learn all that from it")
        .choices(Object.keys(HOOKS)),
    )
    .optionsGroup("Where to put it:")
    .option("--out <file>", "the PEM file to write; a symlink is followed")
    .option("--out-dir <dir>", "with --hook: write NAME.pem there for each certificate");
  addRightsFlags(command)
    .option("--force", "replace a newer or unrelated certificate, or a file that is none");
  return command
    .optionsGroup("Into running HAProxy:")
    .option(
      "--haproxy-socket <address>",
      "runtime API of a worker or master; repeatable (default: haproxy.sockets of the configuration)",
      repeatable(parseSocket),
    )
    .option(
      "--haproxy-name <name>",
      "what HAProxy calls the file; with --out-dir, the directory (default: as given to --out)",
    )
    .option("--crt-list <file>", "crt-list that takes new certificates (default: the directory)");
}

/** @throws {UsageError} when the flags do not make a whole */
export async function planAssembly(
  flags: AssembleFlags & GlobalOptions,
  operands: string[],
): Promise<AssemblePlan> {
  const outcome = flags.hook === undefined
    ? { kind: "issued", certificates: [filesOfFlags(flags, operands)] } satisfies HookOutcome
    : await outcomeOfHook(flags, operands);
  if (outcome.kind === "ignored") return outcome;
  if ((flags.out === undefined) === (flags.outDir === undefined)) {
    throw new UsageError("give either --out FILE, or --out-dir DIR with --hook");
  }
  if (flags.out !== undefined && outcome.certificates.length > 1) {
    const names = outcome.certificates.map(({ stem }) => stem).join(", ");
    throw new UsageError(`--out takes one certificate, and there are ${names}: use --out-dir`);
  }
  const sockets = flags.haproxySocket ?? (await loadConfig(flags.config)).config.haproxy.sockets;
  const rights = await readRights(flags);
  const jobs = outcome.certificates.map(({ stem, ...files }) => {
    const out = flags.out ?? `${flags.outDir}/${stem}.pem`;
    const name = nameForHaproxy(flags, { out, stem });
    const problem = sockets.length > 0 ? nameProblem(name) : undefined;
    if (problem) throw new UsageError(`HAProxy cannot be told of ${name}: ${problem}`);
    const haproxy = sockets.length > 0 ? { sockets, name, crtList: flags.crtList } : undefined;
    return { ...files, out: absolutePath(out), rights, force: flags.force ?? false, haproxy };
  });
  return { kind: "jobs", jobs };
}

function nameForHaproxy(
  { haproxyName, outDir }: AssembleFlags,
  { out, stem }: { out: string; stem: string },
): string {
  if (haproxyName === undefined) return absolutePath(out);
  return outDir === undefined ? haproxyName : `${haproxyName.replace(/\/+$/, "")}/${stem}.pem`;
}

function filesOfFlags(flags: AssembleFlags, operands: string[]): IssuedFiles {
  const { key, cert, chain, fullchain, outDir } = flags;
  if (operands.length > 0) {
    throw new UsageError(`${JSON.stringify(operands[0])} means nothing without --hook`);
  }
  if (outDir !== undefined) throw new UsageError("--out-dir needs --hook; give --out FILE");
  if (key === undefined) throw new UsageError("--key FILE is missing (or --hook CLIENT)");
  if ((cert === undefined) === (fullchain === undefined)) {
    throw new UsageError(
      "give either --fullchain FILE, or --cert FILE with or without --chain FILE",
    );
  }
  if (chain !== undefined && cert === undefined) throw new UsageError("--chain needs --cert");
  const certificates = [cert ?? fullchain!, ...chain === undefined ? [] : [chain]];
  return { stem: "", key, certificates };
}

async function outcomeOfHook(flags: AssembleFlags, operands: string[]): Promise<HookOutcome> {
  for (const name of ["key", "cert", "chain", "fullchain"] as const) {
    if (flags[name] !== undefined) throw new UsageError(`--${name} cannot be used with --hook`);
  }
  return await HOOKS[flags.hook!]({
    args: operands,
    env: (name) => Deno.env.get(name),
    stdin: () => readStandardInput(MAX_HOOK_INPUT),
  });
}

/** A path, or HOST:PORT as lib/haproxy reads it. @throws {SyntaxError} */
function parseSocket(text: string): string {
  if (text.includes("/") || /^.+:\d{1,5}$/.test(text)) return text;
  throw new SyntaxError("expected the path of a socket, or HOST:PORT");
}
