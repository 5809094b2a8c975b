/**
 * What a TLS endpoint serves: the chains that each address of a host sends, to clients of either
 * kind of key, in several handshakes each.
 *
 * One handshake is one sample. A server may have a certificate of each kind, and behind one port
 * several processes may answer: an old one that a reload has left behind still gets its share of
 * the connections. Certificates are not checked here; expired, untrusted and self-signed ones are
 * what one is looking for.
 */

import { formatSocketAddress, parseIPv4, parseIPv6, type SocketAddress } from "../address.ts";
import { messageOf } from "../errors.ts";
import { FairSemaphore } from "../fair_semaphore.ts";
import { resolveName } from "../resolve_name.ts";
import { orAborted } from "../time.ts";
import type { Bytes } from "./tls_bytes.ts";
import { explainFailure, nameRefused, type ProbeFailure, type ProbeFault } from "./tls_faults.ts";
import { shakeHands } from "./tls_handshake.ts";
import { type AskedKind, KEY_KINDS, makeHello } from "./tls_hello.ts";

/** What one address answered; `address` is `[2001:db8::1]:443`. */
export type EndpointAnswer =
  | {
    ok: true;
    address: string;
    /** For each kind of key that clients get, the curves first; those that got none are left out. */
    kinds: KindAnswers[];
    /** Of handshakes that others like them did not share. */
    failures: (ProbeFailure & { count: number })[];
  }
  | { ok: false; address: string; failure: ProbeFailure };

export interface KindAnswers {
  asked: AskedKind;
  /** Each different chain that was sent, as DER with the leaf first, and how often; one for most. */
  chains: { chain: Bytes[]; count: number }[];
}

export interface ProbeOptions {
  /** A name, an IPv4 address or an IPv6 address without brackets. */
  host: string;
  port: number;
  /** The name asked for in the handshake (SNI). @default the host, and none when it is an address */
  servername?: string;
  /** The only addresses that are asked. @default both */
  family?: 4 | 6;
  /** Ends the probing; what has not answered by then counts as `timeout`. */
  deadline: AbortSignal;
  /** All addresses of a name. @default the system's resolver, hosts file included */
  resolve?: (name: string) => Promise<string[]>;
  /** Handshakes for each kind of key that is answered at all. @default 8 */
  samples?: number;
}

/**
 * Further handshakes in progress at once, over all endpoints; the first ones to each do not wait
 * for a place, so that an endpoint that hangs does not delay the others.
 */
const AT_ONCE = 32;
const PER_ADDRESS = 8;
const further = new FairSemaphore({ limit: () => AT_ONCE, share: () => PER_ADDRESS });

/** A handshake that was cut off earlier than this says nothing about the server. */
const SHORTEST_TIMEOUT_MS = 1000;

/** The more specific failure is reported when the kinds of key fail differently. */
const TELLING: ProbeFault[] = [
  "no_certificate_for_name",
  "key_mismatch",
  "no_tls",
  "unsupported",
  "timeout",
  "unreachable",
];

/**
 * Asks all addresses of the host at once. Never rejects, and never takes longer than the deadline:
 * there is one answer for each address, or a single failure when the name has none.
 */
export async function probeEndpoint(options: ProbeOptions): Promise<EndpointAnswer[]> {
  const { host, port, deadline, family, resolve = resolveName, samples = 8 } = options;
  const literal = parseIPv4(host) ?? parseIPv6(host);
  const wanted = options.servername ?? host;
  // RFC 6066 section 3 allows no address there.
  const servername = parseIPv4(wanted) ?? parseIPv6(wanted) ? undefined : wanted;
  const fail = (fault: ProbeFault, text: string): EndpointAnswer[] => [
    { ok: false, address: formatSocketAddress({ hostname: host, port }), failure: { fault, text } },
  ];
  let addresses: string[];
  try {
    addresses = literal === undefined ? await orAborted(resolve(host), deadline) : [literal];
  } catch (error) {
    return deadline.aborted
      ? fail("timeout", "the name was not resolved in time")
      : fail("unreachable", `the name has no address: ${resolverWords(error)}`);
  }
  const asked = addresses.filter((address) => !family || familyOfAddress(address) === family);
  if (asked.length === 0) return fail("unreachable", `it has no IPv${family} address`);
  return await Promise.all(
    asked.map((hostname) => probeAddress({ hostname, port }, { servername, deadline, samples })),
  );
}

