/**
 * self-test on a network where all is well, and on one where hardly anything is: each planted fault
 * is found, on the path where it was planted, by its own word; and the token is gone every time.
 */

import assert from "node:assert/strict";
import type { SelfTestReport } from "../../lib/self_test/findings.ts";
import { executablePath } from "../executable.ts";
import { ready, startBalancer } from "./balancer.ts";
import { eventually, startDaemon, tail } from "./daemon.ts";
import type { HostAddresses } from "./network.ts";
import { startNginx } from "./nginx.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";
import { ILL, NODES, type SelfTestFleet, startSelfTestFleet } from "./self_test_fleet.ts";

const skipped = lacking({
  for: "self-test on a network",
  root: true,
  programs: [...NETWORK_PROGRAMS, "pebble-challtestsrv", "setpriv", "nginx"],
});

const AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

const ODD_ADDRESS = "2001:db8::dd";
const VIRTUAL = ["2001:db8::1", "2001:db8::2", "192.0.2.1"];

interface Shape {
  nodes?: Record<string, HostAddresses>;
  peers?: string[];
  virtual?: string[];
  names?: string[];
}

/** A configuration file without its webroot. */
function configuration({ nodes = NODES, peers, virtual = VIRTUAL, names }: Shape = {}): string {
  const all = peers ?? Object.values(nodes).map(({ ipv6 }) => `[${ipv6}]:31080`);
  return JSON.stringify({
    peers: all,
    cluster: {
      nodes: Object.fromEntries(
        Object.entries(nodes).map(([name, { ipv6, ipv4 }]) => [name, [ipv6, ipv4]]),
      ),
      virtual_addresses: virtual,
      names: names ?? ["service.example"],
    },
  }).replace(/^\{/, "").replace(/\}$/, "").replace('"peers":', "peers: ")
    .replace(',"cluster":', "\ncluster: ") + "\n";
}

let fleet: SelfTestFleet;

Deno.test.beforeAll(async () => {
  if (skipped) return;
  fleet = await startSelfTestFleet(configuration());
  const { network } = fleet;
  const [lb0, lb1, lb2] = ["lb0", "lb1", "lb2"].map(network.host);
  await network.place(new Map([[VIRTUAL[0]!, lb2!], [VIRTUAL[1]!, lb1!], [VIRTUAL[2]!, lb0!]]));
  await fleet.record("service.example", VIRTUAL);
});

Deno.test.afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
});

function e2e(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name,
    ignore: skipped,
    async fn() {
      try {
        await fn();
        assert.deepEqual(await planted(), [], "something was left in the webroot");
      } catch (error) {
        const logs = await Promise.all(fleet.balancers.values().map(({ log }) => tail(log, 10)));
        throw new Error([error instanceof Error ? error.stack : error, ...logs].join("\n"));
      }
    },
  });
}

async function planted(): Promise<string[]> {
  const { webroot } = fleet.network.host("lb0");
  return await Array.fromAsync(Deno.readDir(webroot), ({ name }) => name);
}

/** Runs self-test on lb0 with --format json. */
async function report(
  args: string[] = [],
  options: { config?: string } = {},
): Promise<SelfTestReport> {
  const { code, stdout, stderr } = await fleet.selfTest(["--format", "json", ...args], options);
  assert.equal(stderr, "");
  const parsed = JSON.parse(stdout) as SelfTestReport;
  assert.equal(code, parsed.ok ? 0 : 1);
  return parsed;
}

/** `port address (of): level rule ...` of each path and finding that is not well. */
function faultsOf({ paths, findings }: SelfTestReport): string[] {
  const words = (all: SelfTestReport["findings"]) =>
    all.filter(({ level }) => level !== "note").map(({ level, rule }) => `${level} ${rule}`);
  return [
    ...paths.map(({ port, address, findings }) => [`${port} ${address}`, words(findings)] as const),
    ...findings.map((finding) => [finding.about, words([finding])] as const),
  ].filter(([, found]) => found.length > 0).map(([where, found]) =>
    `${where}: ${found.join(", ")}`
  );
}

/** The text of the only finding on a path. */
function textAt({ paths }: SelfTestReport, where: string): string {
  const path = paths.find(({ port, address }) => `${port} ${address}` === where);
  assert.equal(path?.findings.length, 1, `${where}: ${JSON.stringify(path)}`);
  return path!.findings[0]!.text;
}

