/**
 * Attackers of port 80 from thousands of addresses, all on one host: half heads, whole requests and
 * invented tokens at once. What is tested is whom a flooded balancer serves, and not who gets a
 * processor: all balancers share the machine's with the attackers, whose rates and priority are low.
 */

import type { Flood } from "../../bench/flood.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { type Host, must, type Network } from "./network.ts";

/** Routed to the attacker; no interface has an address of it. */
const NETWORK = "2001:db8:bad::/48";
const HEAD = "Host: service.example\r\nConnection: close\r\n";

/** Half heads are held for 5 s each: 900 a second are more than the 4,096 connections of a port. */
const FLOODS: { what: string; count: number; rate: number; text: string }[] = [
  { what: "half heads", count: 2_000, rate: 900, text: `GET / HTTP/1.1\r\n${HEAD}` },
  { what: "whole requests", count: 500, rate: 100, text: `GET / HTTP/1.1\r\n${HEAD}\r\n` },
  {
    what: "invented tokens",
    count: 500,
    rate: 30,
    text: `GET /.well-known/acme-challenge/invented@ HTTP/1.1\r\n${HEAD}\r\n`,
  },
];

export interface Floods {
  /** Ends them; how many connections a second each has made. */
  stop(): Promise<{ what: string; rate: number }[]>;
}

/** Floods port 80 of an address that one of the balancers has. */
export async function startFloods(
  network: Network,
  { address, balancers }: { address: string; balancers: Host[] },
): Promise<Floods> {
  const attacker = network.host("attacker");
  await must([...inside(attacker), "sysctl", "-qw", "net.ipv6.ip_nonlocal_bind=1"]);
  await must([...inside(attacker), "ip", "-6", "route", "replace", "local", NETWORK, "dev", "lo"]);
  for (const host of balancers) {
    await must([...inside(host), "ip", "-6", "route", "replace", NETWORK, "via", attacker.ipv6]);
  }
  const program = new URL("../../bench/flood.ts", import.meta.url).pathname;
  const env = { DENO_DIR: `${network.directory}/deno` };
  const daemons = new Map<string, Daemon>();
  for (const [i, { what, count, rate, text }] of FLOODS.entries()) {
    // One network of a customer's size for each address, as a botnet has them.
    const sources = Array.from(
      { length: count },
      (_, k) => `2001:db8:bad:${((i << 12) + k).toString(16)}::1`,
    );
    const flood: Flood = { address, port: 80, sources, rate, text };
    const argv = [
      ...["nice", "sh", "-c", 'ulimit -n "$(ulimit -H -n)"; exec "$@"', "sh"],
      ...[
        Deno.execPath(),
        "run",
        "-A",
        "--no-config",
        "--no-check",
        program,
        JSON.stringify(flood),
      ],
    ];
    const log = `${network.directory}/flood-${i}.log`;
    daemons.set(what, await startDaemon(network.on(attacker, argv), { log, env }));
  }
  return {
    stop: () =>
      Promise.all(
        daemons.entries().map(async ([what, daemon]) => {
          // It tells its rate when it ends, which may be late on a busy machine.
          await daemon.stop(60_000);
          return { what, rate: Number((await daemon.output()).split("\n").at(-2)) };
        }),
      ),
  };
}

const inside = ({ namespace }: Host) => ["ip", "netns", "exec", namespace];
