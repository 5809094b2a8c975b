/**
 * The fleet at a glance, over the rendered cluster with real keepalived: who holds each address
 * before, during and after a failover, each planted fault on top with what to do, and "all is well"
 * when all are repaired.
 */

import assert from "node:assert/strict";
import type { JsonStatus } from "../../lib/status/status_json.ts";
import { DAY, issue, type IssueOptions, makeKey, NOW } from "../cert/issue.ts";
import { eventually, logged } from "./daemon.ts";
import { fetchOn } from "./fetch_on.ts";
import {
  type RenderedBalancer,
  type RenderedCluster,
  startRenderedCluster,
} from "./rendered_cluster.ts";
import { loggedStories } from "./logged_stories.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";

const missing = lacking({
  for: "the fleet at a glance",
  root: true,
  programs: [
    ...NETWORK_PROGRAMS,
    ...["pebble", "pebble-challtestsrv", "openssl", "haproxy", "keepalived", "acmetool", "nginx"],
    ...["bash", "nsenter"],
  ],
});

const CONFIG = "/etc/acme-lb/config.yaml";
const KEEPALIVED = "/etc/keepalived/keepalived.conf";
const WATCHED = "/etc/acme-lb/watched";
/** In place of what the example watches, which the server's own user may not read. */
const MORE = `metrics: { listen: ["[::]:9180"] }\\ncertificates: [${WATCHED}]\\n`;

let cluster: RenderedCluster;

Deno.test.beforeAll(async () => {
  if (missing) return;
  cluster = await startRenderedCluster();
  try {
    for (const balancer of cluster.balancers.values()) {
      await balancer.must(`install -d ${WATCHED} /var/lib/acme-lb`);
      await balancer.must(`sed -i '/^metrics:/,/^$/d; /^certificates:/d' ${CONFIG}`);
      await balancer.must(`printf '${MORE}' >>${CONFIG}`);
      await plant(balancer, {});
      await reload(balancer);
      // Other stories test whether its check moves addresses; here a dead machine does, and no
      // check that a busy one answers late.
      await balancer.must(`sed -i 's,^  script .*,  script "/bin/true",' ${KEEPALIVED}`);
      balancer.daemons.get("keepalived")!.signal("SIGHUP");
    }
    await cluster.settled();
  } catch (error) {
    throw new Error(`${error}\n${await cluster.logs()}`, { cause: error });
  }
});

Deno.test.afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const story = loggedStories({ ignore: missing, logs: () => cluster.logs() });

story("all is well is the first line, and the exit code is 0, from any balancer", async () => {
  for (const name of ["lb0", "lb1", "lb2"]) await assertWell(name);
});

story(
  "a failover: the holders before, while a balancer is dead, and after it is back",
  async () => {
    assert.deepEqual(holders(await ask("lb0")), cluster.expected());

    const victim = cluster.balancers.get("lb2")!;
    const theirs = cluster.virtual.filter((address) => cluster.expected()[address]![0] === "lb2");
    await cluster.network.unplug(victim.machine.host);
    try {
      // Before keepalived notices, nobody who answers holds them; lb2 is named in any case.
      const during = await ask("lb0");
      assert.deepEqual(during.balancers.map(({ name, ok }) => [name, ok])[2], ["lb2", false]);
      assert.equal(during.balancers[2]!.silence, "timeout");
      await cluster.settled(["lb2"]);
      const after = await ask("lb0");
      assert.deepEqual(holders(after), cluster.expected(["lb2"]));
      assert.equal(after.findings[0]!.rule, "silent");
      // The takeover was seen as it came.
      for (const address of theirs) assert.ok(sinceOf(after, address) !== null, address);
    } finally {
      await cluster.network.plug(victim.machine.host);
    }
    await cluster.settled();
    assert.deepEqual(holders(await ask("lb0")), cluster.expected());
  },
);

