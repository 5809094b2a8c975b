/** One file of assemble-pem: resolved, read and checked once, written, and brought into HAProxy. */

import { type BundleInput, makeBundle } from "../cert/bundle.ts";
import { readInstalled, sendableOf } from "../cert/installed.ts";
import { JobError } from "../errors.ts";
import { lockTarget } from "../file_lock.ts";
import { dumpCertificate } from "../haproxy/dump_certificate.ts";
import { installPem } from "../haproxy/install_pem.ts";
import { whileShowing } from "../progress.ts";
import { readIfPresent, readInputFile } from "../read_input.ts";
import { networkWarning } from "../trusted_socket.ts";
import type { AssembleJob } from "./assemble_plan.ts";
import { type AssembleReport, reportOf } from "./assemble_report.ts";
import { findKeyFile, memoryObjections, separateKeys } from "./loaded_objections.ts";
import {
  refuseInputAsTarget,
  resolvePemTarget,
  warnAboutDirectory,
  warnAboutMode,
} from "./pem_target.ts";

/** @throws {JobError} when nothing was written, or all was put back */
export async function assemble(job: AssembleJob): Promise<AssembleReport> {
  const { out, rights, force, haproxy } = job;
  const target = await resolvePemTarget(out);
  if (job.source !== "haproxy") {
    await refuseInputAsTarget(target.path, [job.source.key, ...job.source.certificates]);
  }
  using lock = await whileShowing(`waiting for the lock beside ${out}`, lockTarget(target.path));
  const parts = await readParts(job, target.path);
  const previous = await readIfPresent(target.path);
  const installed = readInstalled(out, previous);
  const result = await makeBundle({ ...parts, installed, now: new Date(), force });
  if (!result.ok) throw new JobError(`${out} is not written: ${result.refusals.join("; ")}`);
  const { bundle } = result;
  const { leaf, sendable } = bundle;
  const warnings = [
    ...bundle.warnings,
    ...await warnAboutMode(target.path, rights),
    ...await warnAboutDirectory(target),
    ...haproxy?.sockets.flatMap((socket) => networkWarning(socket) ?? []) ?? [],
  ];
  const keyFile = await findKeyFile(target.path, { bundle, installed, force });
  const installing = installPem({
    ...{ path: target.path, pem: bundle.pem, lock, previous, rights, keyFile },
    haproxy: haproxy && {
      ...haproxy,
      content: sendable,
      previous: installed && await sendableOf(installed, keyFile?.previous),
      leaf: {
        names: dnsNames(leaf),
        key: leaf.key.family === "Ed25519" ? "other" : leaf.key.family,
      },
      approve: (running) => {
        const objections = memoryObjections({ leaf, ...sendable }, running);
        const lasting = separateKeys(running);
        if (force) warnings.push(...objections);
        const refusals = force ? lasting : [...lasting, ...objections];
        if (refusals.length === 0) return;
        throw new JobError(`${out} is not written: ${refusals.join("; ")}`);
      },
    },
  });
  const installation = await whileShowing(`installing ${out}`, installing);
  return reportOf(job, { leaf, warnings, installation });
}

/** DNS names, and the common name, for which HAProxy uses a certificate too. */
function dnsNames(
  { names, subject }: {
    names: { kind: string; value: string }[];
    subject: { attributes: { type: string; value: string }[] };
  },
): string[] {
  const alternatives = names.filter(({ kind }) => kind === "DNS").map(({ value }) => value);
  const common = subject.attributes.filter(({ type }) => type === "CN").map(({ value }) => value);
  return [...new Set([...alternatives, ...common].map((name) => name.toLowerCase()))];
}

/** @throws {JobError} */
async function readParts(
  { source, haproxy, out }: AssembleJob,
  file: string,
): Promise<Pick<BundleInput, "key" | "certificates">> {
  if (source === "haproxy") {
    const [socket = ""] = haproxy!.sockets;
    const pem = await dumpCertificate(socket, { name: haproxy!.name, file });
    const whole = { name: `${out} at ${socket}`, bytes: new TextEncoder().encode(pem) };
    return { key: whole, certificates: [whole] };
  }
  const key = { name: source.key, bytes: await readInputFile(source.key) };
  const certificates = [];
  for (const name of source.certificates) {
    certificates.push({ name, bytes: await readInputFile(name) });
  }
  const issuer = source.issuer === undefined ? undefined : await readIfPresent(source.issuer);
  if (issuer) certificates.push({ name: source.issuer!, bytes: issuer });
  return { key, certificates };
}
