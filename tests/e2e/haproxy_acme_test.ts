/**
 * HAProxy orders by itself on each of three balancers, and acme-lb makes its challenges answerable
 * on all of them: by its maker's word HAProxy's own ACME does not suit an active-active pair.
 *
 * The CA validates each order through all three virtual addresses, so that most of its questions
 * meet a balancer that did not order.
 */

import assert from "node:assert/strict";
import { inBothFamilies, keepers, VIRTUAL_ADDRESSES } from "./cluster.ts";
import { eventually } from "./daemon.ts";
import { fetchOn } from "./fetch_on.ts";
import { NAMES } from "./fleet.ts";
import { haproxyLacksAcme } from "./haproxy_version.ts";
import { type OrderingBalancer, type OrderingFleet, startOrderingFleet } from "./ordering_fleet.ts";
import { loggedStories } from "./logged_stories.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";
import { swallow, toldByAcmeLb } from "./story.ts";

const missing = lacking({
  for: "HAProxy's own ACME on a fleet",
  root: true,
  programs: [
    ...NETWORK_PROGRAMS,
    ...["pebble", "pebble-challtestsrv", "openssl", "haproxy", "nginx", "nsenter"],
  ],
}) || await haproxyLacksAcme();

/** A token that nobody has. */
const UNKNOWN = "u".repeat(43);
/** That of HAProxy's configuration manual, 12.8, which answers to every token. */
const MANUALS_RULE = "http-request return status 200 content-type text/plain lf-string " +
  '"%[path,field(-1,/)].%[path,field(-1,/),map(virt@acme)]\\n" ' +
  "if { path_beg '/.well-known/acme-challenge/' }";

/** Of the machine's stand-in for systemd: the process of HAProxy, and of its group. */
const PID_FILE = "/run/acme-lb-stand-in/haproxy";

let fleet: OrderingFleet;

Deno.test.beforeAll(async () => {
  if (!missing) fleet = await startOrderingFleet();
});

Deno.test.afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
});

const story = loggedStories({ ignore: missing, logs: () => fleet.logs() });

const onAll = <T>(action: (balancer: OrderingBalancer) => Promise<T>) =>
  Promise.all(fleet.balancers.map(action));

story("before HAProxy listens, unknown tokens are 404, and self-test is green", async () => {
  await place();
  await assertUnknown(404);
  const { stdout } = await fleet.balancers[0]!.must("acme-lb self-test");
  assert.doesNotMatch(stdout, /^(?:warn|fail) .*solver/m);
});

story("HAProxy starts with a placeholder, and saving that changes nothing", async () => {
  await onAll(async ({ must, save, path }) => {
    await must("systemctl start haproxy");
    const { stdout } = await save();
    assert.match(stdout, /unchanged/);
    const key = path("/etc/haproxy/acme");
    assert.equal((await Deno.stat(key)).mode! & 0o077, 0, "who may read the account's key");
  });
  const { stdout } = await fleet.balancers[0]!.must("acme-lb self-test");
  assert.doesNotMatch(stdout, /^(?:warn|fail) .*solver/m);
});

declareOrders("with the rendered rule");

story("killed after it was saved, HAProxy serves what it had obtained", async () => {
  await onAll(async ({ name, machine, must, save, served }) => {
    const obtained = await served();
    const { stdout: verdict } = await machine.sh("acme-lb check-expiry");
    assert.match(verdict, /in memory only/, `${name}: ${verdict}`);
    await save();
    await must(`kill -KILL -$(cat ${PID_FILE}); rm ${PID_FILE}`);
    await assert.rejects(served());
    await must("systemctl start haproxy");
    assert.equal(await served(), obtained, name);
    await must("acme-lb check-expiry --warning 7% --critical 4%");
  });
  assert.equal(new Set(await onAll(({ served }) => served())).size, 3, "each has its own");
});

story("with the rule of HAProxy's manual its bare answer to every token is refused", async () => {
  await onAll(({ configure }) =>
    configure((text) => text.replace(/http-request return status 200 content.+/, MANUALS_RULE))
  );
  const [first] = fleet.balancers;
  const url = `http://127.0.0.1:31081/.well-known/acme-challenge/${UNKNOWN}`;
  // The old worker still accepts for a moment after the reload.
  const bare = await eventually(async () => {
    const answer = await fetchOn(first!.machine.host, { network: fleet.network, url });
    return answer.status === 200 ? answer : undefined;
  }, { what: () => "the answer of the manual's rule", deadline: 60_000 });
  assert.equal(bare.body.trim(), `${UNKNOWN}.`);
  await assertUnknown(404);
  const { stdout } = await first!.must("acme-lb check-config");
  assert.match(stdout, /127\.0\.0\.1:31081.*answers 200 to a token that it cannot have/);
});

declareOrders("with the manual's rule");

function declareOrders(how: string): void {
  for (const down of [[], ["lb0"], ["lb0", "lb2"]]) {
    const who = down.length === 0 ? "all" : `all but ${down.join(" and ")}, which swallow packets,`;
    story(`${how}, ${who} obtain their certificates`, async () => {
      const { network, balancers } = fleet;
      await place(down);
      const logged = new Map(
        await onAll(async ({ name, log }): Promise<[string, number]> => [
          name,
          (await log()).length,
        ]),
      );
      for (const name of down) await swallow(network, name);
      try {
        const well = balancers.filter(({ name }) => !down.includes(name));
        await orderOn(well);
        // From the balancer's own HAProxy, and from others' where there are others.
        for (const { log, name } of well) {
          const sources = well.length > 1 ? ["solver", "peer"] as const : ["solver"] as const;
          const lines = await eventually(async () => {
            const lines = (await log()).slice(logged.get(name));
            return sources.every((source) => toldByAcmeLb(lines, source).length > 0)
              ? lines
              : undefined;
          }, { what: () => `${name} to tell the CA from ${sources}`, deadline: 60_000 });
          assert.equal(toldByAcmeLb(lines, "peer").length > 0, well.length > 1, `${name}: others'`);
        }
        assert.deepEqual(await fleet.authority.failedValidations(), []);
      } finally {
        for (const name of down) await network.heal(network.host(name));
      }
    });
  }
}

/** On all of them at once, and again where the CA reused an authorization. */
async function orderOn(balancers: OrderingBalancer[]): Promise<void> {
  const { authority } = fleet;
  const wanted = balancers.length * Object.keys(NAMES).length;
  let made = 0;
  for (let attempts = 0; made !== wanted; attempts++) {
    assert.ok(attempts < 4, `only ${made} of ${wanted} authorizations are new`);
    const before = await authority.authorizations();
    await Promise.all(balancers.map(async ({ order, served, name }) => {
      assert.equal(await order(), await served(), name);
    }));
    made = await authority.authorizations() - before;
  }
}

async function place(down: string[] = []): Promise<void> {
  const hosts = fleet.balancers.map(({ machine }) => machine.host);
  await fleet.network.place(inBothFamilies(keepers(hosts, { down })));
}

async function assertUnknown(status: number): Promise<void> {
  const { network } = fleet;
  for (const address of VIRTUAL_ADDRESSES) {
    const url = `http://[${address}]/.well-known/acme-challenge/${UNKNOWN}`;
    const answer = await fetchOn(network.host("user"), { network, url, name: "service.example" });
    assert.equal(answer.status, status, `${address}: ${answer.body}`);
  }
}
