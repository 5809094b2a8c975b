/**
 * Both families and what stands between two machines: one listener for IPv4 and IPv6, IPv4 peers,
 * link-local peers with their zone, access only for peers, and proxies in the environment ignored.
 */

import assert from "node:assert/strict";
import { startBalancer } from "./balancer.ts";
import { BALANCERS, keepers, VIRTUAL_ADDRESSES } from "./cluster.ts";
import { type Daemon, lineIn, tail } from "./daemon.ts";
import { type Fetched, fetchOn } from "./fetch_on.ts";
import { createNetwork, type Host, linkLocal, type Network } from "./network.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";

const TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
const TEXT = `${TOKEN}.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI`;
const PATH = `/.well-known/acme-challenge/${TOKEN}`;

const skipped = lacking({
  for: "balancers on two families",
  root: true,
  programs: NETWORK_PROGRAMS,
});
let network: Network;

Deno.test.beforeAll(async () => {
  if (skipped) return;
  network = await createNetwork({
    ...BALANCERS,
    user: { ipv6: "2001:db8::cafe", ipv4: "192.0.2.101" },
  }, { names: {} });
  // Only lb1 has the token.
  await Deno.writeTextFile(`${network.host("lb1").webroot}/${TOKEN}`, TEXT);
});

Deno.test.afterAll(async () => {
  await network?.[Symbol.asyncDispose]();
});

/** A test in which lb0 and lb1 run with the given configuration below its webroot. */
function withBalancers(
  name: string,
  options: {
    config: () => string[] | Promise<string[]>;
    env?: Record<string, string>;
    fn: (hosts: { lb0: Host; lb1: Host; user: Host }) => Promise<void>;
  },
): void {
  Deno.test({ name, ignore: skipped, fn: () => run(name, options) });
}

async function run(
  name: string,
  { config, env, fn }: Parameters<typeof withBalancers>[1],
): Promise<void> {
  const hosts = {
    lb0: network.host("lb0"),
    lb1: network.host("lb1"),
    user: network.host("user"),
  };
  const file = `${network.directory}/${name.replaceAll(/\W+/g, "-").slice(0, 60)}.yaml`;
  await Deno.writeTextFile(
    file,
    [`webroot: ${network.webroot}`, ...await config(), ""].join("\n"),
  );
  const balancers: Daemon[] = [];
  try {
    for (const host of [hosts.lb0, hosts.lb1]) {
      balancers.push(await startBalancer(network, { host, config: file, env }));
    }
    await fn(hosts);
  } catch (error) {
    const logs = await Promise.all(balancers.map(({ log }) => tail(log)));
    throw new Error([String(error), ...logs].join("\n"), { cause: error });
  } finally {
    await Promise.all(balancers.map((balancer) => balancer.stop()));
  }
}

function peersOf(...addresses: string[]): string[] {
  return ["peers:", ...addresses.map((address) => `  - "${address}"`)];
}

function get(host: Host, url: string, name?: string): Promise<Fetched> {
  return fetchOn(host, { network, url, name });
}

const IPV6_PEERS = peersOf("[2001:db8::f001]:31080", "[2001:db8::f002]:31080");
const IPV4_PEERS = peersOf("192.0.2.11:31080", "192.0.2.12:31080");

withBalancers("serve answers IPv6 and IPv4 at the same listener", {
  config: () => IPV6_PEERS,
  async fn({ user, lb0, lb1 }) {
    for (const { ipv6, ipv4 } of [lb0, lb1]) {
      for (const address of [`[${ipv6}]`, ipv4]) {
        const challenge = await get(user, `http://${address}${PATH}`);
        assert.deepEqual([challenge.status, challenge.body], [200, TEXT], address);
        const page = await get(user, `http://${address}/a?b=c`, "service.example");
        assert.equal(page.location, "https://service.example/a?b=c", address);
      }
    }
  },
});

withBalancers("serve finds a token at an IPv4 peer", {
  config: () => IPV4_PEERS,
  async fn({ user }) {
    for (const address of ["[2001:db8::f001]", "192.0.2.11"]) {
      const { status, body } = await get(user, `http://${address}${PATH}`);
      assert.deepEqual([status, body], [200, TEXT], address);
    }
  },
});

withBalancers("serve finds a token at a link-local peer with its zone", {
  config: async () => {
    const addresses = await Promise.all(
      ["lb0", "lb1"].map((name) => linkLocal(network.host(name))),
    );
    return peersOf(...addresses.map((address) => `[${address}%eth0]:31080`));
  },
  async fn({ user, lb0, lb1 }) {
    const found = await get(user, `http://[${lb0.ipv6}]${PATH}`);
    assert.deepEqual([found.status, found.body], [200, TEXT]);
    const told = new RegExp(` role=public token=.* peer=\\[?${await linkLocal(lb1)}%eth0`);
    const line = await lineIn(`${network.directory}/lb0.log`, told);
    assert.ok(!line.includes(await linkLocal(lb0)), `lb0 asked itself: ${line}`);
  },
});

withBalancers("serve asks its peers directly when the environment names proxies", {
  config: () => IPV6_PEERS,
  // Nothing listens there, so a program that used these would fail.
  env: Object.fromEntries(
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
      .map((name) => [name, "http://192.0.2.101:3128"]),
  ),
  async fn({ user }) {
    const { status, body } = await get(user, `http://[2001:db8::f001]${PATH}`);
    assert.deepEqual([status, body], [200, TEXT]);
  },
});

withBalancers("challenge.allow: peers answers peers and nobody else over IPv6", {
  config: () => ["challenge:", "  allow: peers", ...IPV6_PEERS],
  async fn({ user, lb0 }) {
    const url = `http://[2001:db8::f002]:31080${PATH}`;
    assert.deepEqual((await get(user, url)).status, 403, "for the user");
    assert.deepEqual((await get(lb0, url)).body, TEXT, "for lb0");
    assert.equal((await get(user, `http://[2001:db8::f001]${PATH}`)).body, TEXT, "through lb0");
  },
});

withBalancers("challenge.allow: peers knows an IPv4 peer on a dual-stack listener", {
  config: () => ["challenge:", "  allow: peers", ...IPV4_PEERS],
  async fn({ user, lb0 }) {
    const url = `http://192.0.2.12:31080${PATH}`;
    assert.equal((await get(user, url)).status, 403, "for the user");
    assert.equal((await get(lb0, url)).body, TEXT, "for lb0");
    // The same machine under an address that is no peer's.
    assert.equal((await get(lb0, `http://[2001:db8::f002]:31080${PATH}`)).status, 403, "over IPv6");
    assert.equal((await get(user, `http://192.0.2.11${PATH}`)).body, TEXT, "through lb0");
  },
});

withBalancers("challenge.allow: peers knows a peer that holds virtual addresses", {
  config: () => ["challenge:", "  allow: peers", ...IPV6_PEERS],
  async fn({ user, lb0, lb1 }) {
    for (const keeper of [lb0, lb1]) {
      await network.place(new Map(VIRTUAL_ADDRESSES.map((address) => [address, keeper])));
      for (const address of VIRTUAL_ADDRESSES) {
        const { status, body } = await get(user, `http://[${address}]${PATH}`);
        assert.deepEqual([status, body], [200, TEXT], `${address} on ${keeper.name}`);
      }
    }
    await network.place(keepers([lb0, lb1], { down: ["lb2"] }));
  },
});
