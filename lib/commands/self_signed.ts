/** `acme-lb self-signed`: a placeholder with which HAProxy can start before the first issuance. */

import { atomicWrite } from "../atomic_write.ts";
import { makeBundle } from "../cert/bundle.ts";
import { titleOf } from "../cert/certificate.ts";
import { type Installed, readInstalled } from "../cert/installed.ts";
import { encodePem } from "../cert/pem.ts";
import { parseSubjectName } from "../cert/coverage.ts";
import { makePlaceholder } from "../cert/placeholder.ts";
import { checked, repeatable, type Subcommand, writeToStdout } from "../cli.ts";
import { EXIT, JobError } from "../errors.ts";
import { lockTarget } from "../file_lock.ts";
import { createLog } from "../log.ts";
import { readIfPresent } from "../read_input.ts";
import { isoSeconds } from "../time.ts";
import {
  absolutePath,
  addRightsFlags,
  readRights,
  resolvePemTarget,
  type RightsFlags,
  warnAboutDirectory,
} from "./pem_target.ts";

interface SelfSignedFlags extends RightsFlags {
  name: string[];
  out: string;
  days: number;
  ifMissing?: boolean;
}

const EXAMPLES = `
Examples:
  acme-lb self-signed --name service.example --out /etc/haproxy/certs/service.example.pem
      a certificate for the name, which assemble-pem replaces later
  acme-lb self-signed --name service.example --name 2001:db8::1 --out a.pem --if-missing
      before each start of HAProxy: does nothing if a file is there and is not empty

The certificate has O=acme-lb placeholder in its subject, by which check-expiry recognises it. A
file that is not such a placeholder is never replaced.`;

export const selfSigned: Subcommand<SelfSignedFlags> = {
  configure(command) {
    command
      .requiredOption(
        "--name <name>",
        "DNS name, wildcard or IP address; repeatable",
        repeatable(parseSubjectName),
      )
      .requiredOption("--out <file>", "the PEM file to write; a symlink is followed")
      .option("--days <number>", "number of days that it is valid", checked(parseDays), 90)
      .option("--if-missing", "keep a file that is not empty, and succeed");
    addRightsFlags(command).addHelpText("after", EXAMPLES);
  },

  async run(options) {
    const out = absolutePath(options.out);
    const rights = await readRights(options);
    const target = await resolvePemTarget(out);
    using lock = await lockTarget(target.path);
    const installed = readInstalled(out, await readIfPresent(target.path));
    if (installed && !isBlank(installed) && options.ifMissing) {
      writeToStdout(`${out}: left as it is\n`);
      return EXIT.done;
    }
    refuseUnlessPlaceholder(installed);
    const log = createLog({ format: options.logFormat, level: options.logLevel });
    for (const reason of await warnAboutDirectory(target)) log.warn("warning", { reason });

    const now = new Date();
    const { key, certificate } = await makePlaceholder({
      names: [...new Set(options.name)],
      now,
      days: options.days,
    });
    const bytesOf = (label: string, der: Uint8Array) => ({
      name: "placeholder",
      bytes: new TextEncoder().encode(encodePem(label, der)),
    });
    const result = await makeBundle({
      key: bytesOf("PRIVATE KEY", key),
      certificates: [bytesOf("CERTIFICATE", certificate)],
      now,
    });
    if (!result.ok) throw new Error(result.refusals.join("; "));
    const { pem, leaf } = result.bundle;
    await atomicWrite(target.path, pem, { ...rights, lock });
    const until = isoSeconds(leaf.notAfter);
    writeToStdout(`${out}: written: placeholder for ${titleOf(leaf)} until ${until}\n`);
    return EXIT.done;
  },
};

/** Nothing but white space, with which HAProxy does not start. */
function isBlank({ leaf, fault, holdsKey }: Installed): boolean {
  return !leaf && !fault && !holdsKey;
}

/** @throws {JobError} for everything that could be somebody's certificate, key or other file */
function refuseUnlessPlaceholder(installed: Installed | undefined): void {
  if (!installed) return;
  const { name, leaf, fault } = installed;
  if (leaf?.placeholder) return;
  if (leaf) {
    throw new JobError(`${name} is left alone: it holds a certificate for ${titleOf(leaf)}`);
  }
  if (fault?.kind === "foreign") {
    throw new JobError(`${name} is left alone: it is no placeholder; remove it first`);
  }
  if (fault) {
    throw new JobError(`${name} is left alone: it is damaged (${fault.text}); remove it first`);
  }
}

/** @throws {SyntaxError} */
function parseDays(text: string): number {
  const days = Number(text);
  if (!/^\d{1,4}$/.test(text) || days < 1 || days > 3650) {
    throw new SyntaxError("expected a whole number from 1 to 3650");
  }
  return days;
}
