/**
 * Three balancers to which everything happens: killed, hung, cut off, restarted, their clocks set,
 * their descriptors taken, their logs not read, a webroot on a dead file system, a full disk, while
 * their clients order. What happens is drawn from a seed, and happens again from the same seed.
 *
 * After each step the CA's question is asked at every balancer. Where holder and asked balancer are
 * well the answer is the right one; elsewhere it is the right one, a refusal, or none. It is never a
 * wrong 200, no process ends that was not killed, and no certificate on disk is lost or torn.
 */

import assert from "node:assert/strict";
import { executableCache, executablePath, runtimeCache } from "../executable.ts";
import { ROOT } from "../install_script.ts";
import { oneOf, type RandomNumbers, randomNumbers } from "../random_numbers.ts";
import { type Authority, startAuthority } from "./authority.ts";
import { LONG_PATIENCE_MS, Orders, SERVICE, SHORT_PATIENCE_MS } from "./chaos_orders.ts";
import { BALANCERS } from "./cluster.ts";
import { type Daemon, eventually, logged, startDaemon, tail } from "./daemon.ts";
import { fetchOn } from "./fetch_on.ts";
import { CA_ADDRESS, CA_NAME } from "./fleet.ts";
import { createNetwork, type Host, type Network } from "./network.ts";

/** Below this the runtime does not start; above, the flood takes longer than it must. */
const DESCRIPTORS = 200;
const FLOOD = 400;
const STEPS = 10;
const FAKETIME = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];

/** What can be wrong with a balancer for some steps. */
type Trouble =
  | "killed"
  | "hung"
  | "cut off"
  | "swallowing"
  | "log not read"
  | "webroot dead"
  | "short of disk";
/** None of its answers can be expected. */
const SILENT: Trouble[] = ["killed", "hung", "cut off", "swallowing"];

interface Balancer {
  host: Host;
  serve: Daemon;
  /** Writes the log; a stopped one leaves the pipe unread. */
  reader: Daemon;
  /** Of the dead file system, while there is one. */
  mounted?: Daemon;
  orders: Orders;
  troubles: Set<Trouble>;
}

interface Chaos {
  network: Network;
  balancers: Balancer[];
  authority: Authority;
  random: RandomNumbers;
  config: string;
  /** Each step in words, for the message of a failure. */
  told: string[];
}

/** Plays a seed to its end. Throws with the steps and the ends of the logs at the first violation. */
export async function playChaos(seed: number): Promise<void> {
  await using network = await createNetwork({
    ...BALANCERS,
    user: { ipv6: "2001:db8::cafe", ipv4: "192.0.2.101" },
    ca: { ipv6: CA_ADDRESS, ipv4: "192.0.2.100" },
  }, { names: { [CA_NAME]: [CA_ADDRESS], [SERVICE]: ["2001:db8::f001"] } });
  const random = randomNumbers(seed);
  const config = `${network.directory}/config.yaml`;
  await Deno.writeTextFile(config, configuration(network));
  const authority = await startAuthority(network, { host: network.host("ca"), name: CA_NAME });
  const chaos: Chaos = { network, authority, random, config, balancers: [], told: [] };
  try {
    for (const name of Object.keys(BALANCERS)) {
      chaos.balancers.push(await setUp(chaos, network.host(name)));
    }
    for (let step = 0; step < STEPS; step++) {
      const [ordering, asked] = [0, 0].map(() => oneOf(chaos.balancers, random));
      // In every other step: one that fails takes some seconds.
      const order = step % 2 === 0
        ? orderAt(chaos, ordering!, asked!, SHORT_PATIENCE_MS)
        : undefined;
      await Promise.all([order, disturb(chaos).then(() => assertAnswers(chaos))]);
    }
    for (const balancer of chaos.balancers) await recover(chaos, balancer);
    await assertAnswers(chaos);
    for (const [i, balancer] of chaos.balancers.entries()) {
      const asked = chaos.balancers[(i + 1) % chaos.balancers.length]!;
      const done = await orderAt(chaos, balancer, asked, LONG_PATIENCE_MS);
      assert.ok(done, "all is well, and an order fails");
    }
    for (const { serve, host } of chaos.balancers) {
      assert.equal((await serve.stop()).code, 0, `exit code of ${host.name}`);
    }
  } catch (error) {
    const logs = await Promise.all(chaos.balancers.map(({ reader }) => tail(reader.log, 15)));
    const steps = chaos.told.map((line, i) => `${i + 1}. ${line}`);
    throw new Error([`seed ${seed}: ${error}`, ...steps, ...logs].join("\n"), { cause: error });
  }
}

function configuration({ webroot }: Network): string {
  const peers = Object.values(BALANCERS).map(({ ipv6 }) => `  - "[${ipv6}]:31080"\n`);
  return `webroot: [${webroot}/local, ${webroot}/share]\npeers:\n${peers.join("")}`;
}

