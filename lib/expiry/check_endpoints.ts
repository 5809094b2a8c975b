/** The live endpoints of a check of expiry: asked all at once, and judged. */

import { formatSocketAddress, parsePort, type SocketAddress } from "../address.ts";
import { isAddress, parseSubjectName } from "../cert/coverage.ts";
import type { Served } from "./compare_served.ts";
import type { State } from "./record.ts";
import { judgeServed, makeRecord, type Rules } from "./certificate_record.ts";
import { type EndpointAnswer, probeEndpoint, type ProbeFailure } from "./tls_probe.ts";

export interface EndpointRules extends Rules {
  /** Asked for at every endpoint. @default the endpoint's own name, if it has one */
  servername: string | undefined;
  /** Ends the probing of all of them. */
  deadline: AbortSignal;
}

/**
 * Reads `HOST:PORT`, where HOST is a DNS name, an IPv4 address or `[IPv6]`.
 * @throws {SyntaxError}
 */
export function parseEndpoint(text: string): SocketAddress {
  const match = /^(\[[^\]]+\]|[^:[\]*]+):(\d{1,5})$/.exec(text);
  if (!match) {
    throw new SyntaxError("expected HOST:PORT or [IPv6]:PORT, such as service.example:443");
  }
  const port = parsePort(match[2]!);
  if (port === 0) throw new SyntaxError("nothing listens on port 0");
  return { hostname: parseSubjectName(match[1]!), port };
}

/** A record for each address of each endpoint, in the order of the endpoints, each of them once. */
export async function checkEndpoints(
  endpoints: SocketAddress[],
  rules: EndpointRules,
): Promise<Served[]> {
  const different = new Map(endpoints.map((one) => [formatSocketAddress(one), one])).values();
  const served = await Promise.all(Array.from(different, async ({ hostname, port }) => {
    const name = rules.servername ?? (isAddress(hostname) ? undefined : hostname);
    const { servername, deadline } = rules;
    const answers = await probeEndpoint({ host: hostname, port, servername, deadline });
    return await Promise.all(answers.map((answer) => judgeAnswer(answer, { name, rules })));
  }));
  return served.flat();
}

/** What keeps clients out is CRITICAL; what keeps only this program out is UNKNOWN. */
const FAILURES: Record<ProbeFailure, State> = {
  timeout: "CRITICAL",
  unreachable: "CRITICAL",
  no_tls: "CRITICAL",
  unsupported: "UNKNOWN",
};

async function judgeAnswer(
  { address, chain, failure }: EndpointAnswer,
  { name, rules }: { name: string | undefined; rules: Rules },
): Promise<Served> {
  const place = name === undefined ? address : `${address} (${name})`;
  const where = { source: "endpoint" as const, place };
  if (failure) {
    const { reason, text } = failure;
    return { record: makeRecord(where, [{ state: FAILURES[reason], reason, text }]), name };
  }
  const names = [...new Set([...name === undefined ? [] : [name], ...rules.names])];
  return { record: await judgeServed(where, { chain, rules: { ...rules, names } }), name };
}