story(
  "an address that two hold at once is the first line, and gone with the second holder",
  async () => {
    const [address] = cluster.virtual as [string];
    const owner = cluster.balancers.get(cluster.expected()[address]![0]!)!;
    const other = cluster.balancers.get(owner.name === "lb0" ? "lb1" : "lb0")!;
    const length = address.includes(":") ? 128 : 32;
    await other.must(`ip address add ${address}/${length} dev eth0 nodad`);
    const twice = await text("lb0");
    assert.match(twice.split("\n")[0]!, /held by lb\d and lb\d at once/);
    assert.ok(twice.startsWith(`${address}: held by `), twice);
    assert.match(twice, /^fail {2}\S+: held by .* protocol 112 .*virtual_router_id/m);
    await other.must(`ip address del ${address}/${length} dev eth0`);
    await assertWell("lb0");
  },
);

interface Fault {
  name: string;
  rule: string;
  about: string;
  text: RegExp;
  /** What stands before it: virtual addresses come first. */
  after?: string;
  begin(): Promise<unknown>;
  end(): Promise<unknown>;
}

const on = (name: string) => cluster.balancers.get(name)!;
const good = { notAfter: new Date(NOW.getTime() + 80 * DAY) };
const expired = {
  notBefore: new Date(NOW.getTime() - 30 * DAY),
  notAfter: new Date(NOW.getTime() - DAY),
};

const FAULTS: Fault[] = [
  {
    name: "a configuration that differs",
    rule: "configuration",
    about: "lb1",
    text: /than lb0, lb2: copy the file there, then run systemctl reload acme-lb/,
    async begin() {
      await on("lb1").must(`printf 'redirect: { status: 302 }\\n' >>${CONFIG}`);
      await reload(on("lb1"));
    },
    async end() {
      await on("lb1").must(`sed -i '/^redirect: { status: 302 }$/d' ${CONFIG}`);
      await reload(on("lb1"));
    },
  },
  {
    name: "a dead peer",
    rule: "silent",
    // keepalived's check, which would move its addresses, is not at work here.
    after: "address_unheld",
    about: "lb2",
    text: /nothing listens on .*: look there with systemctl status acme-lb/,
    async begin() {
      const acmeLb = on("lb2").daemons.get("acme-lb")!;
      acmeLb.signal("SIGKILL");
      await acmeLb.status;
    },
    end: () => on("lb2").startAcmeLb(),
  },
  {
    name: "a failing hook",
    rule: "hook",
    about: "lb0",
    text: /for \/etc\/haproxy\/certs\/hooked\.pem failed .*: .*run the client's renewal/,
    async begin() {
      await writeIssued(on("lb0"), { mismatch: true });
      const { code } = await assemble(on("lb0"));
      assert.equal(code, 1);
      await reload(on("lb0"));
    },
    async end() {
      await writeIssued(on("lb0"), { mismatch: false });
      const { code, stdout } = await assemble(on("lb0"));
      assert.equal(code, 0, stdout);
      // Its names are not everybody's; only the failure was of interest.
      await on("lb0").must("rm -f /var/lib/acme-lb/* /etc/haproxy/certs/hooked.pem");
      await reload(on("lb0"));
    },
  },
  {
    name: "an expired placeholder",
    rule: "certificate",
    about: "lb2",
    text: /service\.pem \(service\.example\) expired .*: renew it now/,
    begin: () => plant(on("lb2"), { ...expired, organization: "acme-lb placeholder" }),
    end: () => plant(on("lb2"), good),
  },
  {
    name: "a certificate that was not renewed with the others",
    rule: "certificate",
    about: "lb1",
    text: /expires in .*: find out why it has not been renewed/,
    begin: () =>
      plant(on("lb1"), {
        notBefore: new Date(NOW.getTime() - 80 * DAY),
        notAfter: new Date(NOW.getTime() + 10 * DAY),
      }),
    end: () => plant(on("lb1"), good),
  },
];

for (const fault of FAULTS) {
  story(`${fault.name} is on top, and gone when it is mended`, async () => {
    await fault.begin();
    try {
      const { findings, ok } = await askUntil(
        "lb0",
        ({ findings }) => findings.some(({ rule }) => rule === fault.rule),
      );
      const first = findings.find(({ rule }) => rule !== fault.after)!;
      assert.deepEqual([first.rule, first.about, ok], [fault.rule, fault.about, false]);
      assert.match(first.text, fault.text);
    } finally {
      await fault.end();
    }
    await askUntil("lb0", ({ ok }) => ok);
    await assertWell("lb0");
  });
}