async function setUp(chaos: Chaos, host: Host): Promise<Balancer> {
  const { network } = chaos;
  for (const name of ["local", "share"]) await Deno.mkdir(`${host.webroot}/${name}`);
  await Deno.writeTextFile(clockOf(network, host), "+0");
  const fifo = `${network.directory}/${host.name}.fifo`;
  await network.run(host, ["mkfifo", fifo]);
  // Opened for both, so that it outlives a balancer that ends.
  const reader = await startDaemon(["sh", "-c", 'exec cat <>"$1"', "sh", fifo], {
    log: `${network.directory}/${host.name}.log`,
  });
  const serve = await start(chaos, { host, reader });
  const orders = await Orders.start(network, host, chaos.authority);
  return { host, serve, reader, orders, troubles: new Set() };
}

/** An order on one balancer while the CA asks another, or the same; whether it was carried out. */
async function orderAt(
  { told }: Chaos,
  { host, orders }: Balancer,
  asked: Balancer,
  patienceMs: number,
): Promise<boolean> {
  const done = await orders.order(asked.host, patienceMs);
  const outcome = done ? "gets a certificate" : "gets none";
  told.push(`${host.name} ${outcome}, the CA having asked ${asked.host.name}`);
  return done;
}

const clockOf = ({ directory }: Network, { name }: Host) => `${directory}/${name}.clock`;

