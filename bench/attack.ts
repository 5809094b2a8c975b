/**
 * Floods, and who is still answered: the CA, which asks ten times a second from an address of its
 * own, and the health check of keepalived, which asks from this machine.
 *
 * Every contender may hold equally many connections and has the same seconds. All addresses lie
 * in a network that exists in this namespace alone.
 */

import net from "node:net";
import type { Child } from "./child.ts";
import { startFaultyPeer } from "./faulty_peer.ts";
import type { Flood } from "./flood.ts";
import { type Contender, type Figure, percentile } from "./report.ts";
import { type Bench, startAcmeLb, startHaproxy, startNginx, startPeer } from "./servers.ts";

const PORT = 28080;
const CHALLENGE_PORT = 28090;
const PEER_PORT = 28091;
const DEAD_PORT = 28092;
const CONNECTIONS = 4_096;
/** An address is answered within this, or it counts as not answered. */
const PATIENCE_MS = 3_000;
const ASK_EVERY_MS = 100;
/** What the flood runs for before anybody asks, so that all places are taken. */
const HEAD_START_MS = 3_000;

/** Any address below it may be bound, and is no address of an interface. */
const NETWORK = "2001:db8::/32";
const SERVER = "2001:db8::80";
const CA = "2001:db8:ca::1";

const TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
const KEY_AUTHORIZATION = `${TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;
const CHALLENGE = "GET /.well-known/acme-challenge/";

interface Attack {
  what: string;
  sources: string[];
  rate: number;
  text: string;
  /** The token is at a peer, beside one that never answers. */
  deadPeer?: boolean;
}

const HALF = "GET / HTTP/1.1\r\nHost: service.example\r\nAccept: te";
const WHOLE = "GET / HTTP/1.1\r\nHost: service.example\r\nConnection: close\r\n\r\n";
const hex = (number: number) => number.toString(16);
const networks = (count: number) =>
  Array.from({ length: count }, (_, i) => `2001:db8:${hex(0x1000 + i)}::1`);

const ATTACKS: Attack[] = [
  { what: "half-open, 1,500/s from 20 addresses", sources: networks(20), rate: 1_500, text: HALF },
  { what: "half-open, 3,000/s from 2,000", sources: networks(2_000), rate: 3_000, text: HALF },
  {
    what: "half-open, 800/s from one /60",
    sources: Array.from({ length: 16 }, (_, i) => `2001:db8:bad:f${hex(i)}::1`),
    rate: 800,
    text: HALF,
  },
  {
    what: "whole requests, 2,000 addresses, at the machine's limit",
    sources: networks(2_000),
    rate: 20_000,
    text: WHOLE,
  },
  {
    what: "invented tokens, 400/s from 8 addresses, a peer is dead",
    sources: networks(8),
    rate: 400,
    text: `${CHALLENGE}x@ HTTP/1.1\r\nHost: service.example\r\nConnection: close\r\n\r\n`,
    deadPeer: true,
  },
];

/** Shares of right answers, and the slow ones of the CA's, for each attack and contender. */
export async function measureAttack(bench: Bench): Promise<Figure[]> {
  if (!bench.apart) throw new Error("needs root, for a network of its own");
  await allowAddresses();
  const seconds = bench.quick ? 8 : 20;
  const figures: Figure[] = [];
  for (const attack of ATTACKS) {
    const ca: Figure["values"] = {};
    const slow: Figure["values"] = {};
    const health: Figure["values"] = {};
    const rates: Figure["values"] = {};
    for (const [contender, start] of contenders(bench, attack)) {
      bench.progress(`attack: ${attack.what}: ${contender}`);
      await using children = new AsyncDisposableStack();
      await start(children);
      const seen = await underAttack(attack, seconds);
      ca[contender] = share(seen.ca);
      slow[contender] = percentile(seen.ca.map(({ ms }) => ms), 0.99);
      health[contender] = share(seen.health);
      rates[contender] = seen.rate;
    }
    const section = `Attack: ${attack.what}`;
    const target = { sense: "at least", value: 99 } as const;
    figures.push(
      { section, what: "the CA answered rightly", unit: "%", values: ca, target },
      { section, what: "99 % of its answers within", unit: "ms", values: slow },
      { section, what: "health checks answered", unit: "%", values: health, target },
      { section, what: "connections that the flood made", unit: "/s", values: rates },
    );
  }
  return figures;
}

type Start = (children: AsyncDisposableStack) => Promise<void>;

function contenders(bench: Bench, { deadPeer }: Attack): [Contender, Start][] {
  const webroot = `${bench.directory}/attacked`;
  const holder = `${bench.directory}/holder`;
  const peers = deadPeer ? [`[::1]:${PEER_PORT}`, `[::1]:${DEAD_PORT}`] : [];
  const prepare = async (children: AsyncDisposableStack) => {
    for (const directory of [webroot, holder]) await Deno.mkdir(directory, { recursive: true });
    await Deno.remove(`${webroot}/${TOKEN}`).catch(() => {});
    await Deno.writeTextFile(`${deadPeer ? holder : webroot}/${TOKEN}`, KEY_AUTHORIZATION);
    if (!deadPeer) return;
    children.use(startFaultyPeer(DEAD_PORT, "hang"));
    children.use(await startPeer(bench, { port: PEER_PORT, webroot: holder }));
  };
  const server = { publicPort: PORT, challengePort: CHALLENGE_PORT, peers, webroot };
  const starting = (start: () => Promise<Child>): Start => async (children) => {
    await prepare(children);
    children.use(await start());
  };
  const connections = CONNECTIONS;
  const all: [Contender, Start][] = [
    ["acme-lb", starting(() => startAcmeLb(bench, { ...server, connections, perSource: 256 }))],
  ];
  if (bench.nginx) {
    all.push(["nginx", starting(() => startNginx(bench, { ...server, connections }))]);
  }
  // HAProxy has no files and asks no peers: it is given the answer.
  if (bench.haproxy && !deadPeer) {
    const challenge = { path: `/.well-known/acme-challenge/${TOKEN}`, body: KEY_AUTHORIZATION };
    all.push([
      "HAProxy",
      starting(() => startHaproxy(bench, { port: PORT, connections, challenge })),
    ]);
  }
  return all;
}

interface Seen {
  right: boolean;
  ms: number;
}

async function underAttack(
  { sources, rate, text }: Attack,
  seconds: number,
): Promise<{ ca: Seen[]; health: Seen[]; rate: number }> {
  const flood: Flood = { address: SERVER, port: PORT, sources, rate, text };
  const child = new Deno.Command("sh", {
    args: [
      ...["-c", 'ulimit -n "$(ulimit -H -n)"; exec "$@"', "sh"],
      ...[Deno.execPath(), "run", "-A", "--no-config"],
      ...[new URL("flood.ts", import.meta.url).pathname, JSON.stringify(flood)],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  await new Promise((resolve) => setTimeout(resolve, HEAD_START_MS));
  const end = performance.now() + seconds * 1000;
  const challenge =
    `${CHALLENGE}${TOKEN} HTTP/1.1\r\nHost: service.example\r\nConnection: close\r\n\r\n`;
  const isRight = (answer: string) =>
    answer.startsWith("HTTP/1.1 200 ") && answer.trimEnd().endsWith(KEY_AUTHORIZATION);
  const [ca, health] = await Promise.all([
    askUntil(end, () => ask({ address: SERVER, from: CA, text: challenge }, isRight)),
    // As the rendered keepalived check does: from this machine, content with any answer but 5xx.
    askUntil(
      end,
      () => ask({ address: "::1", text: WHOLE }, (answer) => /^HTTP\/1.1 [234]/.test(answer)),
    ),
  ]);
  child.kill();
  const { stdout } = await child.output();
  return { ca, health, rate: Number(new TextDecoder().decode(stdout)) };
}

async function askUntil(end: number, one: () => Promise<Seen>): Promise<Seen[]> {
  const asked: Promise<Seen>[] = [];
  while (performance.now() < end) {
    asked.push(one());
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
  return await Promise.all(asked);
}

/** One request on a connection of its own. */
function ask(
  { address, from, text }: { address: string; from?: string; text: string },
  isRight: (answer: string) => boolean,
): Promise<Seen> {
  const began = performance.now();
  return new Promise((resolve) => {
    let answer = "";
    const socket = net.connect({ host: address, port: PORT, family: 6, localAddress: from });
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      const ms = performance.now() - began;
      resolve({ right: ms < PATIENCE_MS && isRight(answer), ms });
    };
    const timer = setTimeout(done, PATIENCE_MS);
    socket.on("connect", () => socket.write(text));
    socket.on("data", (bytes: Uint8Array) => answer += new TextDecoder().decode(bytes));
    socket.on("error", done);
    socket.on("end", done);
  });
}

/** In percent. */
function share(seen: Seen[]): number {
  return 100 * seen.filter(({ right }) => right).length / seen.length;
}

/** Connections may come from any address of the network, though no interface has it. */
async function allowAddresses(): Promise<void> {
  await Deno.writeTextFile("/proc/sys/net/ipv6/ip_nonlocal_bind", "1");
  const args = ["-6", "route", "replace", "local", NETWORK, "dev", "lo"];
  const { success, stderr } = await new Deno.Command("ip", { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
}
