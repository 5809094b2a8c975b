/**
 * Asking a server for one target: the one HTTP client of acme-lb, for lookups and for self-test.
 *
 * Not fetch: it uses proxy variables of the environment, follows redirects, unpacks gzip and has no
 * bound on size. A peer may be compromised: all it can achieve is that its text is offered to the
 * CA, and it must not cost more than a good one.
 */

import type { SocketAddress } from "../address.ts";
import { deadline, delay } from "../time.ts";
import { dial, type NetworkFault, networkFault } from "./dial.ts";
import {
  type HttpResponse,
  type ReadFault,
  ResponseReader,
  type ResponseReaderOptions,
} from "./response_reader.ts";

/** Why there is no answer. */
export type AskFault = NetworkFault | ReadFault;

/** A complete answer. */
export interface ReceivedResponse extends HttpResponse {
  /** Milliseconds since the epoch, before the question was sent and after its answer had come. */
  sent: number;
  received: number;
}

/** No answer, or none that can be read. */
interface Failed {
  fault: AskFault;
  /** There was a connection; without one the CA tries its second address, after it no other. */
  connected: boolean;
}

/** The result, and how long it took. */
export type Reply = (Failed | ReceivedResponse) & { ms: number };

export interface AskOptions {
  /** The request target, origin form. */
  target: string;
  /** The Host header, validated. */
  host: string | undefined;
  /**
   * As a balancer asks (HTTP/1.0, with a Via by which no loop can form), or as the CA does.
   * HTTP/1.0 keeps answers free of chunks, and is what the reverse proxies of the field speak to
   * their upstreams, so nginx, lego and others can be peers too.
   */
  as: "balancer" | "ca";
  /** A balancer's Via. @default {@link PEER_VIA} */
  via?: string;
  /** For the connection to be made. @default as long as the whole may take */
  connectTimeoutMs?: number;
  /** For the connection, the question and the answer together. */
  timeoutMs: number;
  /** Bytes of a body. @default MAX_BODY_BYTES of response_reader.ts */
  maxBody?: number;
  /** Ends the asking; the fault is then `timeout`. */
  signal: AbortSignal;
}

/** How a request of another acme-lb is recognised: the pseudonym in its Via (RFC 9110 7.6.3). */
export const HOP = "acme-lb";
/** The second pseudonym of a request that acme-lb sends to a solver of its machine. */
export const SOLVER_HOP = "acme-lb-solver";

const PEER_VIA = `1.0 ${HOP}`;
export const SOLVER_VIA = `${PEER_VIA}, 1.0 ${SOLVER_HOP}`;

/**
 * Begins like the CA's (`Mozilla/5.0 (compatible; Let's Encrypt validation server; …)`), because
 * filters in front of a balancer look at the first words.
 */
const USER_AGENT = "Mozilla/5.0 (compatible; acme-lb self-test)";

/**
 * A normal answer arrives in one or two pieces. After this number of reads, each further read
 * waits, longer each time, so that single bytes collect in the kernel and do not each cost a
 * wake-up.
 */
const QUICK_READS = 4;
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;

/** Asks once. Never rejects. */
export async function askServer(address: SocketAddress, options: AskOptions): Promise<Reply> {
  const began = performance.now();
  const result = await tryToAsk(address, options);
  return { ...result, ms: Math.round(performance.now() - began) };
}

async function tryToAsk(
  address: SocketAddress,
  options: AskOptions,
): Promise<Failed | ReceivedResponse> {
  const { timeoutMs, connectTimeoutMs = timeoutMs } = options;
  using limit = deadline(timeoutMs, { parent: options.signal, whileRunning: true });
  const { signal } = limit;
  let conn: Deno.TcpConn | undefined;
  const close = () => {
    try {
      conn?.close();
    } catch {
      // Closed by the other path.
    }
  };
  try {
    conn = await dial(address, { timeoutMs: connectTimeoutMs, signal });
    signal.addEventListener("abort", close, { once: true });
    signal.throwIfAborted();
    const sent = Date.now();
    await conn.write(new TextEncoder().encode(requestText(options)));
    const answer = await readAnswer(conn, {
      chunked: options.as === "ca",
      maxBody: options.maxBody,
      signal,
    });
    return "fault" in answer
      ? { ...answer, connected: true }
      : { ...answer, sent, received: Date.now() };
  } catch (error) {
    const fault = signal.aborted ? "timeout" : networkFault(error);
    return { fault, connected: conn !== undefined };
  } finally {
    close();
  }
}

function requestText({ target, host, as, via = PEER_VIA }: AskOptions): string {
  const [version, more] = as === "balancer"
    ? ["1.0", `Via: ${via}\r\n`]
    : ["1.1", `User-Agent: ${USER_AGENT}\r\n`];
  const hostLine = host === undefined ? "" : `Host: ${host}\r\n`;
  return `GET ${target} HTTP/${version}\r\n${hostLine}${more}` +
    "Accept: */*\r\nConnection: close\r\n\r\n";
}

async function readAnswer(
  conn: Deno.TcpConn,
  { signal, ...bounds }: ResponseReaderOptions & { signal: AbortSignal },
): Promise<HttpResponse | { fault: ReadFault }> {
  const reader = new ResponseReader(bounds);
  const buffer = new Uint8Array(4096);
  let pauseMs = FIRST_PAUSE_MS;
  for (let reads = 1;; reads++) {
    const count = await conn.read(buffer);
    if (count === null) return reader.end();
    const answer = reader.push(buffer.subarray(0, count));
    if (answer) return answer;
    // A full buffer means that more data is waiting already.
    if (reads < QUICK_READS || count === buffer.length) continue;
    await delay(pauseMs, { signal });
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
}