/** lb2 runs from the sources, with a changed clock, because no library can be preloaded into the executable. */
async function start(
  { network, config }: Chaos,
  { host, reader }: Pick<Balancer, "host" | "reader">,
): Promise<Daemon> {
  const library = FAKETIME.find((path) => exists(path));
  const underClock = host.name === "lb2" && library !== undefined;
  const program = underClock
    ? [Deno.execPath(), "run", "-A", "--no-check", `${ROOT}main.ts`]
    : [await executablePath()];
  const before = (await reader.output()).length;
  const serve = await startDaemon([
    ...network.on(host, ["sh", "-c", 'ulimit -n "$1"; exec 2>"$2"; shift 2; exec "$@"', "sh"]),
    ...[String(DESCRIPTORS), `${network.directory}/${host.name}.fifo`],
    ...["env", ...underClock ? [`LD_PRELOAD=${library}`] : [], ...program],
    ...["serve", "--config", config],
  ], {
    log: `${network.directory}/${host.name}.start`,
    env: {
      ...underClock ? { FAKETIME_TIMESTAMP_FILE: clockOf(network, host) } : {},
      ...{ FAKETIME_DONT_FAKE_MONOTONIC: "1", FAKETIME_NO_CACHE: "1" },
      ...runtimeCache(network.directory),
      ACME_LB_CACHE: executableCache(),
    },
  });
  await eventually(async () => {
    const said = (await reader.output()).slice(before);
    return /event=listening role=challenge/.test(said) || undefined;
  }, { what: () => `${host.name} to listen`, deadline: 300_000 });
  return serve;
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

type Action = (chaos: Chaos, balancer: Balancer) => Promise<void>;

/** What begins a trouble, and what ends it. */
const TROUBLES: Record<Trouble, { begin: Action; end: Action }> = {
  "killed": {
    begin: async (_, { serve }) => {
      serve.signal("SIGKILL");
      await serve.status;
    },
    end: async (chaos, balancer) => {
      balancer.serve = await start(chaos, balancer);
    },
  },
  "hung": {
    begin: (_, { serve }) => Promise.resolve(serve.signal("SIGSTOP")),
    end: (_, { serve }) => Promise.resolve(serve.signal("SIGCONT")),
  },
  "cut off": {
    begin: ({ network }, { host }) => network.unplug(host),
    end: ({ network }, { host }) => network.plug(host),
  },
  "swallowing": {
    begin: ({ network }, { host }) => network.swallow(host),
    end: ({ network }, { host }) => network.heal(host),
  },
  "log not read": {
    begin: (_, { reader }) => Promise.resolve(reader.signal("SIGSTOP")),
    end: (_, { reader }) => Promise.resolve(reader.signal("SIGCONT")),
  },
  "webroot dead": { begin: hangWebroot, end: healWebroot },
  "short of disk": {
    begin: (_, { orders }) => orders.fillDisk(),
    end: (_, { orders }) => orders.emptyDisk(),
  },
};

/** In the mount namespace of the balancer that runs; one that starts again does not see it. */
async function hangWebroot({ network }: Chaos, balancer: Balancer): Promise<void> {
  const { host, serve } = balancer;
  const program = `${ROOT}tests/e2e/hung_file_system.ts`;
  balancer.mounted = await startDaemon([
    ...["nsenter", "--target", String(serve.pid), "--mount", "--root", "--wd"],
    ...[Deno.execPath(), "run", "-A"],
    ...["--no-check", "--no-config", program, `${network.webroot}/share`],
  ], { log: `${network.directory}/${host.name}-hung.log`, env: runtimeCache(network.directory) });
  await logged(balancer.mounted, /^mounted$/m);
}

async function healWebroot(_: Chaos, balancer: Balancer): Promise<void> {
  // With its last descriptor the file system is gone, and who waited for it has an error.
  balancer.mounted?.signal("SIGKILL");
  await balancer.mounted?.status;
  balancer.mounted = undefined;
}

/** What happens in a moment and is over. */
const EVENTS: Record<string, Action> = {
  "is restarted": async (chaos, balancer) => {
    assert.equal((await balancer.serve.stop()).code, 0, "exit code after SIGTERM");
    balancer.serve = await start(chaos, balancer);
  },
  "gets SIGHUP": (_, { serve }) => Promise.resolve(serve.signal("SIGHUP")),
  "has its descriptors taken": async ({ network }, { host }) => {
    const connect =
      'for i in $(seq "$2"); do exec {fd}<>"/dev/tcp/$1/80"; done 2>/dev/null; sleep 1';
    await network.run(network.host("user"), [
      ...["bash", "-c", connect, "bash", host.ipv4, String(FLOOD)],
    ], { deadline: 10_000 });
  },
  "has its clock set": ({ network, random }, { host }) => {
    const offset = oneOf(["+0", "-1h", "+1h", "+60d", "-400d", "+10y"], random);
    return Deno.writeTextFile(clockOf(network, host), offset);
  },
};

async function recover(chaos: Chaos, balancer: Balancer): Promise<void> {
  // A killed one last: it starts again with its log read and its cable in.
  const order = Object.keys(TROUBLES).toReversed() as Trouble[];
  for (const trouble of order.filter((trouble) => balancer.troubles.has(trouble))) {
    await TROUBLES[trouble].end(chaos, balancer);
    balancer.troubles.delete(trouble);
    chaos.told.push(`${balancer.host.name} is no longer ${trouble}`);
  }
}

async function disturb(chaos: Chaos): Promise<void> {
  const { random, told } = chaos;
  const balancer = oneOf(chaos.balancers, random);
  const { host, troubles } = balancer;
  if (troubles.size > 0 && random(2) === 0) return await recover(chaos, balancer);
  const event = oneOf(Object.keys(EVENTS), random);
  if (random(2) === 0 && !isSilent(balancer) && troubles.size === 0) {
    told.push(`${host.name} ${event}`);
    return await EVENTS[event]!(chaos, balancer);
  }
  const trouble = oneOf(Object.keys(TROUBLES) as Trouble[], random);
  if (troubles.has(trouble) || isSilent(balancer)) return await recover(chaos, balancer);
  told.push(`${host.name} is ${trouble}`);
  await TROUBLES[trouble].begin(chaos, balancer);
  troubles.add(trouble);
}

const isSilent = ({ troubles }: Balancer) => SILENT.some((trouble) => troubles.has(trouble));

/** A new token at a balancer drawn from the seed, asked for at every balancer; and one of nobody's. */
async function assertAnswers(chaos: Chaos): Promise<void> {
  const { balancers, network, random, told } = chaos;
  for (const balancer of balancers.filter(({ troubles }) => !troubles.has("killed"))) {
    await assertRuns(balancer);
  }
  const holder = oneOf(balancers, random);
  const token = Array.from({ length: 43 }, () => oneOf([..."abcXYZ019-_"], random)).join("");
  const text = `${token}.${"t".repeat(43)}`;
  // The share does not answer on a balancer whose file system is dead.
  await Deno.writeTextFile(`${holder.host.webroot}/local/${token}`, text);
  told.push(`${holder.host.name} holds ${token}`);
  const ask = async ({ host }: Balancer, what: string, deadline: number) => {
    const url = `http://[${host.ipv6}]/.well-known/acme-challenge/${what}`;
    const { status, body } = await fetchOn(network.host("user"), { network, url, deadline });
    if (status === 200) assert.equal(body, text, `${host.name} has a wrong answer`);
    else assert.ok([0, 404, 502, 503, 504].includes(status), `${host.name}: status ${status}`);
    return status;
  };
  await Promise.all(balancers.map(async (asked) => {
    const { name } = asked.host;
    if (isSilent(asked)) return void await ask(asked, token, 1_000);
    // A silent holder still answers a request from its own machine.
    if (asked === holder || !isSilent(holder)) {
      await eventually(async () => await ask(asked, token, 10_000) === 200 || undefined, {
        what: () => `${name}'s answer with the token of ${holder.host.name}`,
        deadline: 60_000,
      });
    } else assert.notEqual(await ask(asked, token, 10_000), 0, `${name} says nothing`);
    assert.notEqual(await ask(asked, `${token.slice(1)}z`, 10_000), 200, "a token of nobody's");
  }));
  await Deno.remove(`${holder.host.webroot}/local/${token}`);
}

/** A killed process is the test's doing, any other end is not. */
async function assertRuns({ serve, host }: Balancer): Promise<void> {
  const ended = await Promise.race([serve.status, Promise.resolve(undefined)]);
  assert.equal(ended, undefined, `${host.name} has ended`);
}
