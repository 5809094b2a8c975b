/** `acme-lb assemble-pem`: key, certificate and chain → one checked PEM file that HAProxy serves. */

import { type Subcommand, writeToStdout } from "../cli.ts";
import { EXIT, JobError, messageOf } from "../errors.ts";
import { createLog, type Log } from "../log.ts";
import { assemble } from "./assemble_job.ts";
import {
  addAssembleFlags,
  type AssembleFlags,
  type AssembleJob,
  planAssembly,
} from "./assemble_plan.ts";
import { leavingResult, stateDirectory } from "./hook_result.ts";

const EXAMPLES = `
Examples:
  acme-lb assemble-pem --key privkey.pem --fullchain fullchain.pem --out /etc/haproxy/certs/a.pem
      checks that they belong together, and replaces the file in one step
  acme-lb assemble-pem --hook certbot --out-dir /etc/haproxy/certs \\
      --haproxy-socket /run/haproxy/admin.sock
      as certbot's --deploy-hook: NAME is the lineage; HAProxy serves it without a reload
  exec acme-lb assemble-pem --hook acmetool --out-dir /etc/haproxy/certs -- "$@"
      as a script in acmetool's hook directory; for dehydrated's HOOK change the client's name
  acme-lb assemble-pem --from-haproxy --out /etc/haproxy/certs/a.pem \\
      --haproxy-socket /run/haproxy/admin.sock
      saves the certificate that HAProxy's own ACME has ordered, before a reload loses it

Nothing is written unless the key belongs to the leaf, the leaf is first, each certificate is
signed by the next one, all are valid now, and the leaf is not older than the installed one or the
one in HAProxy's memory. If HAProxy refuses the certificate, the old file is restored. Exit codes:
0 done; 1 not done, or HAProxy may show another certificate for one of the names (the message has
the reason); 42 for an event of acmetool that this hook does not handle.`;

export const assemblePem: Subcommand<AssembleFlags> = {
  configure(command) {
    addAssembleFlags(command).addHelpText("after", EXAMPLES);
  },

  async run(options, operands) {
    const { logFormat: format, logLevel: level } = options;
    // Messages are longer than other values: some hold two paths.
    const log = createLog({ format, level, longestValue: 1000 });
    const plan = await planAssembly(options, operands);
    if (plan.kind === "ignored") return plan.exitCode;
    const failures: string[] = [...plan.faults];
    const directory = await stateDirectory(options.config);
    for (const job of plan.jobs) {
      const result = { directory, client: options.hook, out: job.out };
      const failure = await leavingResult(result, () => assembleAndReport(job, log));
      if (failure !== undefined) failures.push(failure);
    }
    if (failures.length > 0) throw new JobError(failures.join("; "));
    return EXIT.done;
  },
};

/** @returns why it failed; undefined when it did not */
async function assembleAndReport(job: AssembleJob, log: Log): Promise<string | undefined> {
  try {
    const { lines, warnings, failure } = await assemble(job);
    for (const reason of warnings) log.warn("warning", { reason });
    writeToStdout(lines.map((line) => `${line}\n`).join(""));
    return failure;
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    return messageOf(error);
  }
}
