/**
 * `acme-lb healthy`: whether something answers at an address, for the checks of keepalived.
 *
 * Any answer below 500 counts: acme-lb redirects or refuses with 4xx and says 503 when it is
 * overloaded, HAProxy's monitor says 200 or 503. Nothing is read but the arguments, because
 * keepalived runs its checks as a user who may not read the configuration.
 */

import { formatSocketAddress, parseSocketAddress, type SocketAddress } from "../address.ts";
import { checked, type Subcommand } from "../cli.ts";
import { EXIT, JobError } from "../errors.ts";
import { askServer } from "../http/ask.ts";

/** The rendered keepalived.conf ends a check after 10 s; this one reports the reason before that. */
const TIMEOUT_MS = 2_000;

const EXAMPLES = `
Examples:
  acme-lb healthy '[::1]:80'
      exit code 0 when port 80 answers here; the rendered keepalived.conf runs it every few seconds

Exit codes: 0 an answer with a status below 500 came within 2 s, 1 none did.`;

export const healthy: Subcommand = {
  configure(command) {
    command
      .argument("<address>", "[IPv6]:port or IPv4:port", checked(parseSocketAddress))
      .addHelpText("after", EXAMPLES);
  },

  async run(_options, [address = ""]) {
    const fault = await askHealth(parseSocketAddress(address));
    if (fault !== undefined) throw new JobError(`${address}: ${fault}`);
    return EXIT.done;
  },
};

/** Why the server at the address is not healthy; undefined when it is. Never rejects. */
export async function askHealth(
  address: SocketAddress,
  ask = askServer,
): Promise<string | undefined> {
  const reply = await ask(address, {
    target: "/",
    host: formatSocketAddress(address),
    as: "ca",
    timeoutMs: TIMEOUT_MS,
    signal: new AbortController().signal,
  });
  if ("fault" in reply) return `no answer (${reply.fault})`;
  return reply.status < 500 ? undefined : `HTTP ${reply.status}`;
}
