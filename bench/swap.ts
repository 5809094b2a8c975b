/**
 * A new certificate in a HAProxy that serves a hundred of them: swapped into memory by acme-lb,
 * beside what hooks do otherwise, which is a reload of everything for each.
 *
 * Wall times are taken under TLS load at a fixed rate, which also counts failed handshakes and
 * requests; processor times without it, because HAProxy's share of the load would drown them.
 */

import { atomicWrite } from "../lib/atomic_write.ts";
import { lockTarget } from "../lib/file_lock.ts";
import { readInstalled, sendableOf } from "../lib/cert/installed.ts";
import { installPem } from "../lib/haproxy/install_pem.ts";
import { parseProcesses } from "../lib/haproxy/replies.ts";
import { askSocket } from "../lib/haproxy/runtime_socket.ts";
import { DAY, issue, type Issued } from "../tests/cert/issue.ts";
import { type Child, startChild } from "./child.ts";
import { startH2load, type TlsLoad } from "./h2load.ts";
import { endedChildrenTime, processorTime } from "./procfs.ts";
import { type Figure, median } from "./report.ts";
import type { Bench } from "./servers.ts";

const SECTION = "Certificates";
const PORT = 28443;
const CERTIFICATES = 100;

/** A HAProxy with its certificates, and what is needed to make new ones. */
interface Scene {
  bench: Bench;
  haproxy: Child;
  directory: string;
  names: string[];
  root: Issued;
  intermediate: Issued;
}

/** One way to bring a new certificate in. */
type Way = (scene: Scene, name: string, made: Made) => Promise<void>;

interface Made {
  leaf: Issued;
  /** Files for the command line. */
  key: string;
  fullchain: string;
}

export async function measureSwaps(bench: Bench): Promise<Figure[]> {
  const directory = `${bench.directory}/swap`;
  const names = Array.from({ length: CERTIFICATES }, (_, i) => `site-${i}.example`);
  await Deno.mkdir(`${directory}/certs`, { recursive: true });
  const root = await issue({ names: [], commonName: "Root", ca: true, ...validity() });
  const signed = { names: [], commonName: "Intermediate", ca: true, issuer: root, ...validity() };
  const intermediate = await issue(signed);
  const parts = { bench, directory, names, root, intermediate };
  for (const name of names) await concatenate(pathOf(directory, name), await make(parts, name));
  await using haproxy = await startTls(bench, directory);
  const scene: Scene = { ...parts, haproxy };

  const count = bench.quick ? 20 : CERTIFICATES;
  // The first run of the program unpacks or reads it.
  await swapByProgram(scene, names[0]!, await make(scene, names[0]!));
  const loaded = { count, load: true };
  const quiet = { count: Math.min(count, 50), load: false };
  const program = await repeat(scene, "swapped by assemble-pem", { ...loaded, way: swapByProgram });
  const swap = await repeat(scene, "swapped", { ...loaded, way: swapHere });
  const reload = await repeat(scene, "reloaded", { ...loaded, way: reloadAll });
  const quietSwap = await repeat(scene, "swapped", { ...quiet, way: swapByProgram });
  const quietReload = await repeat(scene, "reloaded", { ...quiet, way: reloadAll });
  return figures({ program, swap, reload, quietSwap, quietReload });
}

interface Repeated {
  /** Milliseconds of each. */
  times: number[];
  load: TlsLoad;
  /** Processor milliseconds for each one, of HAProxy and of the programs that were run. */
  haproxy: number;
  programs: number;
}

/** Brings new certificates in, one after the other, and checks what is served in the end. */
async function repeat(
  scene: Scene,
  what: string,
  { way, count, load }: { way: Way; count: number; load: boolean },
): Promise<Repeated> {
  const { bench, haproxy, names } = scene;
  const made: Made[] = [];
  for (const name of names.slice(0, count)) made.push(await make(scene, name));
  const running = load ? startH2load(PORT, names.slice(0, count)) : undefined;
  const times: number[] = [];
  const before = await processorTimes(haproxy);
  for (const [index, name] of names.slice(0, count).entries()) {
    bench.progress(`certificates ${what}, ${index + 1} of ${count}${load ? ", under load" : ""}`);
    const start = performance.now();
    await way(scene, name, made[index]!);
    times.push(performance.now() - start);
  }
  // Workers that a reload left behind end now; their time is counted when they have.
  if (!load) await new Promise((resolve) => setTimeout(resolve, 1000));
  const after = await processorTimes(haproxy);
  const sum = await running?.stop() ?? { succeeded: 0, failed: 0 };
  for (const [index, name] of names.slice(0, count).entries()) {
    const serial = await servedSerial(name);
    if (serial !== made[index]!.leaf.certificate.serial.toUpperCase()) {
      throw new Error(`${what}: ${name} is served with another certificate`);
    }
  }
  return {
    times,
    load: sum,
    haproxy: (after.haproxy - before.haproxy) * 1000 / count,
    programs: (after.programs - before.programs) * 1000 / count,
  };
}

async function processorTimes({ pid }: Child): Promise<{ haproxy: number; programs: number }> {
  const haproxy = await processorTime(pid) + await endedChildrenTime(pid);
  return { haproxy, programs: await endedChildrenTime(Deno.pid) };
}

/** As an ACME client's hook does it: a process for each. */
const swapByProgram: Way = async ({ bench, directory }, name, { key, fullchain }) => {
  const [command, ...args] = [...bench.acmeLb, "assemble-pem", "--key", key];
  const out = pathOf(directory, name);
  const target = ["--out", out, "--haproxy-socket", `${directory}/worker.sock`];
  const { success, stderr } = await new Deno.Command(command!, {
    args: [...args, "--fullchain", fullchain, ...target],
    stdin: "null",
  }).output();
  if (!success) throw new Error(`assemble-pem: ${new TextDecoder().decode(stderr).trim()}`);
};

