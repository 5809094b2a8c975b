/**
 * Connecting to another machine within a deadline, and the fault when that fails.
 *
 * `Deno.connect` by itself waits for minutes when packets are dropped.
 */

import type { SocketAddress } from "../address.ts";
import { deadline, DeadlineError } from "../time.ts";

interface DialOptions {
  /** For the connection to be made. */
  timeoutMs: number;
  /** Ends the waiting early. */
  signal: AbortSignal;
}

/**
 * Only time in which this process runs counts: on a busy machine, a connection that was made while
 * it had no processor time must not look like a peer that swallows packets.
 * @throws {DeadlineError} in time, and whatever the system says about the connection
 */
export async function dial(
  { hostname, port }: SocketAddress,
  { timeoutMs, signal }: DialOptions,
): Promise<Deno.TcpConn> {
  using limit = deadline(timeoutMs, { parent: signal, whileRunning: true });
  try {
    limit.signal.throwIfAborted();
    return await Deno.connect({ hostname, port, signal: limit.signal });
  } catch (error) {
    throw limit.passed ? limit.signal.reason : error;
  }
}

export type NetworkFault = "timeout" | "refused" | "reset" | "unreachable";

/** The fault of an error of connecting, sending or receiving. */
export function networkFault(error: unknown): NetworkFault {
  if (error instanceof DeadlineError || error instanceof Deno.errors.TimedOut) return "timeout";
  if (error instanceof Deno.errors.ConnectionRefused) return "refused";
  if (
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionAborted
  ) return "reset";
  return "unreachable";
}