interface AddressOptions {
  servername: string | undefined;
  deadline: AbortSignal;
  samples: number;
}

/** One handshake; a failure that says nothing about the server is undefined. */
type Attempt = { chain: Bytes[] } | ProbeFailure | undefined;

async function probeAddress(
  target: SocketAddress,
  options: AddressOptions,
): Promise<EndpointAnswer> {
  const address = formatSocketAddress(target);
  const asked = await Promise.all(KEY_KINDS.map((kind) => probeKind(kind, target, options)));
  const kinds = asked.filter(({ chains }) => chains.length > 0);
  const failures = asked.flatMap(({ failures }) => failures);
  if (kinds.length > 0) {
    // A kind that the server does not have is refused, each server in its own way.
    const absent = asked.filter(({ chains }) => chains.length === 0)
      .flatMap(({ failures }) => failures).filter(({ fault }) => fault !== "timeout");
    return {
      ok: true,
      address,
      kinds: kinds.map(({ asked, chains }) => ({ asked, chains })),
      failures: countFailures(failures.filter((failure) => !absent.includes(failure))),
    };
  }
  const rank = ({ fault }: ProbeFailure) => TELLING.indexOf(fault);
  const [failure] = failures.toSorted((a, b) => rank(a) - rank(b)) as [ProbeFailure];
  if (failure.refused && options.servername !== undefined) {
    const nameless = await Promise.all(
      KEY_KINDS.map((kind) => attempt(kind, target, { ...options, servername: undefined })),
    );
    if (nameless.some((answer) => answer && "chain" in answer)) {
      return { ok: false, address, failure: nameRefused(options.servername) };
    }
  }
  return { ok: false, address, failure };
}

interface KindAttempts extends KindAnswers {
  failures: ProbeFailure[];
}

async function probeKind(
  asked: AskedKind,
  target: SocketAddress,
  options: AddressOptions,
): Promise<KindAttempts> {
  const first = await attempt(asked, target, options) ?? TIMED_OUT;
  if (!("chain" in first)) return { asked, chains: [], failures: [first] };
  const others = await Promise.all(
    Array.from({ length: options.samples - 1 }, () => attemptInTurn(asked, target, options)),
  );
  const all = [first, ...others];
  const chains = Map.groupBy(
    all.flatMap((answer) => answer && "chain" in answer ? [answer.chain] : []),
    (chain) => chain.map((der) => der.toBase64()).join(" "),
  );
  return {
    asked,
    chains: [...chains.values()].map((same) => ({ chain: same[0]!, count: same.length })),
    failures: all.flatMap((answer) => answer && !("chain" in answer) ? [answer] : []),
  };
}

async function attemptInTurn(
  kind: AskedKind,
  target: SocketAddress,
  options: AddressOptions,
): Promise<Attempt> {
  const key = formatSocketAddress(target);
  if (!await further.acquire(key, options.deadline)) return undefined;
  try {
    return await attempt(kind, target, options);
  } finally {
    further.release(key);
  }
}

const TIMED_OUT: ProbeFailure = { fault: "timeout", text: "no TLS handshake in time" };

async function attempt(
  kind: AskedKind,
  target: SocketAddress,
  { servername, deadline }: AddressOptions,
): Promise<Attempt> {
  const begun = performance.now();
  try {
    return { chain: await handshake(target, { kind, servername, deadline }) };
  } catch (error) {
    if (!deadline.aborted) return explainFailure(error, servername);
    return performance.now() - begun < SHORTEST_TIMEOUT_MS ? undefined : TIMED_OUT;
  }
}

async function handshake(
  target: SocketAddress,
  { kind, servername, deadline }: {
    kind: AskedKind;
    servername: string | undefined;
    deadline: AbortSignal;
  },
): Promise<Bytes[]> {
  deadline.throwIfAborted();
  const hello = await makeHello({ kind, servername });
  using connection = await Deno.connect({ ...target, signal: deadline });
  return await orAborted(shakeHands(connection, hello), deadline);
}

/** Equal ones only once, with their number. */
function countFailures(failures: ProbeFailure[]): (ProbeFailure & { count: number })[] {
  const groups = Map.groupBy(failures, ({ fault, text }) => `${fault} ${text}`);
  return [...groups.values()].map((same) => ({ ...same[0]!, count: same.length }));
}

function familyOfAddress(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

function resolverWords(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "ENOTFOUND" ? "check its spelling, DNS and /etc/hosts" : messageOf(error);
}
