/**
 * A client that asks for much and reads nothing, over a network whose packets and buffers are of
 * usual size: the server's writes have to wait, and it must let go all the same.
 */

import assert from "node:assert/strict";
import { startBalancer } from "./balancer.ts";
import { BALANCERS } from "./cluster.ts";
import { type Daemon, eventually, startDaemon, tail } from "./daemon.ts";
import { fetchOn } from "./fetch_on.ts";
import { createNetwork } from "./network.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";
import { closedWhile, socketsOf } from "./server_sockets.ts";

const CLIENTS = 10;
const REQUESTS = 900;
const REQUEST = `GET /${"a".repeat(2_000)} HTTP/1.1\r\nHost: service.example\r\n\r\n`;
const SEND_AND_NEVER_READ = 'exec 3<>"/dev/tcp/$1/80"; cat "$2" >&3; exec sleep 60';

Deno.test({
  name: "serve ends connections whose answers nobody takes, and answers others meanwhile",
  ignore: lacking({
    for: "clients that never read",
    root: true,
    programs: [...NETWORK_PROGRAMS, "bash"],
  }),
  async fn() {
    await using network = await createNetwork({
      lb0: BALANCERS.lb0!,
      user: { ipv6: "2001:db8::cafe", ipv4: "192.0.2.101" },
    }, { names: {} });
    const [host, user] = [network.host("lb0"), network.host("user")];
    const config = `${network.directory}/config.yaml`;
    const requests = `${network.directory}/requests`;
    await Deno.writeTextFile(
      config,
      `webroot: ${network.webroot}\nmetrics:\n  listen: ["[::]:9180"]\n`,
    );
    await Deno.writeTextFile(requests, REQUEST.repeat(REQUESTS));
    const { pid, log } = await startBalancer(network, { host, config });
    const get = (url: string) => fetchOn(user, { network, url });
    const readers: Daemon[] = [];
    try {
      const before = await socketsOf(pid);
      for (let i = 0; i < CLIENTS; i++) {
        readers.push(
          await startDaemon(
            network.on(user, ["bash", "-c", SEND_AND_NEVER_READ, "bash", host.ipv4, requests]),
            { log: `${network.directory}/reader.log` },
          ),
        );
      }
      await eventually(async () => await socketsOf(pid) >= before + CLIENTS || undefined, {
        what: () => "the server to hold all connections",
        deadline: 5_000,
      });
      await closedWhile({
        pid,
        before,
        meanwhile: async () => assert.equal((await get(`http://${host.ipv4}/`)).status, 301),
      });
      const metrics = (await get(`http://${host.ipv4}:9180/metrics`)).body;
      const answered = /requests_total\{role="public",status="301"\} (\d+)/.exec(metrics)?.[1];
      assert.ok(Number(answered) < CLIENTS * REQUESTS, `no write had to wait: ${answered} answers`);
    } catch (error) {
      throw new Error(`${error}\n${await tail(log)}`, { cause: error });
    } finally {
      await Promise.all(readers.map((reader) => reader.stop()));
    }
  },
});
