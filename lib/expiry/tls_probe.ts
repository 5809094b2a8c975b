/**
 * What a TLS endpoint serves: the chain that each address of a host sends in a handshake.
 *
 * Nothing is judged here. Expired, untrusted and self-signed certificates are what one is looking
 * for, so verification is off, and nothing is sent over the connection but the handshake. node:tls
 * is the one way in this runtime to see a certificate that it does not trust; its own verdicts are
 * left unread, since they lie about time.
 */

import { formatSocketAddress, parseIPv4, parseIPv6, type SocketAddress } from "../address.ts";
import { messageOf } from "../errors.ts";
import { errnoOf } from "../system_reason.ts";
import { resolveName } from "../resolve_name.ts";

/**
 * - `timeout`: no handshake within the deadline
 * - `unreachable`: no connection, or no address
 * - `no_tls`: a connection, but what came is not TLS
 * - `unsupported`: TLS, but no handshake that this program can do
 */
export type ProbeFailure = "timeout" | "unreachable" | "no_tls" | "unsupported";

/** What one address answered; `address` is `[2001:db8::1]:443`. */
export type EndpointAnswer =
  /** The certificates as DER, in the order in which they were sent: the leaf first. */
  | { address: string; chain: Uint8Array[]; failure?: undefined }
  /** `text` is one line without a full stop; it may quote the endpoint. */
  | { address: string; failure: { reason: ProbeFailure; text: string }; chain?: undefined };

export interface ProbeOptions {
  /** A name, an IPv4 address or an IPv6 address without brackets. */
  host: string;
  port: number;
  /** The name asked for in the handshake (SNI). @default the host, and none when it is an address */
  servername?: string;
  /** Ends the probing; what has not answered by then counts as `timeout`. */
  deadline: AbortSignal;
  /** All addresses of a name. @default the system's resolver, hosts file included */
  resolve?: (name: string) => Promise<string[]>;
}

/**
 * Asks all addresses of the host at once. Never rejects, and never takes longer than the deadline:
 * there is one answer for each address, or a single failure when the name has none.
 */
export async function probeEndpoint(options: ProbeOptions): Promise<EndpointAnswer[]> {
  const { host, port, deadline, resolve = resolveName } = options;
  const literal = parseIPv4(host) ?? parseIPv6(host);
  const wanted = options.servername ?? host;
  // RFC 6066 section 3 allows no address there.
  const servername = parseIPv4(wanted) ?? parseIPv6(wanted) ? undefined : wanted;
  let addresses: string[];
  try {
    addresses = literal === undefined ? await before(deadline, resolve(host)) : [literal];
  } catch (error) {
    const failure = deadline.aborted
      ? { reason: "timeout", text: "the name was not resolved in time" } as const
      : {
        reason: "unreachable",
        text: `the name has no address: ${resolverWords(error)}`,
      } as const;
    return [{ address: `${host}:${port}`, failure }];
  }
  return await Promise.all(
    addresses.map((hostname) => probeAddress({ hostname, port }, { servername, deadline })),
  );
}

interface AddressOptions {
  servername: string | undefined;
  deadline: AbortSignal;
}

async function probeAddress(
  target: SocketAddress,
  options: AddressOptions,
): Promise<EndpointAnswer> {
  const address = formatSocketAddress(target);
  try {
    return { address, chain: await handshake(target, options) };
  } catch (error) {
    const failure = options.deadline.aborted
      ? { reason: "timeout" as const, text: "no TLS handshake in time" }
      : judgeFailure(error);
    return { address, failure };
  }
}

async function handshake(
  { hostname, port }: SocketAddress,
  { servername, deadline }: AddressOptions,
): Promise<Uint8Array[]> {
  const { connect } = await import("node:tls");
  deadline.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array[]>();
  const socket = connect({
    host: hostname,
    port,
    servername: servername ?? "",
    rejectUnauthorized: false,
  });
  const giveUp = () => reject(deadline.reason);
  deadline.addEventListener("abort", giveUp, { once: true });
  // Stays for good: an error that comes after the answer must not become an unhandled one.
  socket.on("error", reject);
  socket.on("close", () => reject(new HungUp()));
  socket.on("end", () => reject(new HungUp()));
  socket.on("secureConnect", () => {
    try {
      resolve(chainOf(socket.getPeerCertificate(true)));
    } catch (error) {
      reject(error);
    }
  });
  try {
    return await promise;
  } finally {
    deadline.removeEventListener("abort", giveUp);
    socket.destroy();
  }
}