e2e("self-test finds a fleet well, and says so line by line", async () => {
  const { code, stdout, stderr } = await fleet.selfTest([]);
  assert.deepEqual([code, stderr], [0, ""], stdout);
  const lines = stdout.trimEnd().split("\n");
  assert.match(
    lines.pop()!,
    /^yes: the CA gets its answer now, through 2001:db8::1, 2001:db8::2, 192\.0\.2\.1$/,
  );
  assert.match(lines.pop()!, /^15 paths: all well$/);
  assert.match(lines.pop()!, /^note {2}Let's Encrypt: weekly_limit: 4 balancers, .* 0\.5 orders/);
  for (const [name, { ipv6 }] of Object.entries(NODES)) {
    const own = name === "lb0" ? ", this balancer): found" : "): absent, as it should be";
    assert.ok(
      lines.some((line) => line.startsWith(`ok    challenge [${ipv6}]:31080 (${name}${own}, `)),
      stdout,
    );
  }
  for (const address of ["[2001:db8::1]:80", "192.0.2.1:80"]) {
    const start = `ok    public ${address} (virtual address, service.example): found, `;
    assert.ok(lines.some((line) => line.startsWith(start)), stdout);
  }
  assert.ok(lines.every((line) => line.startsWith("ok    ")), stdout);
});

e2e("self-test --document takes the article's own test the same ways", async () => {
  const well = await report(["--document"]);
  assert.deepEqual([well.token, well.ok, faultsOf(well)], ["lb0", true, []]);
  // Somebody made that file by hand: it is neither overwritten nor taken away.
  const path = `${fleet.network.host("lb0").webroot}/lb0`;
  await Deno.writeTextFile(path, "Hello");
  try {
    const { code, stderr } = await fleet.selfTest(["--document"]);
    assert.equal(code, 1);
    assert.match(stderr, /^acme-lb: \S+\/lb0 is there already; remove it, or run without/);
    assert.equal(await Deno.readTextFile(path), "Hello");
  } finally {
    await Deno.remove(path);
  }
});

e2e("self-test says when the webroot is not the one that is served", async () => {
  const { network } = fleet;
  const lb0 = network.host("lb0");
  const config = `${network.directory}/other.yaml`;
  const own = `challenge [${lb0.ipv6}]:31080`;
  const elsewhere = `public [${lb0.ipv6}]:80`;
  await Deno.writeTextFile(config, `webroot: ${network.directory}/other\n${configuration()}`);
  const found = await report([], { config });
  const texts = [own, elsewhere].map((where) => textAt(found, where));
  assert.match(texts[0]!, /does not serve the token in \S+\/other: it runs with another webroot/);
  assert.match(texts[1]!, /HTTP 404, as this balancer itself does not give the token/);
  // A webroot that is not there yet is the ACME client's to make.
  await assert.rejects(Deno.stat(`${network.directory}/other`), Deno.errors.NotFound);
});

e2e("self-test sees, from here, that others cannot reach each other or this balancer", async () => {
  const { lb1, lb2 } = NODES as Record<"lb1" | "lb2", HostAddresses>;
  await drop("lb2", `ip6 saddr ${lb1.ipv6} tcp dport 31080`);
  await drop("lb0", `ip6 saddr ${lb2.ipv6} tcp dport 31080`);
  try {
    const found = await report();
    const at = (names: string[]) => names.map((name) => `public ${name}:80: fail bad_status`);
    assert.deepEqual(
      faultsOf(found).sort(),
      // Each with the virtual address that it has.
      at([lb1, lb2].flatMap(({ ipv6, ipv4 }) => [`[${ipv6}]`, ipv4]))
        .concat(at([`[${VIRTUAL[0]}]`, `[${VIRTUAL[1]}]`])).sort(),
    );
    assert.match(
      textAt(found, `public ${lb1.ipv4}:80`),
      /^HTTP 504 for a token that nobody has: it cannot ask one of its peers, though all answer/,
    );
    assert.match(
      textAt(found, `public ${lb2.ipv4}:80`),
      /^HTTP 504: it did not get the token from this balancer; see peers= in its log/,
    );
  } finally {
    for (const name of ["lb0", "lb2"]) await nft(name, "delete table inet selftest");
  }
});

e2e("self-test says when the server's user may not read the webroot", async () => {
  const { network, balancers, config } = fleet;
  const host = network.host("lb0");
  await balancers.get("lb0")!.stop();
  await network.run(host, ["sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=0"]);
  await Deno.chmod(network.directory, 0o711);
  await Deno.chmod(host.webroot, 0o700);
  const daemon = await startDaemon(
    network.on(host, [...AS_NOBODY, await executablePath(), "serve", "--config", config]),
    { log: `${network.directory}/lb0.log` },
  );
  try {
    await ready(daemon);
    const found = await report();
    assert.match(textAt(found, `challenge [${host.ipv6}]:31080`), /unreadable for its user/);
    // Nor may that user write to it.
    const { code, stdout, stderr } = await network.run(host, [
      ...[...AS_NOBODY, await executablePath(), "self-test", "--config", config],
    ]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(
      stderr,
      /^acme-lb: cannot write \S+: permission denied \(EACCES\); it takes root, .*\n$/,
    );
    assert.equal(stderr.trimEnd().split("\n").length, 1);
  } finally {
    await daemon.stop();
    await Deno.chmod(host.webroot, 0o755);
    balancers.set("lb0", await startBalancer(network, { host, config }));
  }
});

e2e("self-test takes the source document's nginx as a peer, with a note", async () => {
  const everybody = [...Object.keys(NODES), "walled", "six"];
  const { network } = fleet;
  const nginx = await startNginx(network, {
    host: network.host("odd"),
    webroot: network.webroot,
  });
  try {
    const peers = Object.values(NODES).map(({ ipv6 }) => `[${ipv6}]:31080`);
    await fleet.configure(
      configuration({ peers: [...peers, `[${ODD_ADDRESS}]:31080`] }),
      everybody,
    );
    const found = await report();
    assert.deepEqual([found.ok, faultsOf(found)], [true, []]);
    assert.match(
      textAt(found, `challenge [${ODD_ADDRESS}]:31080`),
      /^its configuration cannot be compared: it is not acme-lb, or does not have this balancer's/,
    );
  } finally {
    await nginx.stop();
    await fleet.configure(configuration(), everybody);
  }
});

/** Virtual addresses whose port 80 is almost right, with what must be said of each. */
const ALMOST: [address: string, behaviour: string, findings: string][] = [
  ["2001:db8::e1", "long", "fail too_large"],
  ["2001:db8::e2", "newline", "fail leading_bytes"],
  ["2001:db8::e3", "bom", "fail leading_bytes"],
  ["2001:db8::e4", "redirects", "fail redirected, fail location"],
  ["2001:db8::e5", "fails", "fail bad_status, fail no_redirect"],
  ["2001:db8::e6", "hangs", "fail timeout"],
  ["2001:db8::e7", "cut", "fail bad_framing"],
  ["2001:db8::e8", "answers_all", "fail bad_body"],
  ["2001:db8::e9", "invents", "fail catch_all"],
  ["2001:db8::ea", "loses_path", "fail location"],
  ["2001:db8::eb", "hsts", "fail hsts"],
  ["2001:db8::ec", "page", "fail no_redirect"],
  ["2001:db8::ed", "closes", "fail empty"],
];
const FOREIGN = "2001:db8::bad";

/** Peers on the odd machine, by their port. */
const ODD_PEERS: [port: number, behaviour: string, findings: string][] = [
  [4001, "redirects", "fail redirected"],
  [4002, "fails", "fail bad_status"],
  [4003, "hangs", "fail timeout"],
  [4004, "cut", "fail bad_framing"],
  [4005, "answers_all", "fail catch_all"],
  [4006, "clock_ahead", "fail clock"],
  [4007, "forbids", "fail bad_status"],
];

e2e("self-test finds each of thirty planted faults, and names it", async () => {
  const { network } = fleet;
  const nodes = { ...NODES, ...ILL };
  const odd = network.host("odd");
  await network.place(
    new Map([...ALMOST.map(([address]) => address), FOREIGN].map((address) => [address, odd])),
  );
  await fleet.serveOddly([
    ...ALMOST.map(([address, behaviour]): [string, number, string] => [address, 80, behaviour]),
    [FOREIGN, 80, "stranger"],
    ...ODD_PEERS.map((
      [port, behaviour],
    ): [string, number, string] => [ODD_ADDRESS, port, behaviour]),
  ]);
  await fleet.record("broken.example", [ALMOST[0]![0], FOREIGN]);
  // lb2 is not told of the new configuration.
  await fleet.configure(
    configuration({
      nodes,
      peers: [
        ...Object.values(nodes).map(({ ipv6 }) => `[${ipv6}]:31080`),
        `[${NODES.lb1!.ipv6}]:31099`,
        ...ODD_PEERS.map(([port]) => `[${ODD_ADDRESS}]:${port}`),
      ],
      virtual: [...ALMOST.map(([address]) => address), "192.0.2.1"],
      names: ["broken.example", "nowhere.example", "*.example"],
    }),
    ["lb0", "lb1", "walled", "six"],
  );
  await fleet.balancers.get("lb3")!.stop();
  await drop("walled", "tcp dport 31080");
  await drop("lb1", `ip daddr ${NODES.lb1!.ipv4} tcp dport 80`);
  await network.run(network.host("dead"), ["ip", "link", "set", "eth0", "down"]);

  const found = await report();
  assert.deepEqual(
    faultsOf(found).sort(),
    [
      // The challenge ports.
      `challenge [${NODES.lb2!.ipv6}]:31080: fail configuration`,
      `challenge [${NODES.lb3!.ipv6}]:31080: fail refused`,
      `challenge [${NODES.lb1!.ipv6}]:31099: fail refused`,
      `challenge [${ILL.walled!.ipv6}]:31080: fail timeout`,
      `challenge [${ILL.dead!.ipv6}]:31080: fail unreachable`,
      ...ODD_PEERS.map(([port, , rules]) => `challenge [${ODD_ADDRESS}]:${port}: ${rules}`),
      // The public ports.
      ...ALMOST.map(([address, , rules]) => `public [${address}]:80: ${rules}`),
      `public [${FOREIGN}]:80: fail foreign_address`,
      // Own addresses that are closed are no faults: no name leads there.
      // The peer that answers everything wins no lookup: only a key authorization does.
      // The names, and seven balancers that may order at once.
      "broken.example: warn one_family",
      "nowhere.example: fail unresolved",
      "*.example: warn wildcard",
      "Let's Encrypt: warn weekly_limit",
    ].sort(),
  );

  const texts: [string, RegExp][] = [
    [
      `challenge [${NODES.lb2!.ipv6}]:31080`,
      /another configuration than \S+ here and 2 others that agree; copy the file/,
    ],
    [`challenge [${NODES.lb3!.ipv6}]:31080`, /the machine is up, but acme-lb is not running on it/],
    [`challenge [${NODES.lb1!.ipv6}]:31099`, /nothing listens on port 31099, though the machine/],
    [`challenge [${ILL.walled!.ipv6}]:31080`, /a firewall drops packets to port 31080/],
    [
      `challenge [${ODD_ADDRESS}]:4001`,
      /^HTTP 302 to "https:\/\/elsewhere.example\/"; is that the/,
    ],
    [`challenge [${ODD_ADDRESS}]:4003`, /it takes connections and does not answer/],
    [`challenge [${ODD_ADDRESS}]:4007`, /challenge.allow: peers/],
    [
      `public ${NODES.lb1!.ipv4}:80`,
      /a firewall drops packets to port 80, while the challenge port/,
    ],
    [`public ${ILL.six!.ipv4}:80`, /nothing listens on port 80 of IPv4, while IPv6 answers/],
    ["public [2001:db8::e1]:80", /reads 127 bytes and refuses more, here are 128/],
    [`public [${FOREIGN}]:80`, /absent, and 2001:db8::bad is none of the cluster's addresses/],
  ];
  for (const [where, pattern] of texts) assert.match(textAt(found, where), pattern);
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  e2e(`self-test takes its token away when ${signal} ends it`, async () => {
    // One of the addresses above never answers, so the run lasts.
    const daemon = await startDaemon(
      fleet.network.on(fleet.network.host("lb0"), [
        ...[await executablePath(), "self-test", "--config", fleet.config],
      ]),
      { log: `${fleet.network.directory}/${signal}.log` },
    );
    await eventually(async () => (await planted()).length > 0 || undefined, {
      what: () => "the token to be planted",
      deadline: 20_000,
    });
    daemon.signal(signal);
    const { code } = await daemon.status;
    assert.deepEqual([code, await daemon.output()], [1, `acme-lb: ended by ${signal}\n`]);
  });
}

/** The packets that the host's firewall drops from now on. */
async function drop(name: string, match: string): Promise<void> {
  const rules = `table inet selftest { chain input { type filter hook input priority 0; ${match} ` +
    "drop; }; }";
  await nft(name, rules);
}

async function nft(name: string, rules: string): Promise<void> {
  const { code, stderr } = await fleet.network.run(fleet.network.host(name), ["nft", rules]);
  assert.equal(code, 0, stderr);
}
