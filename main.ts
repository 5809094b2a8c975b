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
    summary: "everything one balancer needs: the public port, the challenge port, metrics",
    load: async () => (await import("./lib/commands/serve.ts")).serve,
  },
  "challenge-server": {
    summary: "the challenge port alone: token files of the webroot, nothing else",
    load: async () => (await import("./lib/commands/challenge_server.ts")).challengeServer,
  },
  "proxy": {
    summary: "the public challenge answer alone: own webroot, then peers; else 404",
    load: async () => (await import("./lib/commands/proxy.ts")).proxy,
  },
  "redirect": {
    summary: "the redirect from HTTP to HTTPS alone",
    load: async () => (await import("./lib/commands/redirect.ts")).redirect,
  },
  "assemble-pem": {
    summary: "key, certificate and chain into one checked PEM file, and into running HAProxy",
    load: async () => (await import("./lib/commands/assemble_pem.ts")).assemblePem,
  },
  "self-signed": {
    summary: "a placeholder certificate, so that HAProxy can start before the first issuance",
    load: async () => (await import("./lib/commands/self_signed.ts")).selfSigned,
  },
  "challenge": {
    summary: "put or remove one token file, for clients without a webroot",
    load: async () => (await import("./lib/commands/challenge.ts")).challenge,
  },
  "check-expiry": {
    summary: "certificates in files, at live endpoints and in HAProxy: when do they expire",
    load: async () => (await import("./lib/commands/check_expiry.ts")).checkExpiry,
    // What monitoring takes for UNKNOWN.
    failureExit: 3,
  },
  "self-test": {
    summary: "plant a token here and fetch it as the CA would, through every balancer",
    load: async () => (await import("./lib/commands/self_test.ts")).selfTest,
  },
  "status": {
    summary: "the whole fleet at a glance: addresses, peers, certificates, last challenges",
    load: async () => (await import("./lib/commands/status.ts")).status,
    // What monitoring takes for UNKNOWN: nobody was asked.
    failureExit: 3,
  },
  "healthy": {
    summary: "whether something answers at an address, for the checks of keepalived",
    load: async () => (await import("./lib/commands/healthy.ts")).healthy,
  },
  "render": {
    summary: "configuration of keepalived, HAProxy and others for one balancer",
    load: async () => (await import("./lib/commands/render.ts")).render,
  },
  "check-config": {
    summary: "what the configuration means, or what is wrong with it and where",
    load: async () => (await import("./lib/commands/check_config.ts")).checkConfig,
  },
  "generate": {
    summary: "the man page, or the completions of a shell",
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
