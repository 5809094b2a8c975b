/**
 * A disk that stops answering, as that of a dead NFS server does. Under a server that is reloaded
 * again and again each call into it keeps one of the runtime's 32 threads; a command, and a hook with
 * the lock of its ACME client, would wait without an end.
 */

import assert from "node:assert/strict";
import { issue } from "../cert/issue.ts";
import { ask } from "../commands/server_process.ts";
import { executableCache, executablePath, runtimeCache } from "../executable.ts";
import { type Daemon, eventually, logged, startDaemon, tail } from "./daemon.ts";
import { type Loopback, startLoopback } from "./loopback.ts";
import { execute, must } from "./network.ts";
import { lacking } from "./requirements.ts";

/** More than the runtime has threads. */
const RELOADS = 40;
const TOKEN = "abcdefghijklmnopqrstuvwxyz0123456789";
const KEY_AUTHORIZATION = `${TOKEN}.${"a".repeat(43)}`;
const PROGRAM = new URL("hung_file_system.ts", import.meta.url).pathname;
const EXAMPLE = new URL("../../examples/article/config.yaml", import.meta.url).pathname;
const ignore = lacking({
  for: "a file system that does not answer",
  root: true,
  programs: ["unshare", "nsenter"],
});

const UNSHARE = ["unshare", "--mount", "--propagation", "private"];

