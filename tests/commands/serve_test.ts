/** The life of the servers as an operator sees it: starting, reloading, stopping, refusing. */

import assert from "node:assert/strict";
import { latin1, pause, readAll } from "../http/raw_client.ts";
import { ask, startServer, temporary } from "./server_process.ts";

const CHALLENGE = "/.well-known/acme-challenge/";
const ANY = "127.0.0.1:0";
const SERVE = ["serve", "--public-listen", ANY, "--challenge-listen", ANY];

/** A peer that says nothing; `asked` waits for a connection to it. */
function hungPeer(): { address: string; asked(): Promise<Deno.Conn> } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return {
    address: `127.0.0.1:${listener.addr.port}`,
    asked: () => listener.accept(),
    [Symbol.dispose]: () => listener.close(),
  };
}

async function refused(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return false;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused;
  }
}

/** Closing takes the kernel a moment, in which it still accepts. */
async function becomesRefused(port: number): Promise<boolean> {
  for (let i = 0; i < 500; i++) {
    if (await refused(port)) return true;
    await pause(20);
  }
  return false;
}

Deno.test("each role does its own job and no other", async () => {
  await using dir = await temporary();
  await Deno.writeTextFile(`${dir.path}/tok`, "tok.thumb");
  const webroot = ["--webroot", dir.path];
  const table: [string[], string, number, number][] = [
    // arguments, role, status of a challenge, status of any other page
    [[...SERVE, ...webroot], "public", 200, 301],
    [[...SERVE, ...webroot], "challenge", 200, 404],
    [["challenge-server", "--listen", ANY, ...webroot], "challenge", 200, 404],
    [["proxy", "--listen", ANY, ...webroot], "proxy", 200, 404],
    [["redirect", "--listen", ANY], "redirect", 301, 301],
  ];
  for (const [args, role, challenge, other] of table) {
    await using server = await startServer(args, { listening: args[0] === "serve" ? 2 : 1 });
    const port = server.port(role);
    assert.deepEqual((await ask(port, `${CHALLENGE}tok`)).status, challenge, `${args[0]} ${role}`);
    assert.deepEqual((await ask(port, "/x")).status, other, `${args[0]} ${role}`);
    server.signal("SIGTERM");
    assert.deepEqual((await server.ended).code, 0, args[0]);
  }
});

Deno.test("serve with no configuration but a port answers both families on [::]", async () => {
  await using server = await startServer(
    ["serve", "--public-listen", "[::]:0", "--challenge-listen", "[::]:0", "--https-port", "8443"],
    { listening: 2 },
  );
  for (const hostname of ["127.0.0.1", "::1"]) {
    const answer = await ask(server.port("public"), "/x", { hostname });
    assert.deepEqual(answer.location, "https://service.example:8443/x", hostname);
  }
});

Deno.test("SIGTERM lets a lookup in flight finish, refuses new connections and ends with 0", async () => {
  await using dir = await temporary();
  using peer = hungPeer();
  await using server = await startServer(
    [...SERVE, "--webroot", dir.path, "--peer", peer.address],
    {
      listening: 2,
    },
  );
  const port = server.port("public");
  const asking = ask(port, `${CHALLENGE}nobody`);
  using _silent = await peer.asked();
  server.signal("SIGTERM");
  await server.line(/event=stopping signal=SIGTERM/);
  assert.deepEqual(await Promise.race([becomesRefused(port), asking]), true);
  assert.deepEqual((await asking).status, 504);
  assert.deepEqual((await server.ended).code, 0);
});

Deno.test("SIGINT, as from a terminal, ends a server in the same orderly way", async () => {
  await using server = await startServer(SERVE, { listening: 2 });
  server.signal("SIGINT");
  const { code, lines } = await server.ended;
  assert.deepEqual(code, 0);
  // Warnings come when a directory has been looked at: perhaps in between, never after the end.
  const events = lines.filter((line) => !line.includes(" event=warning "));
  assert.match(events.slice(-2).join("\n"), /event=stopping signal=SIGINT\n.*event=stopped$/);
  assert.match(lines.at(-1)!, /event=stopped$/);
});

Deno.test("a second SIGTERM does not wait for requests", async () => {
  await using dir = await temporary();
  using peer = hungPeer();
  await Deno.writeTextFile(
    `${dir.path}/config.yaml`,
    `
peers: ["${peer.address}"]
lookup: { timeout: 60s }
public: { listen: ["${ANY}"] }
challenge: { listen: ["${ANY}"] }
`,
  );
  await using server = await startServer(["serve", "--config", `${dir.path}/config.yaml`], {
    listening: 2,
  });
  const asking = ask(server.port("public"), `${CHALLENGE}nobody`);
  using _silent = await peer.asked();
  server.signal("SIGTERM");
  await server.line(/event=stopping/);
  server.signal("SIGTERM");
  assert.deepEqual((await server.ended).code, 0);
  assert.deepEqual((await asking).status, 0);
});

