/** `acme-lb assemble-pem`: key, certificate and chain → one checked PEM file that HAProxy serves. */

import { type Bundle, makeBundle, type NamedBytes } from "../cert/bundle.ts";
import { titleOf } from "../cert/certificate.ts";
import { reencodeInstalled } from "../cert/installed.ts";
import { type Subcommand, writeToStdout } from "../cli.ts";
import { EXIT, JobError, messageOf } from "../errors.ts";
import { lockTarget } from "../file_lock.ts";
import { type HaproxyTarget, installPem, type InstallResult } from "../haproxy/install_pem.ts";
import { createLog, type Log } from "../log.ts";
import { whileShowing } from "../progress.ts";
import { readIfPresent, readInputFile } from "../read_input.ts";
import { networkWarning } from "../trusted_socket.ts";
import {
  addAssembleFlags,
  type AssembleFlags,
  type AssembleJob,
  planAssembly,
} from "./assemble_plan.ts";
import { refuseInputAsTarget, warnAboutDirectory } from "./pem_target.ts";

const EXAMPLES = `
Examples:
  acme-lb assemble-pem --key privkey.pem --fullchain fullchain.pem --out /etc/haproxy/certs/a.pem
      checks that they belong together, and replaces the file whole
  acme-lb assemble-pem --hook certbot --out-dir /etc/haproxy/certs \\
      --haproxy-socket /run/haproxy/admin.sock
      as certbot's --deploy-hook: NAME.pem for the lineage, served without a reload
  exec acme-lb assemble-pem --hook acmetool --out-dir /etc/haproxy/certs -- "$@"
      as a script in acmetool's hook directory; dehydrated's HOOK is the same with its name

Nothing is written unless the key fits the leaf, the leaf is first, each certificate signed the one
before, all are valid now, and the leaf is not older than the installed one. When HAProxy refuses
the certificate, the old file is put back. Exit codes: 0 done; 1 not done, with the reason; 42
acmetool's event is none of ours.`;

export const assemblePem: Subcommand<AssembleFlags> = {
  configure(command) {
    addAssembleFlags(command).addHelpText("after", EXAMPLES);
  },

  async run(options, operands) {
    const log = createLog({ format: options.logFormat, level: options.logLevel });
    const plan = await planAssembly(options, operands);
    if (plan.kind === "ignored") return plan.exitCode;
    const failures: string[] = [];
    for (const job of plan.jobs) {
      try {
        await assemble(job, log);
      } catch (error) {
        if (!(error instanceof JobError)) throw error;
        failures.push(messageOf(error));
      }
    }
    if (failures.length > 0) throw new JobError(failures.join("; "));
    return EXIT.done;
  },
};

/** @throws {JobError} when the certificate could not be installed, or is not served */
async function assemble(job: AssembleJob, log: Log): Promise<void> {
  const { out, rights, force, haproxy } = job;
  await refuseInputAsTarget(out, [job.key, ...job.certificates]);
  using lock = await whileShowing(`waiting for the lock beside ${out}`, lockTarget(out));
  const key = { name: job.key, bytes: await readInputFile(job.key) };
  const certificates = await readCertificates(job);
  const previous = await readIfPresent(out);
  const installed = previous && { name: out, bytes: previous };
  const now = new Date();
  const result = await makeBundle({ key, certificates, installed, now, force });
  if (!result.ok) throw new JobError(`${out} is not written: ${result.refusals.join("; ")}`);
  const { bundle } = result;
  const overNetwork = haproxy?.sockets.map(networkWarning).filter((text) => text !== undefined);
  for (
    const reason of [...bundle.warnings, ...await warnAboutDirectory(out), ...overNetwork ?? []]
  ) {
    log.warn("warning", { reason });
  }
  const previousPem = previous && reencodeInstalled(previous);
  const serial = bundle.leaf.serial;
  const installing = installPem({
    ...{ path: out, pem: bundle.pem, lock, previous, rights },
    haproxy: haproxy && { ...haproxy, serial, previousPem },
  });
  report(out, { bundle, haproxy, result: await whileShowing(`installing ${out}`, installing) });
}

async function readCertificates(job: AssembleJob): Promise<NamedBytes[]> {
  const files: NamedBytes[] = [];
  for (const name of job.certificates) files.push({ name, bytes: await readInputFile(name) });
  const issuer = job.issuer === undefined ? undefined : await readIfPresent(job.issuer);
  return issuer ? [...files, { name: job.issuer!, bytes: issuer }] : files;
}

/** Says what exists now and where. @throws {JobError} when HAProxy does not serve it */
function report(
  out: string,
  { bundle, haproxy, result }: {
    bundle: Bundle;
    haproxy: HaproxyTarget | undefined;
    result: InstallResult;
  },
): void {
  const { file, swap } = result;
  const outcomes = swap?.outcomes ?? [];
  const words = ({ socket, outcome, message }: typeof outcomes[number]) =>
    `${socket}: ${outcome}${message === "" ? "" : `: ${message}`}`;
  if (swap?.state === "failed") {
    const state = file === "written" ? "the old file is back" : "the file stays as it was";
    throw new JobError(`${out}: ${state}: ${outcomes.map(words).join("; ")}`);
  }
  const until = bundle.leaf.notAfter.toISOString().replace(".000Z", "Z");
  writeToStdout(`${out}: ${file}: ${titleOf(bundle.leaf)} until ${until}\n`);
  if (swap?.state === "down") {
    const rest = outcomes.map(words).join("; ");
    throw new JobError(`${out} is in place, to be read when HAProxy starts; but ${rest}`);
  }
  for (const outcome of outcomes) writeToStdout(`${words(outcome)}: ${haproxy!.name}\n`);
}