/** What assemble-pem does once it has started and checked its input. */
const swapHere: Way = async ({ directory }, name, { key, fullchain }) => {
  const path = pathOf(directory, name);
  using lock = await lockTarget(path);
  const previous = await Deno.readFile(path);
  const bytes = new TextEncoder().encode(
    await Deno.readTextFile(key) + await Deno.readTextFile(fullchain),
  );
  const content = await sendableOf(readInstalled(path, bytes)!);
  const old = await sendableOf(readInstalled(path, previous)!);
  const { swap } = await installPem({
    ...{ path, lock, previous, pem: bytes },
    haproxy: {
      sockets: [`${directory}/worker.sock`],
      name: path,
      content: content!,
      previous: old,
    },
  });
  if (swap?.state !== "served") throw new Error(`not swapped: ${JSON.stringify(swap)}`);
};

/** The usual hook: the files in one, and a reload; until the new worker is there. */
const reloadAll: Way = async ({ directory }, name, made) => {
  await concatenate(pathOf(directory, name), made);
  const master = `${directory}/master.sock`;
  const reloads = await countReloads(master);
  await askSocket(master, "reload");
  for (let tries = 0; (await countReloads(master)) === reloads; tries++) {
    if (tries > 5000) throw new Error("HAProxy does not reload");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

/** The number so far; that of before, too, while the master is being replaced. */
async function countReloads(master: string): Promise<number | undefined> {
  for (let tries = 0; tries < 2500; tries++) {
    const answer = await askSocket(master, "show proc");
    const processes = answer.kind === "reply" ? parseProcesses(answer.text) : undefined;
    if (processes?.failed) throw new Error("HAProxy cannot load its configuration");
    if (processes) return processes.reloads;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error("HAProxy's master does not answer");
}

async function make(
  { directory, intermediate }: Pick<Scene, "directory" | "intermediate">,
  name: string,
): Promise<Made> {
  const leaf = await issue({ names: [name], issuer: intermediate, ...validity() });
  const [key, fullchain] = [`${directory}/${name}.key`, `${directory}/${name}.crt`];
  await Deno.writeTextFile(key, leaf.key.pem);
  await Deno.writeTextFile(fullchain, leaf.pem + intermediate.pem);
  return { leaf, key, fullchain };
}

async function concatenate(path: string, { key, fullchain }: Made): Promise<void> {
  await atomicWrite(path, await Deno.readTextFile(key) + await Deno.readTextFile(fullchain));
}

function pathOf(directory: string, name: string): string {
  return `${directory}/certs/${name}.pem`;
}

/** Equal enough for assemble-pem never to find the new one older. */
function validity(): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - DAY), notAfter: new Date(now + 90 * DAY) };
}

async function startTls(bench: Bench, directory: string): Promise<Child> {
  const file = `${directory}/haproxy.cfg`;
  await Deno.writeTextFile(
    file,
    `global
  nbthread 1
  stats socket ${directory}/worker.sock mode 600 level admin expose-fd listeners
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend tls
  bind :::${PORT} ssl crt ${directory}/certs/
  http-request return status 200
`,
  );
  return await startChild(["haproxy", "-W", "-S", `${directory}/master.sock`, "-f", file], {
    address: { hostname: "::1", port: PORT },
    log: `${bench.directory}/haproxy-tls.log`,
  });
}

async function servedSerial(servername: string): Promise<string> {
  const { connect } = await import("node:tls");
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ host: "::1", port: PORT, servername, rejectUnauthorized: false });
  socket.on("secureConnect", () => {
    resolve(socket.getPeerCertificate().serialNumber);
    socket.destroy();
  });
  socket.on("error", reject);
  return await promise;
}

function figures(all: Record<string, Repeated>): Figure[] {
  const { program, swap, reload, quietSwap, quietReload } = all as {
    [name in "program" | "swap" | "reload" | "quietSwap" | "quietReload"]: Repeated;
  };
  const better = { sense: "at most" as const, value: 1, of: "HAProxy" as const };
  return [
    {
      section: SECTION,
      what: "swap beside reload, under TLS load",
      unit: "ms",
      values: { "acme-lb": median(swap.times), "HAProxy": median(reload.times) },
      rounds: { "acme-lb": swap.times, "HAProxy": reload.times },
      target: better,
    },
    {
      section: SECTION,
      what: "the whole of assemble-pem, under TLS load",
      unit: "ms",
      values: { "acme-lb": median(program.times) },
      rounds: { "acme-lb": program.times },
    },
    {
      section: SECTION,
      what: "processor time in HAProxy, swap beside reload",
      unit: "ms",
      values: { "acme-lb": quietSwap.haproxy, "HAProxy": quietReload.haproxy },
      target: better,
    },
    {
      section: SECTION,
      what: "processor time of assemble-pem",
      unit: "ms",
      values: { "acme-lb": quietSwap.programs },
    },
    {
      section: SECTION,
      what: "handshakes and requests meanwhile",
      unit: "",
      values: {
        "acme-lb": program.load.succeeded + swap.load.succeeded,
        "HAProxy": reload.load.succeeded,
      },
    },
    {
      section: SECTION,
      what: "of which failed",
      unit: "",
      values: { "acme-lb": program.load.failed + swap.load.failed, "HAProxy": reload.load.failed },
      target: { sense: "at most", value: 0 },
    },
  ];
}
