/**
 * Connecting to another machine within a deadline, and the one word for why it did not work.
 *
 * `Deno.connect` alone waits for minutes when packets are swallowed.
 */

import type { SocketAddress } from "../address.ts";

export interface DialOptions {
  /** Milliseconds for the connection to be made. */
  timeout: number;
  /** Ends the waiting early. */
  signal: AbortSignal;
}

/** @throws {Deno.errors.TimedOut} in time, and whatever the system says about the connection */
export async function dial(
  { hostname, port }: SocketAddress,
  { timeout, signal }: DialOptions,
): Promise<Deno.TcpConn> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const timer = setTimeout(abort, timeout);
  signal.addEventListener("abort", abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Deno.connect({ hostname, port, signal: controller.signal });
  } catch (error) {
    if (controller.signal.aborted) throw new Deno.errors.TimedOut("connect", { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

export type NetworkFault = "timeout" | "refused" | "reset" | "unreachable";

/** The word for an error of connecting, sending or receiving. */
export function networkFault(error: unknown): NetworkFault {
  if (error instanceof Deno.errors.TimedOut) return "timeout";
  if (error instanceof Deno.errors.ConnectionRefused) return "refused";
  if (
    error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionAborted
  ) return "reset";
  return "unreachable";
}
