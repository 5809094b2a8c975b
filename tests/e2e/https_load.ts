/**
 * HTTPS requests through virtual addresses, one after the other through each, from outside, for as
 * long as a test lasts; and which of them were lost, and when.
 */

import { type Daemon, startDaemon } from "./daemon.ts";
import type { Host, Network } from "./network.ts";

/** One request, with milliseconds since the epoch. */
export interface Request {
  address: string;
  start: number;
  end: number;
  /** HTTP status, 0 when there was no answer. */
  status: number;
  /** The backend that answered. */
  body: string;
  /** curl's exit code. */
  exit: number;
}

export interface Load {
  /** All requests that have ended. */
  requests(): Promise<Request[]>;
  stop(): Promise<void>;
}

/**
 * Ten seconds are a visitor's patience, and enough for a machine that does other work as well; curl's
 * limit for the connection alone would count the handshake.
 */
const LOOP = `
while :; do
  start=$EPOCHREALTIME
  answer=$(curl -sk --max-time 10 --noproxy '*' -w ' %{exitcode} %{http_code}' --resolve "$1:443:$3" "https://$1/")
  echo "$start $EPOCHREALTIME $2 \${answer//[[:space:]]/ }"
  sleep 0.4
done`;

/** Starts asking for `name` through each of the addresses. */
export async function startLoad(
  network: Network,
  { from, name, addresses }: { from: Host; name: string; addresses: string[] },
): Promise<Load> {
  const loops: Daemon[] = [];
  for (const address of addresses) {
    const literal = address.includes(":") ? `[${address}]` : address;
    loops.push(
      await startDaemon(
        network.on(from, ["bash", "-c", LOOP, "bash", name, address, literal]),
        { log: `${network.directory}/load-${address}.log` },
      ),
    );
  }
  return {
    async requests() {
      const outputs = await Promise.all(loops.map((loop) => loop.output()));
      return outputs.flatMap((output) => output.split("\n").slice(0, -1).map(parse));
    },
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}

function parse(line: string): Request {
  const words = line.split(/ +/);
  const [start, end, address] = words;
  const ms = (seconds: string) => Number(seconds) * 1000;
  const status = Number(words.at(-1));
  const body = words.slice(3, -2).join(" ");
  const exit = Number(words.at(-2));
  return { address: address!, start: ms(start!), end: ms(end!), status, body, exit };
}
