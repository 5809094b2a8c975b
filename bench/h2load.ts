/**
 * h2load, the TLS load generator: connections at a fixed rate, a handshake and a request on each,
 * so that the machine is busy but not full and every failure counts.
 */

export interface TlsLoad {
  /** Requests that were answered as they should. */
  succeeded: number;
  /** Connections, handshakes and requests that were not. */
  failed: number;
}

/** Connections in each tenth of a second. */
const RATE = 10;

/** `seconds` of handshakes with `[::1]:PORT`, for the server name `name`. */
export async function runH2load(
  port: number,
  { name, seconds }: { name: string; seconds: number },
): Promise<TlsLoad> {
  const count = RATE * 10 * seconds;
  const { success, stdout, stderr } = await new Deno.Command("h2load", {
    args: [
      ...["--h1", "-t1", `-c${count}`, `-n${count}`, `-r${RATE}`, "--rate-period=100ms"],
      ...["-T5s", `--connect-to=[::1]:${port}`, `https://${name}:${port}/`],
    ],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`h2load failed: ${decoder.decode(stderr).trim().slice(-500)}`);
  return parseRequests(decoder.decode(stdout));
}

/** @throws {SyntaxError} when it is not h2load's summary */
export function parseRequests(text: string): TlsLoad {
  const counts = /^requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded,/m.exec(text);
  const statuses = /^status codes: (\d+) 2xx,/m.exec(text);
  if (!counts || !statuses) throw new SyntaxError(`h2load said nothing of requests: ${text}`);
  const succeeded = Math.min(Number(counts[2]), Number(statuses[1]));
  return { succeeded, failed: Number(counts[1]) - succeeded };
}

/** Load without end; `stop` lets the last part finish and adds up. */
export function startH2load(port: number, names: string[]): { stop: () => Promise<TlsLoad> } {
  const sum: TlsLoad = { succeeded: 0, failed: 0 };
  let stopped = false;
  const running = (async () => {
    for (let part = 0; !stopped; part++) {
      const { succeeded, failed } = await runH2load(port, {
        name: names[part % names.length]!,
        seconds: 1,
      });
      sum.succeeded += succeeded;
      sum.failed += failed;
    }
  })();
  // Told by stop(); without this a failure before that would end the program.
  running.catch(() => {});
  const stop = async () => {
    stopped = true;
    await running;
    return sum;
  };
  return { stop };
}