Deno.test("SIGHUP applies a valid configuration, keeps connections, opens and closes ports", async () => {
  await using dir = await temporary();
  await using other = await temporary();
  await Deno.writeTextFile(`${other.path}/tok`, "tok.thumb");
  const config = `${dir.path}/config.yaml`;
  const write = (text: string) =>
    Deno.writeTextFile(
      config,
      `
public: { listen: ["${ANY}"] }
challenge: { listen: ["${ANY}"] }
${text}`,
    );
  await write(`webroot: ${dir.path}`);
  await using server = await startServer(["serve", "--config", config], { listening: 2 });
  const port = server.port("public");
  const kept = await Deno.connect({ hostname: "127.0.0.1", port });
  const reading = readAll(kept, 4_000);
  await kept.write(latin1("GET /one HTTP/1.1\r\nHost: h.example\r\n\r\n"));
  assert.deepEqual((await ask(port, `${CHALLENGE}tok`)).status, 404);

  await write(`
webroot: ${other.path}
redirect: { status: 302, hosts: [service.example] }
metrics: { listen: ["${ANY}"] }`);
  server.signal("SIGHUP");
  await server.line(/event=reloaded/);
  assert.deepEqual((await ask(port, `${CHALLENGE}tok`)).body, "tok.thumb");
  assert.deepEqual((await ask(port, "/x")).status, 302);
  assert.deepEqual((await ask(port, "/x", { host: "evil.example" })).status, 421);
  const metrics = server.port("metrics");
  assert.deepEqual((await ask(metrics, "/healthz")).body, "ok\n");
  assert.match((await ask(metrics, "/metrics")).body, /^acme_lb_config_last_reload_successful 1$/m);
  await kept.write(
    latin1("GET /two HTTP/1.1\r\nHost: service.example\r\nConnection: close\r\n\r\n"),
  );
  const both = (await reading).text;
  kept.close();
  assert.match(both, /301 [\s\S]*h\.example\/one[\s\S]*302 [\s\S]*service\.example\/two/);

  await write(`webroot: ${other.path}`);
  server.signal("SIGHUP");
  assert.ok(await becomesRefused(metrics), "a port that is no longer configured is closed");
});

Deno.test("SIGHUP keeps the old configuration when the new one is wrong or its port is taken", async () => {
  await using dir = await temporary();
  const config = `${dir.path}/config.yaml`;
  const good = `
public: { listen: ["${ANY}"] }
challenge: { listen: ["${ANY}"] }
metrics: { listen: ["${ANY}"] }
`;
  await Deno.writeTextFile(config, good);
  await using server = await startServer(["serve", "--config", config], { listening: 3 });
  const port = server.port("public");
  const works = async () => assert.deepEqual((await ask(port, "/x")).status, 301);

  await Deno.writeTextFile(config, `${good}webrot: /x\n`);
  server.signal("SIGHUP");
  await server.line(
    /event=reload_failed reason=".*config\.yaml:5:1: webrot: unknown key; did you mean webroot\?"/,
  );
  await works();
  const metrics = await ask(server.port("metrics"), "/metrics");
  assert.match(metrics.body, /^acme_lb_config_last_reload_successful 0$/m);

  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const other = `public: { listen: ["${ANY}", "127.0.0.1:${taken.addr.port}"] }`;
  await Deno.writeTextFile(config, good.replace(/public:.*/, other));
  server.signal("SIGHUP");
  await server.line(
    /event=reload_failed reason="cannot listen on 127\.0\.0\.1:\d+: another process/,
  );
  await works();

  await Deno.remove(config);
  server.signal("SIGHUP");
  await server.line(/event=reload_failed reason=".*config\.yaml: no such file"/);
  await works();

  await Deno.writeTextFile(config, good);
  server.signal("SIGHUP");
  await server.line(/event=reloaded/);
  await works();
});

Deno.test("SIGHUP with a port that this process already has says that a restart is needed", async () => {
  await using dir = await temporary();
  const config = `${dir.path}/config.yaml`;
  const write = (open: string, challenge: string) =>
    Deno.writeTextFile(
      config,
      `public: { listen: ["${open}"] }\nchallenge: { listen: ["${challenge}"] }\n`,
    );
  await write(ANY, ANY);
  await using server = await startServer(["serve", "--config", config], { listening: 2 });
  const port = server.port("public");
  const table: [string, string][] = [
    [`0.0.0.0:${port}`, ANY],
    [ANY, `127.0.0.1:${port}`],
  ];
  for (const [open, challenge] of table) {
    await write(open, challenge);
    server.signal("SIGHUP");
    const wanted = open === ANY ? challenge : open;
    await server.line(
      new RegExp(
        `event=reload_failed reason="cannot listen on ${wanted}: this process itself listens on ` +
          `127\\.0\\.0\\.1:${port}; restart it`,
      ),
    );
    assert.deepEqual((await ask(port, "/x")).status, 301);
  }
});

