/** Raw sockets against a real listener: bytes are sent and received unchanged. */

import { createLog, type Log } from "../../lib/log.ts";
import { createPublicChallengeHandler } from "../../lib/http/challenge_handler.ts";
import type { Handler } from "../../lib/http/connection.ts";
import { listen, type Listener, type ListenerOptions } from "../../lib/http/listener.ts";
import { createMetrics } from "../../lib/http/metrics.ts";
import { createOwnTokens } from "../../lib/http/own_tokens.ts";
import { createPeerAddresses } from "../../lib/http/peer_addresses.ts";
import { PeerGates } from "../../lib/http/peer_gate.ts";
import { createPeerLookup } from "../../lib/http/peer_lookup.ts";
import { PeerNames } from "../../lib/http/peer_names.ts";
import { createPublicHandler } from "../../lib/http/public_handler.ts";
import { createRedirectHandler } from "../../lib/http/redirect_handler.ts";
import { Webroots } from "../../lib/http/webroots.ts";
import { deadline, orAborted } from "../../lib/time.ts";

export const TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
export const KEY_AUTHORIZATION = `${TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;

const QUIET = createLog({ write: () => {} });

/** A public port on loopback as `serve` has it, without peers; ends with the block. */
export async function publicPort(
  options: { hosts?: string[]; log?: Log } & ListenerExtras = {},
): Promise<{ port: number; webroot: string; open(): number } & AsyncDisposable> {
  const webroot = await Deno.makeTempDir();
  await Deno.writeTextFile(`${webroot}/${TOKEN}`, `${KEY_AUTHORIZATION}\n`);
  const metrics = options.metrics ?? createMetrics("test");
  const lookup = createPeerLookup({
    addresses: createPeerAddresses({ peers: [], own: [], names: new PeerNames({ log: QUIET }) }),
    gates: new PeerGates(),
    connectTimeoutMs: 1000,
    timeoutMs: 2000,
    limits: { fanOuts: 64, perPeer: 32, perSuspectPeer: 2 },
  });
  const handler = createPublicHandler({
    challenge: createPublicChallengeHandler({
      own: createOwnTokens({ webroots: new Webroots({ log: QUIET }).of([webroot]), log: QUIET }),
      ...{ lookup, metrics, log: QUIET },
    }),
    redirect: createRedirectHandler({
      status: "auto",
      hosts: options.hosts ?? [],
      httpsPort: 443,
      log: options.log ?? QUIET,
    }),
  });
  const listener = quietListener(handler, { ...options, metrics });
  return {
    port: listener.address.port,
    webroot,
    open: () => Number(/_connections\{role="public"\} (\d+)/.exec(metrics.render())![1]),
    async [Symbol.asyncDispose]() {
      await listener.stop(0);
      await Deno.remove(webroot, { recursive: true });
    },
  };
}

/** Options of a test's listener besides its handler. */
export type ListenerExtras = Partial<Omit<ListenerOptions, "role" | "handler">>;

/** A listener on a free loopback port, which logs only to a given log. */
export function quietListener(handler: Handler, extras: ListenerExtras = {}): Listener {
  return listen({ hostname: "127.0.0.1", port: 0 }, {
    role: "public",
    handler,
    limits: { connections: 1000, perSource: 1000 },
    log: QUIET,
    metrics: createMetrics("test"),
    ...extras,
  });
}

export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/**
 * Lets the listener, which runs in this process, take what was sent: only time in which the process
 * runs counts, since one without a processor would find its timer and the sent bytes at once.
 */
export async function pause(ms: number): Promise<void> {
  using end = deadline(ms, { whileRunning: true });
  await orAborted(new Promise(() => {}), end.signal).catch(() => {});
}

/** Everything that came back, and whether the server ended the connection. */
export interface Exchange {
  text: string;
  statuses: number[];
  closed: boolean;
}

export interface ExchangeOptions {
  /** Send in pieces that end at these offsets, with a turn of the event loop between them. */
  cuts?: number[];
  /** Milliseconds of silence after an answer, until a connection counts as kept. @default 300 */
  patience?: number;
}

/** Sends the bytes on one connection and reads until the server closes or falls silent. */
export async function exchange(
  port: number,
  request: string | Uint8Array<ArrayBuffer>,
  { cuts = [], patience = 300 }: ExchangeOptions = {},
): Promise<Exchange> {
  const bytes = typeof request === "string" ? latin1(request) : request;
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  conn.setNoDelay(true);
  const sending = (async () => {
    let from = 0;
    for (const cut of [...cuts, bytes.length]) {
      for (let part = bytes.subarray(from, cut); part.length > 0;) {
        part = part.subarray(await conn.write(part));
      }
      from = cut;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  })().catch(() => {}); // The server may refuse and close before all is sent.
  const { text, closed } = await readAll(conn, patience);
  await sending;
  if (closed) conn.close();
  return { text, closed, statuses: statusesIn(text) };
}

/** How long a first byte is waited for: on a busy machine an answer may come late. */
const FIRST_BYTE_MS = 3_000;

/**
 * Reads until the end, or until nothing came for `patience` milliseconds. Only time in which this
 * process runs counts, since the server is a part of it.
 */
export async function readAll(
  conn: Deno.Conn,
  patience: number,
): Promise<{ text: string; closed: boolean }> {
  const chunks: string[] = [];
  const buffer = new Uint8Array(65536);
  while (true) {
    const silenceMs = chunks.length === 0 ? Math.max(patience, FIRST_BYTE_MS) : patience;
    using silence = deadline(silenceMs, { whileRunning: true });
    const reading = conn.read(buffer).catch(() => null);
    const count = await orAborted(reading, silence.signal).catch(() => "silent" as const);
    if (count === "silent") {
      conn.close();
      await reading;
      return { text: chunks.join(""), closed: false };
    }
    if (count === null) return { text: chunks.join(""), closed: true };
    chunks.push(String.fromCharCode(...buffer.subarray(0, count)));
  }
}

function statusesIn(text: string): number[] {
  return [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map((match) => Number(match[1]));
}

/** The value of a header in a response, without its line end. */
export function header(text: string, name: string): string | undefined {
  const line = text.split("\r\n\r\n")[0]!.split("\r\n").find((one) =>
    one.toLowerCase().startsWith(`${name.toLowerCase()}:`)
  );
  return line?.slice(name.length + 1).trim();
}
