/**
 * A real HAProxy in a separate directory, with only UNIX sockets: master and worker, a
 * directory of certificates, a crt-list, and each of its runtime sockets.
 */
import assert from "node:assert/strict";
import { askSocket } from "../../lib/haproxy/runtime_socket.ts";
import { issue, type Issued } from "../cert/issue.ts";
import { works } from "../works.ts";

export const hasHaproxy = await works("haproxy", { args: ["-v"] });

// deno-lint-ignore no-console
if (!hasHaproxy) console.warn("tests/haproxy: skipping what needs haproxy, which is not here");

export interface RealHaproxy extends AsyncDisposable {
  /** Real path of the directory with everything in it. */
  directory: string;
  /** Runtime sockets: of the worker, of the worker at level operator, of the master. */
  worker: string;
  operator: string;
  master: string;
  /** TLS: `certs/` is served at the first, `list.txt` at the second. */
  tls: string;
  tlsList: string;
  pid: number;
  /** Path below {@link directory} of a file. */
  path: (name: string) => string;
  write: (name: string, text: string) => Promise<string>;
  /** The answer to a command at the worker's socket. */
  ask: (command: string) => Promise<string>;
  /** Serial of the certificate that a handshake gets. */
  servedSerial: (servername?: string, socket?: string) => Promise<string>;
  /** The worker's process. */
  workerPid: () => Promise<string>;
  log: () => Promise<string>;
}

/**
 * A client that asks for a long list and reads no more than its beginning: certificates are locked until it is
 * disposed of, or HAProxy's `stats timeout` has passed.
 */
export async function holdLock({ worker, ask }: RealHaproxy): Promise<Disposable> {
  // Together more than a socket and HAProxy's buffers hold.
  for (let i = 0; i < 40; i++) {
    const ten = Array.from({ length: 10 }, (_, j) => `new ssl cert /${"x".repeat(1000)}/${i}${j}`);
    await ask(ten.join(";"));
  }
  let connection: Deno.UnixConn;
  for (let tries = 0;; tries++) {
    connection = await Deno.connect({ transport: "unix", path: worker });
    await connection.write(new TextEncoder().encode("show ssl cert\n"));
    const start = new Uint8Array(16);
    await connection.read(start);
    if (!new TextDecoder().decode(start).startsWith("Operations on")) break;
    // HAProxy had not yet ended the command before, on another thread, and this one got no lock.
    connection.close();
    assert.ok(tries < 100, "it is not locked");
  }
  assert.match(await ask("show ssl cert"), /currently locked!/);
  return { [Symbol.dispose]: () => connection.close() };
}

/** Key and certificate as HAProxy's file holds them. */
export function pemOf({ key, pem }: Issued): string {
  return key.pem + pem;
}

/** Upper-case hexadecimal. */
export function serialOf({ certificate }: Issued): string {
  return certificate.serial.toUpperCase();
}

export interface StartOptions {
  /** Files of `certs/` beside `default.pem`. */
  files?: Record<string, string>;
  /** Lines of the global section. */
  global?: string[];
  /**
   * More binds, what stands behind `ssl` of each, with DIRECTORY for {@link RealHaproxy.directory}:
   * they listen at `bind0.sock` and so on.
   */
  binds?: string[];
}

export async function startHaproxy(options: StartOptions = {}): Promise<RealHaproxy> {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "haproxy_" }));
  const path = (name: string) => `${directory}/${name}`;
  const write = async (name: string, text: string) => {
    await Deno.writeTextFile(path(name), text, { mode: 0o600 });
    return path(name);
  };
  await Deno.mkdir(path("certs"));
  await Deno.mkdir(path("listed"));
  await write("certs/default.pem", pemOf(await issue({ names: ["default.example"] })));
  await write("listed/one.pem", pemOf(await issue({ names: ["one.example"] })));
  await write("list.txt", `${path("listed/one.pem")}\n`);
  for (const [name, text] of Object.entries(options.files ?? {})) {
    await Deno.mkdir(path(name).replace(/\/[^/]*$/, ""), { recursive: true });
    if (!name.endsWith("/")) await write(name, text);
  }
  await write("haproxy.cfg", configuration(directory, options));

  const child = new Deno.Command("sh", {
    args: [
      "-c",
      `exec haproxy -W -S "$1/master.sock",mode,600 -f "$1/haproxy.cfg" >"$1/log" 2>&1`,
      "sh",
      directory,
    ],
    stdin: "null",
  }).spawn();
  let ended = false;
  child.status.then(() => ended = true);
  const worker = path("worker.sock");
  const ask = async (command: string) => {
    const answer = await askSocket(worker, command);
    assert.equal(answer.kind, "reply", `${command}: ${JSON.stringify(answer)}`);
    return answer.kind === "reply" ? answer.text : "";
  };
  const stop = async () => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    await child.status;
    await Deno.remove(directory, { recursive: true });
  };
  const log = () => Deno.readTextFile(path("log"));
  const haproxy: RealHaproxy = {
    directory,
    worker,
    operator: path("operator.sock"),
    master: path("master.sock"),
    tls: path("tls.sock"),
    tlsList: path("tls_list.sock"),
    pid: child.pid,
    path,
    write,
    ask,
    log,
    servedSerial: (name = "default.example", socket = path("tls.sock")) =>
      servedSerial(socket, name),
    workerPid: async () => /^Pid: (\d+)$/m.exec(await ask("show info"))![1]!,
    [Symbol.asyncDispose]: stop,
  };
  for (const socket of [worker, haproxy.master]) {
    for (let tries = 0; (await askSocket(socket, "show version")).kind !== "reply"; tries++) {
      if (ended || tries > 300) {
        const text = await log();
        await stop();
        throw new Error(`haproxy did not start:\n${text}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return haproxy;
}

function configuration(directory: string, { global = [], binds = [] }: StartOptions): string {
  const more = binds.map((options, i) => `  bind ${directory}/bind${i}.sock ssl ${options}\n`);
  return `global
  stats socket ${directory}/worker.sock mode 600 level admin
  stats socket ${directory}/operator.sock mode 600 level operator
${global.map((line) => `  ${line}\n`).join("")}
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 1s
frontend directory
  bind ${directory}/tls.sock ssl crt ${directory}/certs/
  http-request return status 200
frontend list
  bind ${directory}/tls_list.sock ssl crt-list ${directory}/list.txt
  http-request return status 200
${more.length > 0 ? "frontend more\n" : ""}${more.join("").replaceAll("DIRECTORY", directory)}`;
}

async function servedSerial(path: string, servername: string): Promise<string> {
  const { connect } = await import("node:tls");
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ path, servername, rejectUnauthorized: false, timeout: 10_000 });
  socket.on("secureConnect", () => {
    resolve(socket.getPeerCertificate().serialNumber);
    socket.destroy();
  });
  socket.on("error", reject);
  return await promise;
}