Deno.test("start is refused with one clear line when a port is taken or its address is not here", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const table: [string, RegExp][] = [
    [
      `127.0.0.1:${taken.addr.port}`,
      /^acme-lb: cannot listen on 127\.0\.0\.1:\d+: another process has the port; find it with: ss /,
    ],
    [
      "192.0.2.77:8080",
      /^acme-lb: cannot listen on 192\.0\.2\.77:8080: the address is not on this machine; listen on \[::\]/,
    ],
  ];
  for (const [address, expected] of table) {
    await using server = await startServer([
      "serve",
      "--challenge-listen",
      ANY,
      "--public-listen",
      address,
    ], {
      listening: 0,
    });
    const { code, lines } = await server.ended;
    assert.deepEqual(code, 1, address);
    assert.match(lines.filter((line) => line.startsWith("acme-lb:")).join("\n"), expected);
  }
});

const UNPRIVILEGED = [
  "setpriv",
  "--reuid=65534",
  "--clear-groups",
  "--inh-caps=-all",
  "--bounding-set=-all",
];
const lowPorts = Number(
  await Deno.readTextFile("/proc/sys/net/ipv4/ip_unprivileged_port_start").catch(() => "1024"),
);
const cannotDrop = Deno.uid() !== 0
  ? "it needs root to drop its rights"
  : lowPorts <= 1
  ? "this machine lets everybody have low ports"
  : undefined;
if (cannotDrop) {
  const text = `skipped: start without the right to port 80: ${cannotDrop}\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

Deno.test({
  name:
    "start is refused with one clear line when port 80 is not permitted, and says how to permit it",
  ignore: cannotDrop !== undefined,
  async fn() {
    // Another user cannot read root's caches, so the test runs the built program.
    await using dir = await temporary();
    await Deno.chmod(dir.path, 0o755);
    const bundle = await new Deno.Command(Deno.execPath(), {
      args: [
        "bundle",
        "--quiet",
        "--platform",
        "browser",
        "-o",
        `${dir.path}/acme-lb.js`,
        "main.ts",
      ],
      cwd: new URL("../..", import.meta.url).pathname,
    }).output();
    assert.ok(bundle.success, new TextDecoder().decode(bundle.stderr));
    await Deno.copyFile(Deno.execPath(), `${dir.path}/deno`);
    const { code, stderr } = await new Deno.Command("setpriv", {
      args: [
        ...UNPRIVILEGED.slice(1),
        `${dir.path}/deno`,
        "run",
        "-A",
        "--no-config",
        `${dir.path}/acme-lb.js`,
        "serve",
        "--challenge-listen",
        ANY,
        "--public-listen",
        "127.0.0.1:80",
      ],
      clearEnv: true,
      env: { NO_COLOR: "1", DENO_DIR: `${dir.path}/none` },
      cwd: dir.path,
    }).output();
    assert.deepEqual(code, 1);
    assert.match(
      new TextDecoder().decode(stderr),
      /^acme-lb: cannot listen on 127\.0\.0\.1:80: not permitted; .*CAP_NET_BIND_SERVICE/m,
    );
  },
});

Deno.test("--log-format json writes one object a line, with the words of the text form", async () => {
  await using server = await startServer([...SERVE, "--log-format", "json"], { listening: 0 });
  await server.line(/"role":"challenge"/);
  server.signal("SIGTERM");
  const { code, lines } = await server.ended;
  assert.deepEqual(code, 0);
  const events = lines.map((line) => JSON.parse(line)).filter(({ event }) => event !== "warning");
  assert.deepEqual(events.map(({ event, level }) => `${level} ${event}`), [
    "info listening",
    "info listening",
    "info stopping",
    "info stopped",
  ]);
});

Deno.test("a SIGHUP storm from the first moment on does not lose a request", async () => {
  await using dir = await temporary();
  await Deno.writeTextFile(`${dir.path}/tok`, "tok.thumb");
  await using server = await startServer([...SERVE, "--webroot", dir.path], { listening: 2 });
  for (let i = 0; i < 50; i++) {
    server.signal("SIGHUP");
    assert.deepEqual((await ask(server.port("public"), `${CHALLENGE}tok`)).status, 200);
  }
  server.signal("SIGTERM");
  assert.deepEqual((await server.ended).code, 0);
});