story(
  "the page shows the same to who reaches the metrics port, and the challenge port tells strangers nothing",
  async () => {
    const { network } = cluster;
    const user = network.host("user");
    const [lb0] = cluster.hosts as [typeof user];
    const get = (url: string) => fetchOn(user, { network, url });
    const page = await get(`http://[${lb0.ipv6}]:9180/`);
    assert.equal(page.status, 200);
    assert.match(page.body, /<strong>all is well<\/strong>/);
    for (const address of cluster.virtual) assert.ok(page.body.includes(address), address);
    const metrics = await get(`http://[${lb0.ipv6}]:9180/metrics`);
    const [held] = cluster.virtual.filter((address) => cluster.expected()[address]![0] === "lb0");
    assert.ok(metrics.body.includes(`acme_lb_virtual_address_held{address="${held}"} 1\n`));
    const told = await get(`http://[${lb0.ipv6}]:31080/acme-lb/status`);
    const other = await get(`http://[${lb0.ipv6}]:31080/acme-lb/other`);
    assert.deepEqual([told.status, told.body], [404, other.body]);
  },
);

/** The whole fleet as one balancer sees it. */
async function ask(name: string): Promise<JsonStatus> {
  const { stdout } = await on(name).machine.sh("acme-lb status --format json");
  return JSON.parse(stdout);
}

/** Certificates are looked at again every ten seconds. */
async function askUntil(
  name: string,
  wanted: (status: JsonStatus) => boolean,
): Promise<JsonStatus> {
  let last: JsonStatus | undefined;
  return await eventually(async () => {
    last = await ask(name);
    return wanted(last) ? last : undefined;
  }, { what: () => JSON.stringify(last?.findings), deadline: 60_000 });
}

async function text(name: string): Promise<string> {
  return (await on(name).machine.sh("acme-lb status")).stdout;
}

/** Told again for a while: a busy machine's event loop may stand still, which status tells too. */
async function assertWell(name: string): Promise<void> {
  await askUntil(name, ({ ok }) => ok);
  let last = "";
  await eventually(async () => {
    const { code, stdout } = await on(name).machine.sh("acme-lb status");
    last = stdout;
    return code === 0 && /^all is well \(3 balancers\)\n/.test(stdout) || undefined;
  }, { what: () => last, deadline: 30_000 });
}

function holders({ balancers }: JsonStatus): Record<string, string[]> {
  return Object.fromEntries(cluster.virtual.map((address) => [
    address,
    balancers.filter(({ holds }) => holds.includes(address)).map(({ name }) => name),
  ]));
}

function sinceOf({ balancers }: JsonStatus, address: string): string | null {
  const holder = balancers.find(({ holds }) => holds.includes(address))!;
  return holder.held_since[holder.holds.indexOf(address)]!;
}

/** A certificate where `serve` may read it. */
async function plant({ machine }: RenderedBalancer, options: IssueOptions): Promise<void> {
  const { pem } = await issue({ ...good, ...options });
  await machine.write(`${WATCHED}/service.pem`, pem);
}

async function reload({ daemons }: RenderedBalancer): Promise<void> {
  const acmeLb = daemons.get("acme-lb")!;
  const before = (await acmeLb.output()).split("event=reloaded").length;
  acmeLb.signal("SIGHUP");
  await logged(acmeLb, new RegExp(`(event=reloaded[^]*){${before}}`));
}

async function writeIssued(
  { machine }: RenderedBalancer,
  { mismatch }: { mismatch: boolean },
): Promise<void> {
  const { pem, key } = await issue({ ...good, names: ["hooked.example"] });
  await machine.write("/root/fullchain.pem", pem);
  await machine.write("/root/key.pem", mismatch ? (await makeKey()).pem : key.pem);
}

function assemble({ machine }: RenderedBalancer) {
  return machine.sh(
    "acme-lb assemble-pem --key /root/key.pem --fullchain /root/fullchain.pem " +
      "--out /etc/haproxy/certs/hooked.pem",
  );
}