/** A certificate as node:tls hands it out, of which the rest is not used. */
interface SentCertificate {
  raw?: Uint8Array;
  issuerCertificate?: SentCertificate;
}

/** "Issuer" is what node:tls calls the next one sent, whoever issued it; the last has itself. */
function chainOf(leaf: SentCertificate): Uint8Array[] {
  const chain: Uint8Array[] = [];
  for (let next: SentCertificate | undefined = leaf; next?.raw && chain.length < MAX_CHAIN;) {
    chain.push(new Uint8Array(next.raw));
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  if (chain.length === 0) throw new Error("it sent no certificate");
  return chain;
}

/** A handshake of the usual 16 KiB of certificates holds about ten. */
const MAX_CHAIN = 100;

/** The endpoint ended the connection during the handshake. */
class HungUp extends Error {}

interface Failure {
  reason: ProbeFailure;
  text: string;
}

const CONNECTION_FAILURES: Record<string, string> = {
  ECONNREFUSED: "connection refused: nothing listens there",
  EHOSTUNREACH: "no route to the host, or a firewall refuses it",
  ENETUNREACH: "no route to its network",
  EADDRNOTAVAIL: "this machine has no address of that family",
  ETIMEDOUT: "no answer to the connection",
};

/** Alerts that a server sends when no version, cipher or key kind suits both sides. */
const UNSUITABLE =
  "no TLS version, cipher or key in common with this check (it knows TLS 1.2 and 1.3 without " +
  "RSA key exchange), or a client certificate is demanded; look with openssl s_client";

const UNREADABLE_KEY =
  "its certificate has a key that this check cannot use, such as RSA below 2048 bits; look with " +
  "openssl s_client";

function judgeFailure(error: unknown): Failure {
  const code = errnoOf(error) ?? String((error as { code?: unknown } | null)?.code ?? "");
  const words = messageOf(error);
  if (error instanceof HungUp || ["ECONNRESET", "EPIPE"].includes(code)) {
    return { reason: "no_tls", text: "it closed the connection during the TLS handshake" };
  }
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER") {
    return { reason: "no_tls", text: "it does not speak TLS" };
  }
  if (code === "EMFILE" || code === "ENFILE") {
    return { reason: "unsupported", text: "this machine has no descriptor left to connect with" };
  }
  if (words.includes("UnrecognisedName")) {
    return { reason: "unsupported", text: "it has no certificate for the name that was asked for" };
  }
  if (/HandshakeFailure|ProtocolVersion/.test(words)) {
    return { reason: "unsupported", text: UNSUITABLE };
  }
  // Verification is off, so what is refused in spite of that is the kind of key.
  if (/CERT|SIGNATURE/.test(code)) {
    return { reason: "unsupported", text: UNREADABLE_KEY };
  }
  if (Object.hasOwn(CONNECTION_FAILURES, code)) {
    return { reason: "unreachable", text: CONNECTION_FAILURES[code]! };
  }
  if (/^E[A-Z]+$/.test(code)) return { reason: "unreachable", text: words };
  return { reason: "unsupported", text: `the TLS handshake failed: ${words}` };
}

function resolverWords(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "ENOTFOUND" ? "check its spelling, DNS and /etc/hosts" : messageOf(error);
}

/** The promise's value; rejects when the deadline comes first. */
async function before<T>(deadline: AbortSignal, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const giveUp = () => reject(deadline.reason);
  deadline.addEventListener("abort", giveUp, { once: true });
  try {
    deadline.throwIfAborted();
    return await Promise.race([promise, late]);
  } finally {
    deadline.removeEventListener("abort", giveUp);
    promise.catch(() => {});
  }
}
