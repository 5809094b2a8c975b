/**
 * acme-lb: the table of subcommands, and the only place that sets the exit code.
 */

import { describeBuild } from "./lib/build_form.ts";
import { type CliOptions, type CommandEntry, runCommandLine } from "./lib/cli.ts";
import { ConfigError, JobError, messageOf, UsageError } from "./lib/errors.ts";
import { STDERR } from "./lib/line_queue.ts";
import { printable } from "./lib/log.ts";
import { VERSION } from "./lib/version.ts";

const DESCRIPTION = "Let's Encrypt HTTP-01 for load-balanced front ends, without shared state.";

export const COMMANDS: Record<string, CommandEntry> = {
  "serve": {
    summary: "run everything a balancer needs: public port, challenge port, metrics",
    load: async () => (await import("./lib/commands/serve.ts")).serve,
  },
  "challenge-server": {
    summary: "run only the challenge port, which serves token files of the webroot",
    load: async () => (await import("./lib/commands/challenge_server.ts")).challengeServer,
  },
  "proxy": {
    summary: "run only the public challenge port: own webroot, then peers; else 404",
    load: async () => (await import("./lib/commands/proxy.ts")).proxy,
  },
  "redirect": {
    summary: "run only the redirect from HTTP to HTTPS",
    load: async () => (await import("./lib/commands/redirect.ts")).redirect,
  },
  "assemble-pem": {
    summary: "check key, certificate and chain, write one PEM file, update running HAProxy",
    load: async () => (await import("./lib/commands/assemble_pem.ts")).assemblePem,
  },
  "self-signed": {
    summary: "write a placeholder certificate, with which HAProxy can start before the first order",
    load: async () => (await import("./lib/commands/self_signed.ts")).selfSigned,
  },
  "challenge": {
    summary: "put or remove one token file, for clients without a webroot",
    load: async () => (await import("./lib/commands/challenge.ts")).challenge,
  },
  "check-expiry": {
    summary: "report when certificates in files, at live endpoints and in HAProxy expire",
    load: async () => (await import("./lib/commands/check_expiry.ts")).checkExpiry,
    // Monitoring reads 3 as UNKNOWN.
    failureExit: 3,
  },
  "self-test": {
    summary: "write a token here and fetch it as the CA does, through every balancer",
    load: async () => (await import("./lib/commands/self_test.ts")).selfTest,
  },
  "status": {
    summary: "show all balancers: addresses, peers, certificates, last challenges",
    load: async () => (await import("./lib/commands/status.ts")).status,
    // Monitoring reads 3 as UNKNOWN: no balancer was asked.
    failureExit: 3,
  },
  "healthy": {
    summary: "test whether an address answers HTTP, for the checks of keepalived",
    load: async () => (await import("./lib/commands/healthy.ts")).healthy,
  },
  "render": {
    summary: "print the configuration of keepalived, HAProxy and others for one balancer",
    load: async () => (await import("./lib/commands/render.ts")).render,
  },
  "check-config": {
    summary: "print the configuration in use, or what is wrong with it and where",
    load: async () => (await import("./lib/commands/check_config.ts")).checkConfig,
  },
  "generate": {
    summary: "print the man page, or the completions of a shell",
    load: async () => (await import("./lib/commands/generate.ts")).generate(PROGRAM),
  },
};

const PROGRAM: CliOptions = {
  name: "acme-lb",
  description: DESCRIPTION,
  version: `acme-lb ${VERSION} (${describeBuild()})`,
  commands: COMMANDS,
};

/** How long the end waits for a reader of stderr, who may have stopped reading. */
const FLUSH_MS = 1_000;

if (import.meta.main) {
  const result = await runCommandLine(Deno.args, PROGRAM);
  if (result.error !== undefined) report(result.error);
  await STDERR.flush(FLUSH_MS);
  // What may still be under way, such as questions to peers after SIGTERM, must not delay the end.
  Deno.exit(result.code);
}

/** One line on stderr for each thing that is wrong. */
function report(error: unknown): void {
  const known = error instanceof UsageError || error instanceof JobError;
  const lines = error instanceof ConfigError
    ? error.lines
    : [known ? messageOf(error) : `this is a defect of acme-lb: ${messageOf(error)}`];
  const text = lines.map((line) => `acme-lb: ${printable(line)}\n`).join("");
  STDERR.push(text);
}
