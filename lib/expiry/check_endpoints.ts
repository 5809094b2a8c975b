/** The live endpoints of a check of expiry: asked all at once, with their findings. */

import { formatSocketAddress, parseIPv6, parsePort, type SocketAddress } from "../address.ts";
import { isAddress, parseSubjectName } from "../cert/coverage.ts";
import type { Served } from "./compare_served.ts";
import { type ExpiryFinding, type ExpiryRecord, type State, STATES } from "./record.ts";
import {
  addFindings,
  makeRecord,
  type Rules,
  servedRecord,
  type Where,
} from "./certificate_record.ts";
import type { ProbeFault } from "./tls_faults.ts";
import { type EndpointAnswer, type KindAnswers, probeEndpoint } from "./tls_probe.ts";

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
    const { hostname: host, port } = endpoint;
    const { family, deadline } = rules;
    const answers = await probeEndpoint({ host, port, servername: name, family, deadline });
    return await Promise.all(
      answers.map((answer) => answerRecords(answer, { name, endpoint, rules })),
    );
  }));
  return served.flat(2);
}

/** A failure that clients have too is CRITICAL; one that only this program has is UNKNOWN. */
const FAULTS: Record<ProbeFault, State> = {
  timeout: "CRITICAL",
  unreachable: "CRITICAL",
  no_tls: "CRITICAL",
  no_certificate_for_name: "CRITICAL",
  key_mismatch: "CRITICAL",
  unsupported: "UNKNOWN",
};

/** A record for each certificate that clients of the address get, or one for none. */
async function answerRecords(
  answer: EndpointAnswer,
  { name, endpoint, rules }: { name: string | undefined; endpoint: Endpoint; rules: Rules },
): Promise<Served[]> {
  const { address } = answer;
  const whereFor = (kind?: string): Where => {
    const words = [name, kind].filter((word) => word !== undefined).join(", ");
    const place = words === "" ? address : `${address} (${words})`;
    return { source: "endpoint", place, target: endpoint.typed, servername: name };
  };
  if (!answer.ok) {
    const { fault, text } = answer.failure;
    const record = makeRecord(whereFor(), [{ state: FAULTS[fault], reason: fault, text }]);
    return [{ record, name, address }];
  }
  const names = [...new Set([...name === undefined ? [] : [name], ...rules.names])];
  const records = await Promise.all(
    different(answer.kinds).map(async ({ asked, chains }, i) => {
      const where = whereFor(i === 0 ? undefined : asked);
      const record = await worstOf(chains, { where, rules: { ...rules, names } });
      return { record, name, address, second: i > 0 };
    }),
  );
  const [first, ...others] = records as [Served, ...Served[]];
  const failures = failureFindings(answer);
  return [{ ...first, record: addFindings(first.record, failures) }, ...others];
}

/** A server with one certificate sends the same one for every question. */
function different([first, ...others]: KindAnswers[]): KindAnswers[] {
  const leaves = new Set(first!.chains.map(({ chain }) => chain[0]!.toBase64()));
  return [
    first!,
    ...others.filter(({ chains }) => chains.some(({ chain }) => !leaves.has(chain[0]!.toBase64()))),
  ];
}

/**
 * Of several processes behind one address the worst counts, among equals the oldest certificate.
 */
async function worstOf(
  chains: KindAnswers["chains"],
  { where, rules }: { where: Where; rules: Rules },
): Promise<ExpiryRecord> {
  const records = await Promise.all(
    chains.map(({ chain }) => servedRecord(where, { chain, rules })),
  );
  const rank = ({ state, leaf }: ExpiryRecord) => [
    -STATES.indexOf(state),
    leaf?.notBefore.getTime() ?? 0,
  ];
  const [worst] = records.toSorted((a, b) => {
    const [one, other] = [rank(a), rank(b)];
    return one[0]! - other[0]! || one[1]! - other[1]!;
  });
  if (records.length === 1) return worst!;
  const total = chains.reduce((sum, { count }) => sum + count, 0);
  const counts = records.map(({ leaf }, i) =>
    `${chains[i]!.count} with serial ${leaf?.serial ?? "unknown"}`
  );
  const text = `${total} handshakes were not answered alike (${counts.join(", ")}): several ` +
    "processes answer there; end or reload those that serve the old certificate";
  return addFindings(worst!, [{ state: "WARNING", reason: "answers_differ", text }]);
}

/** Handshakes that failed while others did not: one of several processes is out of order. */
function failureFindings({ failures, kinds }: EndpointAnswer & { ok: true }): ExpiryFinding[] {
  const good = kinds.flatMap(({ chains }) => chains).reduce((sum, { count }) => sum + count, 0);
  const total = failures.reduce((sum, { count }) => sum + count, good);
  return failures.map(({ count, text }) => ({
    state: "WARNING",
    reason: "answers_differ",
    text: `${count} of ${total} handshakes failed: ${text}`,
  }));
}
