/**
 * Time to the right answer: how long the CA waits for a token that another balancer holds, while
 * more and more of the balancers between are of no use.
 *
 * The balancer asked is the last in the list of peers and the holder is the one before it, so a
 * client that asks them in turn asks every useless one first. The addresses are those of the source
 * document; which fate a peer has is decided by the port under which it is listed.
 */

import { layCable } from "./cable.ts";
import type { Child } from "./child.ts";
import { startFaultyPeer } from "./faulty_peer.ts";
import type { Contender, Figure } from "./report.ts";
import { type Balancer, type Bench, startAcmeLb, startNginx, startPeer } from "./servers.ts";

const SECTION = "Time to the right answer (worst)";
const ASKED = "2001:db8::f001";
const PUBLIC_PORT = 80;
const OWN_PORT = 31080;

/** The ports of peers by what becomes of a request to them. Nobody listens on `refused`. */
const PORTS = { absent: 31081, holder: 31082, swallowed: 31083, refused: 31084, hung: 31085 };
const FAILING = 31086;

/** The limits of the issue, in milliseconds. */
const HOLDER_LIVES = 200;
const NOBODY_HAS_IT = 2_200;

const TOKEN = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
const UNKNOWN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
const KEY_AUTHORIZATION = `${TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;

/** One row of the table. */
interface Situation {
  what: string;
  /** How many balancers there are. */
  balancers: number;
  /** Who has the token: one of the others, the one asked, or nobody. */
  holder: "peer" | "self" | "nobody";
  /** How many of the others are of no use, and why. */
  useless: number;
  port: number;
  /** Whether nginx is measured as well: it takes 5 s for each useless peer. */
  nginx: boolean;
}

/** Every situation, for three, five and ten balancers. */
export function situations(): Situation[] {
  const all: Situation[] = [];
  for (const balancers of [3, 5, 10]) {
    const others = balancers - 1;
    const fleet = `${balancers} balancers`;
    for (let useless = 0; useless <= others; useless++) {
      all.push({
        what: `${fleet}, ${useless} swallow packets`,
        balancers,
        holder: useless === others ? "self" : "peer",
        useless,
        port: PORTS.swallowed,
        nginx: balancers <= 5,
      });
    }
    const faults = { "refuse": PORTS.refused, "hang after accept": PORTS.hung, "say 500": FAILING };
    for (const [fault, port] of Object.entries(faults)) {
      const useless = others - 1;
      const what = `${fleet}, ${useless} ${fault}`;
      all.push({ what, balancers, holder: "peer", useless, port, nginx: balancers === 3 });
    }
    for (
      const [useless, fault, port] of [
        [0, "", PORTS.absent],
        [others, `, ${others} swallow packets`, PORTS.swallowed],
        [others, `, ${others} hang after accept`, PORTS.hung],
      ] as const
    ) {
      const what = `${fleet}, unknown token${fault}`;
      const nginx = balancers === 3 && port !== PORTS.hung;
      all.push({ what, balancers, holder: "nobody", useless, port, nginx });
    }
  }
  return all;
}

/** Milliseconds from connect to the end of the answer: the worst of several requests. */
export async function measureAnswers(bench: Bench): Promise<Figure[]> {
  const webroots = await plantToken(bench.directory);
  await using machines = new AsyncDisposableStack();
  const machine = machines.use(
    await layCable({
      there: ASKED,
      here: Array.from({ length: 9 }, (_, index) => addressOf(index + 2)),
      swallowing: PORTS.swallowed,
    }),
  );
  machines.use(startFaultyPeer(PORTS.hung, "hang"));
  machines.use(startFaultyPeer(FAILING, "fail"));
  machines.use(await startPeer(bench, { port: PORTS.absent, webroot: webroots.empty }));
  machines.use(await startPeer(bench, { port: PORTS.holder, webroot: webroots.token }));

  const figures: Figure[] = [];
  for (const situation of situations()) {
    const balancer: Balancer = {
      publicPort: PUBLIC_PORT,
      challengePort: OWN_PORT,
      peers: peersOf(situation),
      webroot: situation.holder === "self" ? webroots.token : webroots.empty,
      prefix: machine.prefix,
      hostname: ASKED,
    };
    const contenders: [Contender, () => Promise<Child>][] = [
      ["acme-lb", () => startAcmeLb(bench, balancer)],
    ];
    if (bench.nginx && situation.nginx) {
      contenders.push(["nginx", () => startNginx(bench, balancer)]);
    }
    const rounds: NonNullable<Figure["rounds"]> = {};
    for (const [contender, start] of contenders) {
      bench.progress(`${situation.what}: ${contender}`);
      await using _child = await start();
      rounds[contender] = await ask(situation, triesOf(contender, situation, bench));
    }
    figures.push(toFigure(situation, rounds));
  }
  return figures;
}

/** nginx leaves out for 5 s a peer that failed: its first answer after a start is its worst. */
function triesOf(contender: Contender, { holder, useless }: Situation, { quick }: Bench): number {
  if (contender === "nginx" && useless > 0) return 1;
  if (holder === "nobody" && useless > 0) return quick ? 1 : 2;
  return quick ? 3 : 10;
}

function peersOf({ balancers, holder, useless, port }: Situation): string[] {
  const peers = [];
  for (let index = 0; index < balancers - 1; index++) {
    const isHolder = holder === "peer" && index === balancers - 2;
    const fate = isHolder ? PORTS.holder : index < useless ? port : PORTS.absent;
    peers.push(`[${addressOf(index + 2)}]:${fate}`);
  }
  return [...peers, `[${ASKED}]:${OWN_PORT}`];
}

/** The address of the nth balancer: f001, f002, ... f00a. */
function addressOf(balancer: number): string {
  return `2001:db8::f00${balancer.toString(16)}`;
}

async function plantToken(directory: string): Promise<{ empty: string; token: string }> {
  const webroots = { empty: `${directory}/empty`, token: `${directory}/token` };
  for (const webroot of Object.values(webroots)) await Deno.mkdir(webroot);
  await Deno.writeTextFile(`${webroots.token}/${TOKEN}`, KEY_AUTHORIZATION);
  return webroots;
}

/** @throws {Error} when the answer is not the right one: its time would mean nothing */
async function ask(situation: Situation, tries: number): Promise<number[]> {
  const unknown = situation.holder === "nobody";
  const times = [];
  for (let attempt = 0; attempt < tries; attempt++) {
    const begin = performance.now();
    const { status, body } = await get(unknown ? UNKNOWN : TOKEN);
    times.push(performance.now() - begin);
    const right = unknown ? status === 404 || status === 504 : status === 200;
    if (!right || !unknown && body.trimEnd() !== KEY_AUTHORIZATION) {
      throw new Error(`${situation.what}: ${status} with "${body.slice(0, 100)}"`);
    }
  }
  return times;
}

/** Asks as the CA does: HTTP/1.1, one connection for one request. */
async function get(token: string): Promise<{ status: number; body: string }> {
  using conn = await Deno.connect({ hostname: ASKED, port: PUBLIC_PORT });
  const lines = [
    `GET /.well-known/acme-challenge/${token} HTTP/1.1`,
    ...["Host: service.example", "Accept: */*", "Connection: close", "", ""],
  ];
  await conn.write(new TextEncoder().encode(lines.join("\r\n")));
  const text = await new Response(conn.readable).text();
  const [, status = "0", body = ""] = /^HTTP\/1\.1 (\d{3}) [^]*?\r\n\r\n([^]*)$/.exec(text) ?? [];
  return { status: Number(status), body };
}

function toFigure(situation: Situation, rounds: NonNullable<Figure["rounds"]>): Figure {
  const values: Figure["values"] = {};
  for (const [contender, times] of Object.entries(rounds)) {
    values[contender as Contender] = Math.max(...times);
  }
  const value = situation.holder === "nobody" ? NOBODY_HAS_IT : HOLDER_LIVES;
  const target = { sense: "at most" as const, value };
  return { section: SECTION, what: situation.what, unit: "ms", values, rounds, target };
}
