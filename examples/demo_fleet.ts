/**
 * Three balancers on loopback ports for the demo: real processes, each with its own webroot and
 * log file in one temporary folder. Ports are chosen free before the start, because each balancer
 * has to know the others'; when another program takes one in between, all are chosen anew.
 */

import { dirname } from "node:path";

const NAMES = ["lb0", "lb1", "lb2"];
const HOST = "127.0.0.1";
const ATTEMPTS = 5;
const READY_WITHIN = 120_000;
const END_WITHIN = 5_000;

export interface Balancer {
  name: string;
  /** `host:port` that anybody may ask. */
  publicAddress: string;
  /** `host:port` that the other balancers ask. */
  challengeAddress: string;
  webroot: string;
  log: string;
  process: Deno.ChildProcess;
}

export interface Fleet {
  balancers: Balancer[];
  /** What all of them keep on disk. */
  folder: string;
}

/** Starts the three and returns when all accept connections. Leaves nothing behind when it fails. */
export async function startFleet(executable: string, signal: AbortSignal): Promise<Fleet> {
  for (let attempt = 1;; attempt++) {
    const folder = await Deno.makeTempDir({ prefix: "acme-lb-demo-" });
    const fleet: Fleet = { balancers: [], folder };
    try {
      const addresses = freePorts(2 * NAMES.length).map((port) => `${HOST}:${port}`);
      const challengeAddresses = addresses.slice(NAMES.length);
      const config = `${fleet.folder}/config.yaml`;
      // As on real balancers, one file for all: each finds its own address among the peers.
      await Deno.writeTextFile(config, `peers: ${JSON.stringify(challengeAddresses)}\n`);
      for (const [index, name] of NAMES.entries()) {
        const start = {
          executable,
          config,
          name,
          publicAddress: addresses[index]!,
          challengeAddress: challengeAddresses[index]!,
          webroot: `${fleet.folder}/${name}`,
          log: `${fleet.folder}/${name}.log`,
        };
        fleet.balancers.push({ ...start, process: await startBalancer(start) });
      }
      for (const balancer of fleet.balancers) await ready(balancer, signal);
      return fleet;
    } catch (error) {
      await endFleet(fleet);
      if (!(error instanceof LostPort) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Ends the processes that are left, by their ids, and removes the folder. */
export async function endFleet({ balancers, folder }: Fleet): Promise<void> {
  await Promise.all(balancers.map(async ({ process }) => {
    kill(process, "SIGTERM");
    const timer = setTimeout(() => kill(process, "SIGKILL"), END_WITHIN);
    await process.status;
    clearTimeout(timer);
  }));
  await Deno.remove(folder, { recursive: true });
}

class LostPort extends Error {}

interface Start extends Omit<Balancer, "process"> {
  executable: string;
  config: string;
}

async function startBalancer(start: Start): Promise<Deno.ChildProcess> {
  await Deno.mkdir(start.webroot);
  const serve = [
    ...["serve", "--config", start.config, "--webroot", start.webroot],
    ...["--public-listen", start.publicAddress, "--challenge-listen", start.challengeAddress],
  ];
  return new Deno.Command("sh", {
    // Its log goes to a file, so that a balancer that is kept does not need this process.
    args: ["-c", `log=$1; shift; exec "$@" 2>"$log"`, "sh", start.log, start.executable, ...serve],
    // What the executable unpacks stays in the checkout.
    env: { ACME_LB_CACHE: Deno.env.get("ACME_LB_CACHE") ?? `${dirname(start.executable)}/cache` },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

async function ready({ name, log, process }: Balancer, signal: AbortSignal): Promise<void> {
  let ended = false;
  process.status.then(() => ended = true);
  for (const deadline = Date.now() + READY_WITHIN; Date.now() < deadline;) {
    signal.throwIfAborted();
    const over = ended; // before the log is read: its last words are then in it
    const text = await Deno.readTextFile(log).catch(() => "");
    if (/ event=listening role=public /.test(text) && / role=challenge /.test(text)) return;
    if (over && /another process has the port/.test(text)) {
      throw new LostPort(`${name} found its port taken`);
    }
    if (over) throw new Error(`${name} did not start: ${text.trim()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${name} was not ready within ${READY_WITHIN / 1000} s`);
}

function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: HOST, port: 0 }));
  const ports = listeners.map(({ addr }) => addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

function kill(process: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    process.kill(signal);
  } catch (error) {
    // It has ended by itself, as all do when Ctrl-C reaches the whole process group.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}
