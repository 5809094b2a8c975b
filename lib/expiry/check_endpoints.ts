/** The live endpoints of a check of expiry: asked all at once, and judged. */

import { formatSocketAddress, parseIPv6, parsePort, type SocketAddress } from "../address.ts";
import { isAddress, parseSubjectName } from "../cert/coverage.ts";
import type { Served } from "./compare_served.ts";
import type { State } from "./record.ts";
import { makeRecord, type Rules, servedRecord } from "./certificate_record.ts";
import { type EndpointAnswer, probeEndpoint, type ProbeFailure } from "./tls_probe.ts";

/** A live endpoint, and how the operator wrote it. */
export interface Endpoint extends SocketAddress {
  typed: string;
}

export interface EndpointRules extends Rules {
  /** Each is asked for at every endpoint. @default the endpoint's own name, if it has one */
  servernames: string[];
  /** The only addresses that are asked. @default both */
  family?: 4 | 6;
  /** Ends the probing of all of them. */
  deadline: AbortSignal;
}

/**
 * Reads `HOST:PORT`, where HOST is a DNS name, an IPv4 address or `[IPv6]`, a link-local one with
 * its zone.
 * @throws {SyntaxError}
 */
export function parseEndpoint(text: string): Endpoint {
  const match = /^(\[[^\]]+\]|[^:[\]*]+):(\d{1,5})$/.exec(text);
  if (!match) {
    throw new SyntaxError("expected HOST:PORT or [IPv6]:PORT, such as service.example:443");
  }
  const port = parsePort(match[2]!);
  if (port === 0) throw new SyntaxError("nothing listens on port 0");
  const host = match[1]!;
  const zoned = host.includes("%") ? parseIPv6(host.replace(/^\[(.*)\]$/, "$1")) : undefined;
  return { typed: text, hostname: zoned ?? parseSubjectName(host), port };
}

/** A record for each address of each endpoint, in the order of the endpoints, each of them once. */
export async function checkEndpoints(
  endpoints: Endpoint[],
  rules: EndpointRules,
): Promise<Served[]> {
  const different = new Map(endpoints.map((one) => [formatSocketAddress(one), one])).values();
  const questions = [...different].flatMap((endpoint) => {
    const own = isAddress(endpoint.hostname) ? undefined : endpoint.hostname;
    const names = rules.servernames.length > 0 ? [...new Set(rules.servernames)] : [own];
    return names.map((name) => ({ endpoint, name }));
  });
  const served = await Promise.all(questions.map(async ({ endpoint, name }) => {
    const { hostname, port } = endpoint;
    const { deadline } = rules;
    const answers = await probeEndpoint({ host: hostname, port, servername: name, deadline });
    return await Promise.all(
      answers.map((answer) => judgeAnswer(answer, { name, endpoint, rules })),
    );
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
  { name, endpoint, rules }: { name: string | undefined; endpoint: Endpoint; rules: Rules },
): Promise<Served> {
  const place = name === undefined ? address : `${address} (${name})`;
  const where = { source: "endpoint" as const, place, target: endpoint.typed, servername: name };
  if (failure) {
    const { reason, text } = failure;
    return {
      record: makeRecord(where, [{ state: FAILURES[reason], reason, text }]),
      name,
      address,
    };
  }
  const names = [...new Set([...name === undefined ? [] : [name], ...rules.names])];
  return {
    record: await servedRecord(where, { chain, rules: { ...rules, names } }),
    name,
    address,
  };
}