/** Below it `disk`, which dies later, and the configuration at the given path. */
async function folderWith(path: string, config: (directory: string) => string) {
  const directory = await Deno.makeTempDir({ prefix: "acme-lb-e2e-" });
  await Deno.mkdir(`${directory}/disk`);
  await Deno.writeTextFile(`${directory}/${path}`, config(directory));
  await Deno.writeTextFile(`${directory}/${TOKEN}`, KEY_AUTHORIZATION);
  return {
    directory,
    path: `${directory}/${path}`,
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

/**
 * The disk dies only in the mount namespace of that process; it comes back when the daemon is
 * killed.
 */
async function killDisk(pid: number, directory: string): Promise<Daemon> {
  const daemon = await startDaemon([
    ...["nsenter", "--target", String(pid), "--mount", "--root", "--wd", Deno.execPath(), "run"],
    ...["-A", "--no-check", "--no-config", PROGRAM, `${directory}/disk`],
  ], { log: `${directory}/disk.log`, env: runtimeCache(directory) });
  await logged(daemon, /^mounted$/m);
  return daemon;
}

async function countOf(daemon: Daemon, pattern: RegExp): Promise<number> {
  return (await daemon.output()).match(pattern)?.length ?? 0;
}

async function reload(daemon: Daemon): Promise<void> {
  const before = await countOf(daemon, /event=reloaded/g);
  daemon.signal("SIGHUP");
  await eventually(
    async () => await countOf(daemon, /event=reloaded/g) > before || undefined,
    { what: () => `reload ${before + 1}`, deadline: 60_000 },
  );
}

/** What the CA gets, while the disk is dead; then the server has to end like any other. */
async function assertServes({ daemon, port }: Loopback): Promise<void> {
  const answer = await ask(port, `/.well-known/acme-challenge/${TOKEN}`);
  assert.deepEqual([answer.status, answer.body], [200, KEY_AUTHORIZATION]);
  daemon.signal("SIGTERM");
  assert.deepEqual(await codeWithin(daemon, 20_000), 0, "exit code after SIGTERM");
}

/** Runs the test with a server whose disk has died. */
async function withDeadDisk(
  { directory, path }: { directory: string; path: string },
  test: (server: Loopback) => Promise<void>,
): Promise<void> {
  const webroots = [`${directory}/disk/webroot`, directory];
  await using server = await startLoopback({
    wrapper: UNSHARE,
    flags: ["--config", path, ...webroots.flatMap((webroot) => ["--webroot", webroot])],
  });
  const disk = await killDisk(server.daemon.pid, directory);
  try {
    await test(server);
    await assertServes(server);
  } catch (error) {
    throw new Error(`${error}\n${await tail(server.daemon.log)}`, { cause: error });
  } finally {
    await disk.stop(0);
  }
}

Deno.test({
  name: "forty reloads and scrapes while webroot, certificates and state are on a dead disk",
  ignore,
  async fn() {
    await using folder = await folderWith(
      "config.yaml",
      (directory) =>
        `certificates: [${directory}/disk/one, ${directory}/disk/two/**, ${directory}/disk/three]\n` +
        `state: ${directory}/disk/state\nmetrics: {listen: ["127.0.0.1:0"]}\n`,
    );
    await withDeadDisk(folder, async ({ daemon }) => {
      const [, metrics] = await logged(daemon, /role=metrics address=127\.0\.0\.1:(\d+)/);
      for (let i = 0; i < RELOADS; i++) {
        await reload(daemon);
        assert.equal((await ask(Number(metrics), "/metrics")).status, 200);
      }
    });
  },
});

Deno.test({
  name: "forty reloads of a configuration that is on a dead disk",
  ignore,
  async fn() {
    await using folder = await folderWith("disk/config.yaml", () => "peers: []\n");
    await withDeadDisk(folder, async ({ daemon }) => {
      daemon.signal("SIGHUP");
      const [line] = await logged(daemon, /event=reload_failed.*/, { deadline: 60_000 });
      assert.match(line, /config\.yaml: does not answer/);
      for (let i = 0; i < RELOADS; i++) daemon.signal("SIGHUP");
    });
  },
});

const PLAIN = ["--key", "key.pem", "--fullchain", "cert.pem"];

/** Arguments (DIRECTORY is the test's own), exit code, and what the line says. */
const COMMANDS: [string[], number, RegExp][] = [
  [["check-config", "--config", "disk/c.yaml"], 78, /disk\/c\.yaml: does not answer/],
  [["serve", "--config", "disk/c.yaml"], 78, /disk\/c\.yaml: does not answer/],
  [["challenge", "put", "--webroot", "DIRECTORY/disk/w", TOKEN], 1, /disk\/w: does not answer/],
  [
    ["challenge", "remove", "--webroot", "DIRECTORY/disk/w", TOKEN],
    1,
    /disk\/w\/\w+: does not answer/,
  ],
  [["assemble-pem", ...PLAIN, "--out", "disk/o.pem"], 1, /disk\/o\.pem: does not answer/],
  [
    ["assemble-pem", "--key", "disk/k.pem", "--fullchain", "cert.pem", "--out", "a.pem"],
    1,
    /disk\/k\.pem: does not answer/,
  ],
  [["assemble-pem", ...PLAIN, "--out", "b.pem", "--config", "state.yaml"], 0, /b\.pem: written/],
  [
    ["assemble-pem", ...PLAIN, "--out", "c.pem", "--haproxy-socket", "disk/socket"],
    1,
    /disk\/socket: timeout: no complete answer/,
  ],
  [["self-signed", "--name", "a.example", "--out", "disk/p.pem"], 1, /p\.pem: does not answer/],
  [
    ["self-signed", "--name", "a.example", "--out", "disk/q.pem", "--if-missing"],
    1,
    /q\.pem: does not answer/,
  ],
  [
    ["render", "haproxy", "--root", "disk", "--config", EXAMPLE],
    1,
    /haproxy\.cfg: does not answer/,
  ],
  [["check-expiry", "disk/a.pem", "cert.pem"], 3, /UNKNOWN: disk\/a\.pem: does not answer/],
  [["check-expiry", "--haproxy-socket", "disk/socket"], 3, /UNKNOWN: disk\/socket: no complete/],
  [["check-expiry", "--output", "disk/o.prom", "cert.pem"], 3, /disk\/o\.prom: does not answer/],
];

Deno.test({
  name: "every command that meets a dead disk ends with a line that names it",
  ignore,
  async fn(t) {
    await using folder = await folderWith(
      "state.yaml",
      (directory) => `state: ${directory}/disk/s\n`,
    );
    const { directory } = folder;
    const { key, pem } = await issue();
    await Deno.writeTextFile(`${directory}/key.pem`, key.pem);
    await Deno.writeTextFile(`${directory}/cert.pem`, pem);
    const keeper = await startDaemon(
      [...UNSHARE, "sh", "-c", "echo apart; exec sleep 600"],
      { log: `${directory}/keeper.log` },
    );
    try {
      // Before that its mounts are the machine's, where the disk would die instead.
      await logged(keeper, /^apart$/m);
      const disk = await killDisk(keeper.pid, directory);
      try {
        const executable = await executablePath();
        const enter = [
          ...["nsenter", "--target", String(keeper.pid), "--mount", "--root"],
          ...["env", `--chdir=${directory}`],
        ];
        const env = { ACME_LB_CACHE: executableCache() };
        // Unpacked once; then side by side, since each of them mostly waits.
        await must([...enter, executable, "--version"], { env });
        const outputs = await Promise.all(COMMANDS.map(([args]) => {
          const input = `printf %s ${KEY_AUTHORIZATION} | "$0" "$@"`;
          const words = args.map((word) => word.replace("DIRECTORY", directory));
          const argv = [...enter, "sh", "-c", input, executable, ...words];
          return execute(argv, { env, deadline: 300_000 });
        }));
        for (const [i, [args, code, line]] of COMMANDS.entries()) {
          await t.step(args.join(" "), () => {
            const { stdout, stderr, code: actual } = outputs[i]!;
            assert.equal(actual, code, stderr);
            assert.match(stdout + stderr, line);
            assert.doesNotMatch(stderr, /os error|defect/);
          });
        }
        await t.step("serve that gets SIGTERM before it has its configuration", async () => {
          const server = await startDaemon(
            [...enter, executable, "serve", "--config", "disk/c.yaml"],
            { log: `${directory}/serve.log`, env },
          );
          await eventually(() => catchesSigterm(server.pid), {
            what: () => "a handler of SIGTERM",
            deadline: 10_000,
          });
          server.signal("SIGTERM");
          assert.equal(await codeWithin(server, 20_000), 0);
        });
      } finally {
        await disk.stop(0);
      }
    } finally {
      await keeper.stop(0);
    }
  },
});

/** Linux: bit 14 of the signals that it catches; undefined when it does not. */
async function catchesSigterm(pid: number): Promise<true | undefined> {
  const [, mask] = /^SigCgt:\s*(\w+)$/m.exec(await Deno.readTextFile(`/proc/${pid}/status`))!;
  return (BigInt(`0x${mask}`) & 1n << 14n) !== 0n || undefined;
}

/** Its exit code, or undefined when it still runs then. */
async function codeWithin(daemon: Daemon, ms: number): Promise<number | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const never = new Promise<undefined>((resolve) =>
    timer = setTimeout(() => resolve(undefined), ms)
  );
  const code = await Promise.race([daemon.status.then(({ code }) => code), never]);
  clearTimeout(timer);
  return code;
}
