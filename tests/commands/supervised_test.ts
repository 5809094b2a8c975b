/**
 * A server under a supervisor: it says when its ports are open, and `check-config --running` tells
 * whether a reload was carried out. The same with the real systemd is in tests/e2e.
 */

import assert from "node:assert/strict";
import { ask, startServer, temporary } from "./server_process.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

interface Service extends AsyncDisposable {
  folder: string;
  config: string;
  env: string[];
  /** The next message to the notification socket. */
  notified(): Promise<string>;
  /** The verdict of check-config --running. */
  running(): Promise<{ code: number; said: string }>;
}

async function service(yaml: string): Promise<Service> {
  const folder = await temporary();
  const config = `${folder.path}/config.yaml`;
  await Deno.writeTextFile(config, yaml);
  const path = `${folder.path}/notify`;
  const socket = Deno.listenDatagram({ transport: "unixpacket", path });
  const runtime = `RUNTIME_DIRECTORY=${folder.path}/run:/nowhere`;
  await Deno.mkdir(`${folder.path}/run`);
  return {
    folder: folder.path,
    config,
    env: ["env", `NOTIFY_SOCKET=${path}`, runtime],
    async notified() {
      const [message] = await socket.receive();
      return new TextDecoder().decode(message);
    },
    async running() {
      const { code, stdout, stderr } = await new Deno.Command("env", {
        args: [runtime, Deno.execPath(), "run", "-A", "--no-check", MAIN, "check-config"]
          .concat(["--running", "--config", config]),
        env: { NO_COLOR: "1" },
      }).output();
      const text = new TextDecoder();
      return { code, said: text.decode(stdout) + text.decode(stderr) };
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const LOCAL = 'public: {listen: ["127.0.0.1:0"]}\nchallenge: {listen: ["127.0.0.1:0"]}\n';

Deno.test("serve says that it is ready once its ports are open, and leaves nothing behind", async () => {
  await using at = await service(LOCAL);
  await using server = await startServer(["serve", "--config", at.config], {
    wrapper: at.env,
    listening: 0,
  });
  assert.equal(await at.notified(), "READY=1");
  assert.equal((await ask(server.port("public"), "/")).status, 301);
  assert.equal((await ask(server.port("challenge"), "/")).status, 404);
  const left = await Array.fromAsync(Deno.readDir(`${at.folder}/run`), ({ name }) => name);
  assert.deepEqual(left, ["state.json"]);
  assert.deepEqual((await at.running()).code, 0);
});

Deno.test("a start that fails leaves its reason as the status of the unit, on one line", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const table: [yaml: string, said: RegExp][] = [
    [
      `metrics: {listen: ["127.0.0.1:${port}"]}\n`,
      /^STATUS=cannot listen on 127\.0\.0\.1:\d+: .+$/,
    ],
    [`metrics: {listen: ["192.0.2.1:0"]}\n`, /^STATUS=cannot listen on 192\.0\.2\.1:0: .+$/],
    ["peers: 3\nwebroot: 3\n", /^STATUS=\S+:3:8: peers: .+ \S+:4:10: webroot: .+$/],
    ['"READY=1\\nMAINPID=1": 3\n', /^STATUS=\S+:3:1: .*READY=1.*MAINPID=1.*$/],
    ["", /^READY=1$/],
  ];
  for (const [yaml, said] of table) {
    await using at = await service(LOCAL + yaml);
    await using _server = await startServer(["serve", "--config", at.config], {
      wrapper: at.env,
      listening: 0,
    });
    const message = await at.notified();
    assert.match(message, said);
    assert.doesNotMatch(message, /\n/);
  }
});

Deno.test("a reload that failed is distinguished from one that succeeded", async () => {
  await using at = await service(LOCAL);
  await using server = await startServer(["serve", "--config", at.config], {
    wrapper: at.env,
    listening: 2,
  });
  await at.notified();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = (taken.addr as Deno.NetAddr).port;
  const reload = async (yaml: string) => {
    await Deno.writeTextFile(at.config, LOCAL + yaml);
    server.signal("SIGHUP");
    return await at.running();
  };
  const table: [yaml: string, code: number, said: RegExp][] = [
    ["redirect: {https_port: 8443}\n", 0, /^the service uses .*config\.yaml\n$/],
    [`metrics: {listen: ["127.0.0.1:${port}"]}\n`, 1, /another configuration: cannot listen on .*/],
    [`metrics: {listen: ["192.0.2.1:0"]}\n`, 1, /another configuration: cannot listen on 192/],
    // The same again: what stands there of the last try is not taken for the outcome of this one.
    ['metrics: {listen: ["127.0.0.1:0"]}\n', 0, /^the service uses /],
    ["peers: 3\n", 78, /peers: expected a list/],
    ["", 0, /^the service uses /],
  ];
  for (const [yaml, code, said] of table) {
    const verdict = await reload(yaml);
    assert.equal(verdict.code, code, yaml + verdict.said);
    assert.match(verdict.said, said);
  }
  assert.equal((await ask(server.port("public"), "/")).status, 301);
});

Deno.test("a file that the service has not read yet, and no service at all, are named", async () => {
  await using at = await service(LOCAL);
  const none = await at.running();
  assert.equal(none.code, 1);
  assert.match(none.said, /state\.json: it is missing, so acme-lb does not run as a service here/);
  await using _server = await startServer(["serve", "--config", at.config], { wrapper: at.env });
  await at.notified();
  await Deno.writeTextFile(at.config, `${LOCAL}redirect: {https_port: 8443}\n`);
  const unread = await at.running();
  assert.equal(unread.code, 1);
  assert.match(unread.said, /it has not read the file since it was changed/);
});

Deno.test("a supervisor that cannot be reached does not stop the server", async () => {
  await using at = await service(LOCAL);
  for (const socket of [`${at.folder}/none`, "@abstract", `${at.folder}/config.yaml`]) {
    await using server = await startServer(["serve", "--config", at.config], {
      wrapper: ["env", `NOTIFY_SOCKET=${socket}`, "RUNTIME_DIRECTORY=/nowhere"],
      listening: 2,
    });
    await server.line(/event=notify_failed reason=/);
    await server.line(/event=warning reason=.*check-config --running cannot see this server/);
    assert.equal((await ask(server.port("public"), "/")).status, 301);
  }
});
