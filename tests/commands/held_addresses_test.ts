/**
 * An address that two balancers hold, or none: the first line of `status`, of its page and of
 * self-test. Two servers of one machine stand for balancers that do not hear each other: both hold
 * every address that it has.
 */

import assert from "node:assert/strict";
import { acmeLb } from "./program.ts";
import { type ServerProcess, startServer, temporary } from "./server_process.ts";

/** The third asks: it is told what balancers are, and is no peer. */
const NODES = { lb0: "127.0.0.5", lb1: "127.0.0.6", asking: "127.0.0.1" };
const PEERS = [NODES.lb0, NODES.lb1];

/** An address that this machine has, and that may be a virtual one. */
const OWN = Deno.networkInterfaces().map(({ address }) => address)
  .find((address) => !/^(127\.|169\.254\.|::1$|fe80:)/i.test(address));
// deno-lint-ignore no-console -- the reason belongs beside the test's "ignored" line
if (OWN === undefined) console.error("skipped: two holders: this machine has loopback alone");

interface Fleet {
  config: string;
  servers: ServerProcess[];
}

/** Both with this virtual address. */
async function withFleet(address: string, job: (fleet: Fleet) => Promise<void>): Promise<void> {
  await using directory = await temporary();
  const config = `${directory.path}/config.yaml`;
  const write = (ports: number[]) =>
    Deno.writeTextFile(
      config,
      JSON.stringify({
        webroot: `${directory.path}/webroot`,
        peers: PEERS.map((host, i) => `${host}:${ports[i]}`),
        state: directory.path,
        metrics: { listen: ["127.0.0.1:0"] },
        cluster: {
          nodes: Object.fromEntries(Object.entries(NODES).map(([name, host]) => [name, [host]])),
          virtual_addresses: [address],
        },
      }),
    );
  await write([1, 2]);
  await using stack = new AsyncDisposableStack();
  const servers: ServerProcess[] = [];
  for (const host of PEERS) {
    const listen = ["--public-listen", `${host}:0`, "--challenge-listen", `${host}:0`];
    const options = { listening: 3 };
    servers.push(stack.use(await startServer(["serve", "--config", config, ...listen], options)));
  }
  await write(servers.map((server) => server.port("challenge")));
  for (const server of servers) {
    server.signal("SIGHUP");
    await server.line(/event=reloaded/);
  }
  await job({ config, servers });
}

/** The first lines of all three. */
async function firstLines({ config, servers: [server] }: Fleet): Promise<string[]> {
  const [status, selfTest] = await Promise.all(
    ["status", "self-test"].map((command) => acmeLb([command, "--config", config])),
  );
  assert.deepEqual([status!.code, selfTest!.code], [2, 1], status!.stdout + selfTest!.stdout);
  const page = await fetch(`http://127.0.0.1:${server!.port("metrics")}/`);
  const [, headline = ""] = /<strong>([^<]*)<\/strong>/.exec(await page.text()) ?? [];
  return [status!.stdout, headline, selfTest!.stdout].map((text) => text.split("\n")[0]!);
}

Deno.test({
  name:
    "an address that two balancers hold is the first line of all three commands, with names and the usual cause",
  ignore: OWN === undefined,
  fn: async () => {
    await withFleet(OWN!, async (fleet) => {
      const [status, page, selfTest] = await firstLines(fleet);
      const held = `${OWN}: held by lb0 and lb1 at once`;
      assert.ok(status!.startsWith(`${held} (`), status);
      assert.equal(page, held);
      assert.match(
        selfTest!,
        /address_twice: held by lb0 and lb1 at once: .*VRRP.*virtual_router_id/,
      );
      assert.ok(selfTest!.startsWith(`fail  ${OWN}: `), selfTest);
    });
  },
});

Deno.test("an address that no balancer holds is the first line of all three commands, with the balancers that did not answer", async () => {
  await withFleet("192.0.2.77", async (fleet) => {
    const [status, page, selfTest] = await firstLines(fleet);
    assert.match(status!, /^192\.0\.2\.77: held by no balancer, so nobody answers there \(/);
    assert.equal(page, "192.0.2.77: held by no balancer, so nobody answers there");
    assert.match(
      selfTest!,
      /^fail {2}192\.0\.2\.77: address_unheld: held by no balancer.*systemctl status keepalived/,
    );

    fleet.servers[1]!.signal("SIGTERM");
    await fleet.servers[1]!.ended;
    const [afterwards, , tested] = await firstLines(fleet);
    assert.match(afterwards!, /^192\.0\.2\.77: held by no balancer that answers \(/);
    assert.match(tested!, /address_unheld: held by no balancer that answers; lb1, which told/);
  });
});
