/**
 * The messages of assemble-pem about one file, from what was installed and HAProxy's answers. Pure.
 */

import { isOlder } from "../cert/age.ts";
import { type Certificate, issuanceOf, PLACEHOLDER_MARK, titleOf } from "../cert/certificate.ts";
import { JobError } from "../errors.ts";
import type { InstallResult } from "../haproxy/install_pem.ts";
import type { SwapResult } from "../haproxy/swap.ts";
import { isoSeconds } from "../time.ts";
import type { AssembleJob } from "./assemble_plan.ts";

export interface AssembleReport {
  /** For standard output. */
  lines: string[];
  warnings: string[];
  /** Why the exit code is 1 although the file is in place. */
  failure?: string;
}

/** @throws {JobError} when HAProxy did not take the certificate, and all is as it was */
export function reportOf(
  { out, haproxy, quiet }: Pick<AssembleJob, "out" | "haproxy" | "quiet">,
  { leaf, warnings, installation: { file, swap } }: {
    leaf: Certificate;
    warnings: string[];
    installation: InstallResult;
  },
): AssembleReport {
  const outcomes = swap?.outcomes ?? [];
  const words = ({ socket, outcome, message }: typeof outcomes[number]) =>
    `${socket}: ${outcome}${message === "" ? "" : `: ${message}`}`;
  if (swap?.state === "failed") {
    const state = file === "written" ? "the old file is back" : "the file stays as it was";
    throw new JobError(`${out}: ${state}: ${outcomes.map(words).join("; ")}`);
  }
  const idle = file === "unchanged" &&
    outcomes.every(({ outcome }) => outcome === "current" || outcome === "down");
  const { failures, remarks } = shadows(leaf, swap?.rivals ?? []);
  const until = isoSeconds(leaf.notAfter);
  const lines = quiet && idle ? [] : [`${out}: ${file}: ${titleOf(leaf)} until ${until}`];
  if (swap?.state === "down" && !(quiet && idle)) {
    const why = outcomes.map(({ socket, message }) => `${socket}: ${message}`).join("; ");
    failures.unshift(`HAProxy does not answer (${why}); it will load ${out} when it starts`);
  } else if (lines.length > 0) {
    lines.push(...outcomes.map((outcome) => `${words(outcome)}: ${haproxy!.name}`));
  }
  return {
    lines,
    warnings: [...quiet && idle ? [] : warnings, ...remarks],
    failure: failures.length > 0 ? failures.join("; ") : undefined,
  };
}

/**
 * Other certificates that clients may be shown: a placeholder or an older one is a failure, a newer
 * one is worth a remark.
 */
function shadows(
  leaf: Certificate,
  rivals: SwapResult["rivals"],
): { failures: string[]; remarks: string[] } {
  const [failures, remarks]: [string[], string[]] = [[], []];
  for (const { socket, certificate, names } of rivals) {
    const { name, serial, notBefore, notAfter, authority = "", organisation } = certificate;
    const placeholder = organisation === PLACEHOLDER_MARK;
    const dated = notBefore && notAfter ? { notBefore, notAfter, authority } : undefined;
    const newer = !placeholder && dated && isOlder(issuanceOf(leaf), dated) === "older";
    const what = placeholder ? "a placeholder" : newer ? "a newer certificate" : "an older one";
    const shown = names.slice(0, 5).join(", ") + (names.length > 5 ? ", …" : "");
    const text =
      `clients of ${shown} may still be shown ${what} (serial ${serial ?? "unknown"}), ` +
      `which HAProxy at ${socket} has loaded from ${name}`;
    if (newer) remarks.push(text);
    else failures.push(`${text}: remove that file and reload HAProxy, or write to it with --out`);
  }
  return { failures, remarks };
}
