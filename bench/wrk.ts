/** wrk, the load generator: one thread, a fixed number of connections, its summary as numbers. */

export interface Load {
  requests: number;
  /** Seconds. */
  duration: number;
  /** Connects, reads, writes and timeouts that failed, and answers above 399. */
  errors: number;
}

/** Loads `http://[::1]:PORT/` with GET for `seconds`; `close` asks for a connection a request. */
export async function runWrk(
  port: number,
  options: { seconds: number; connections: number; close: boolean },
): Promise<Load> {
  const { seconds, connections, close } = options;
  const { success, stdout, stderr } = await new Deno.Command("wrk", {
    args: [
      ...["-t1", `-c${connections}`, `-d${seconds}s`, "-H", "Host: service.example"],
      ...close ? ["-H", "Connection: close"] : [],
      `http://[::1]:${port}/status?from=bench`,
    ],
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`wrk failed: ${decoder.decode(stderr).trim()}`);
  return parseSummary(decoder.decode(stdout));
}

/** @throws {SyntaxError} when it is not wrk's summary */
export function parseSummary(text: string): Load {
  const total = /(\d+) requests in ([\d.]+)(ms|s|m),/.exec(text);
  if (!total) throw new SyntaxError(`wrk said nothing of requests: ${text}`);
  const [, requests, time, unit] = total;
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  const status = /Non-2xx or 3xx responses: (\d+)/.exec(text);
  const errors = [...socket?.slice(1) ?? [], status?.[1] ?? 0].map(Number);
  return {
    requests: Number(requests),
    duration: Number(time) * { ms: 0.001, s: 1, m: 60 }[unit as "ms" | "s" | "m"],
    errors: errors.reduce((sum, count) => sum + count, 0),
  };
}
