/** One HTTP request from a host of the network, told as the server sent it. */

import type { Host, Network } from "./network.ts";

export interface Fetched {
  /** HTTP status, or 0 when there was no answer. */
  status: number;
  body: string;
  /** Where a redirect leads. */
  location: string;
  /** There was neither an answer nor a refusal within the deadline. */
  timedOut: boolean;
}

/** curl's own exit code for that. */
const OPERATION_TIMEDOUT = 28;

/** Follows no redirect, obeys no proxy. */
export async function fetchOn(
  host: Host,
  options: { network: Network; url: string; name?: string; deadline?: number },
): Promise<Fetched> {
  const { network, url, name, deadline = 10_000 } = options;
  const { code, stdout } = await network.run(host, [
    ...["curl", "-sS", "--noproxy", "*", "--max-time", String(deadline / 1000)],
    ...(name === undefined ? [] : ["-H", `Host: ${name}`]),
    ...["-w", "\\n%{redirect_url}\\n%{http_code}", "--globoff", url],
  ]);
  const [status = "0", location = "", ...lines] = stdout.split("\n").reverse();
  return {
    status: Number(status),
    location,
    body: lines.reverse().join("\n"),
    timedOut: code === OPERATION_TIMEDOUT,
  };
}
