/**
 * A disk that stops answering under a server that is reloaded again and again, as a deploy hook or an
 * operator does: each call into it keeps a thread of the runtime, which has 32 of them.
 */

import assert from "node:assert/strict";
import { ask } from "../commands/server_process.ts";
import { runtimeCache } from "../executable.ts";
import { type Daemon, eventually, logged, startDaemon, tail } from "./daemon.ts";
import { type Loopback, startLoopback } from "./loopback.ts";
import { lacking } from "./requirements.ts";

/** More than the runtime has threads. */
const RELOADS = 40;
const TOKEN = "abcdefghijklmnopqrstuvwxyz0123456789";
const KEY_AUTHORIZATION = `${TOKEN}.${"a".repeat(43)}`;
const PROGRAM = new URL("hung_file_system.ts", import.meta.url).pathname;
const ignore = lacking({
  for: "a file system that does not answer",
  root: true,
  programs: ["unshare", "nsenter"],
});

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

/** The disk dies for the server alone; it comes back when the daemon is killed. */
async function killDisk(server: Loopback, directory: string): Promise<Daemon> {
  const daemon = await startDaemon([
    ...["nsenter", "--target", String(server.daemon.pid), "--mount", Deno.execPath(), "run"],
    ...["-A", "--no-check", "--no-config", PROGRAM, `${directory}/disk`],
  ], { log: `${server.directory}/disk.log`, env: runtimeCache(server.directory) });
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
    wrapper: ["unshare", "--mount", "--propagation", "private"],
    flags: ["--config", path, ...webroots.flatMap((webroot) => ["--webroot", webroot])],
  });
  const disk = await killDisk(server, directory);
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
