/**
 * From nothing to a certificate that is served: HAProxy starts with placeholders, each ACME client
 * obtains a certificate from a real CA, and its hook of examples/ brings it into that HAProxy. The
 * first handshake after the client has ended gets it, from the same process.
 */

import assert from "node:assert/strict";
import { type Authority, startAuthority } from "./authority.ts";
import { startBalancer } from "./balancer.ts";
import { CLIENTS, type Issued } from "./clients.ts";
import type { Daemon } from "./daemon.ts";
import {
  exampleHook,
  type Front,
  hookEnvironment,
  type HookPaths,
  serialOf,
  startFront,
} from "./hooks.ts";
import { createNetwork, type Host, type Network, type Output } from "./network.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";

const CA_NAME = "ca.example";

const missing = lacking({
  for: "the hooks of ACME clients",
  root: true,
  programs: [...NETWORK_PROGRAMS, "pebble", "pebble-challtestsrv", "openssl", "haproxy"],
});
const clients = Object.keys(CLIENTS);
const absent = clients.filter((client) =>
  lacking({ for: `the hook of ${client}`, programs: [client] })
);

/** One name for each test, so that each has its own certificate to replace. */
const nameOf = (test: string) => `${test.replace(".", "-")}.example`;
const NAMES = [...clients, "manual", "stand-in", "repeated"].map(nameOf);

interface Stage {
  network: Network;
  host: Host;
  authority: Authority;
  balancer: Daemon;
  front: Front;
  env: Record<string, string>;
  /** The process of HAProxy when it started. */
  worker: string;
}

let stage: Stage;

Deno.test.beforeAll(async () => {
  if (missing) return;
  const address = "2001:db8::f001";
  const network = await createNetwork({
    lb0: { ipv6: address, ipv4: "192.0.2.11" },
    ca: { ipv6: "2001:db8::ca", ipv4: "192.0.2.100" },
  }, {
    names: {
      ...Object.fromEntries(NAMES.map((name) => [name, [address]])),
      [CA_NAME]: ["2001:db8::ca"],
    },
  });
  try {
    stage = await setUp(network);
    startJobs();
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
});

async function setUp(network: Network): Promise<Stage> {
  const host = network.host("lb0");
  const env = await hookEnvironment();
  const paths: HookPaths = {
    certs: `${network.directory}/certs`,
    socket: `${network.directory}/admin.sock`,
    config: `${network.directory}/config.yaml`,
  };
  await Deno.mkdir(paths.certs);
  await Deno.writeTextFile(paths.config, `webroot: ${network.webroot}\n`);
  for (const name of NAMES) {
    const out = `${paths.certs}/${name}.pem`;
    const made = await network.run(host, ["acme-lb", "self-signed", "--name", name, "--out", out], {
      env,
    });
    assert.equal(made.code, 0, made.stderr);
  }
  const front = await startFront(network, { host, paths });
  const authority = await startAuthority(network, { host: network.host("ca"), name: CA_NAME });
  for (const name of NAMES) await authority.resolve(name, [host.ipv6]);
  const balancer = await startBalancer(network, { host, config: paths.config });
  for (const name of NAMES) {
    assert.equal((await front.served(name)).certificates, 1);
    assert.match(await subjectOf(`${paths.certs}/${name}.pem`), /acme-lb placeholder/);
  }
  return { network, host, authority, balancer, front, env, worker: await front.worker() };
}

Deno.test.afterAll(async () => {
  if (!stage) return;
  await Promise.all(outcomes.values());
  await stage.front[Symbol.asyncDispose]();
  await stage.balancer.stop();
  await stage.authority[Symbol.asyncDispose]();
  await stage.network[Symbol.asyncDispose]();
});

/** Lets a client order the certificate of its test's name. */
async function order(client: string, options: { name: string; hook?: string }): Promise<Issued> {
  const { network, host, authority, env } = stage;
  const { name, hook } = options;
  return await CLIENTS[client]!({
    ...{ network, host, hook, env, names: [name], webroot: network.webroot },
    state: await Deno.makeTempDir({ dir: network.directory, prefix: `${client}-` }),
    directory: authority.directory,
    trust: authority.trust,
  });
}

/** The hook has just ended: no waiting here, the next handshake must get the certificate. */
async function assertServed(name: string, { issued, output }: { issued: string; output: Output }) {
  const { front, worker } = stage;
  const said = `${output.stdout}\n${output.stderr}`;
  const served = await front.served(name);
  assert.equal(served.serial, await serialOf(await Deno.readTextFile(issued)), said);
  assert.ok(served.certificates >= 2, `only ${served.certificates} certificates of the chain`);
  const file = await Deno.readTextFile(`${front.paths.certs}/${name}.pem`);
  const leaf = file.slice(file.indexOf("-----BEGIN CERTIFICATE-----"));
  assert.equal(await serialOf(leaf), served.serial, "file and HAProxy");
  assert.equal(await front.worker(), worker, "HAProxy is another process now");
}

/** An order with all that follows, by the name of its test. Most of it is the clients' waiting. */
const JOBS: Record<string, { programs: string[]; title: string; run: () => Promise<void> }> = {
  ...Object.fromEntries(clients.map((client) => [client, {
    programs: [client],
    title: `${client} and its hook replace the placeholder that HAProxy started with`,
    run: async () => {
      const name = nameOf(client);
      const output = await order(client, { name, hook: await hookOf(client) });
      assert.equal(output.code, 0, `${output.stdout}\n${output.stderr}`);
      await assertServed(name, { issued: output.certificate, output });
    },
  }])),
  "manual": {
    programs: ["certbot"],
    title: "certbot without a webroot: its challenge hook and its deploy hook do all of it",
    run: certbotWithoutWebroot,
  },
  "stand-in": {
    programs: ["lego"],
    title: "acme.sh's --reloadcmd, by a shell that stands in for it, replaces the placeholder",
    run: acmeShStandIn,
  },
  "repeated": {
    programs: ["dehydrated"],
    title: "dehydrated's hook, run again for the same certificate, changes nothing and succeeds",
    run: dehydratedAgain,
  },
};

/** Started together, so that the hooks also meet each other. */
const outcomes = new Map<string, Promise<Error | undefined>>();

for (const [key, { programs, title }] of Object.entries(JOBS)) {
  Deno.test({
    name: title,
    ignore: missing || programs.some((program) => absent.includes(program)),
    async fn() {
      const failure = await outcomes.get(key);
      if (failure) throw failure;
    },
  });
}

function startJobs(): void {
  for (const [key, { programs, run }] of Object.entries(JOBS)) {
    if (programs.some((program) => absent.includes(program))) continue;
    outcomes.set(key, run().then(() => undefined, (error) => error as Error));
  }
}

function hookOf(name: string): Promise<string> {
  return exampleHook(name, { directory: stage.network.directory, paths: stage.front.paths });
}

async function certbotWithoutWebroot(): Promise<void> {
  const { network, host, authority, env } = stage;
  const name = nameOf("manual");
  const state = await Deno.makeTempDir({ dir: network.directory, prefix: "manual-" });
  const challenge = await hookOf("certbot-challenge");
  const output = await network.run(host, [
    ...["certbot", "certonly", "-n", "--agree-tos", "--register-unsafely-without-email"],
    ...["--server", authority.directory, "--manual", "--preferred-challenges", "http", "-d", name],
    ...["--manual-auth-hook", `${challenge} put`, "--manual-cleanup-hook", `${challenge} remove`],
    ...["--deploy-hook", await hookOf("certbot"), "--config-dir", `${state}/config`],
    ...["--work-dir", `${state}/work`, "--logs-dir", `${state}/logs`],
  ], { env: { HOME: state, REQUESTS_CA_BUNDLE: authority.trust, ...env }, deadline: 600_000 });
  assert.equal(output.code, 0, `${output.stdout}\n${output.stderr}`);
  await assertServed(name, { issued: `${state}/config/live/${name}/fullchain.pem`, output });
  const log = await Deno.readTextFile(`${state}/logs/letsencrypt.log`);
  const [, token] = /"token": "([A-Za-z0-9_-]{43})"/.exec(log) ?? [];
  assert.ok(token, "no token in certbot's log");
  await assert.rejects(Deno.stat(`${host.webroot}/${token}`), Deno.errors.NotFound);
}

/**
 * acme.sh is not in every release of Debian, so this script replaces it: what acme.sh 3 does around
 * its
 * --reloadcmd, with the variables that its documentation lists, for a certificate that lego got.
 */
const ACME_SH = `
export CERT_PATH=$1 CERT_KEY_PATH=$2 CA_CERT_PATH=$3 CERT_FULLCHAIN_PATH=$4 Le_Domain=$5
cd "$(dirname "$1")" && eval "$6"
`;

async function acmeShStandIn(): Promise<void> {
  const { network, host, env } = stage;
  const name = nameOf("stand-in");
  const issued = await order("lego", { name });
  assert.equal(issued.code, 0, issued.stderr);
  const base = issued.certificate.replace(/\.crt$/, "");
  const fullchain = `${base}.crt`;
  const output = await network.run(host, [
    ...["sh", "-c", ACME_SH, "acme.sh", fullchain, `${base}.key`, `${base}.issuer.crt`, fullchain],
    ...[name, await hookOf("acme.sh")],
  ], { env });
  assert.equal(output.code, 0, output.stderr);
  await assertServed(name, { issued: fullchain, output });
}

async function dehydratedAgain(): Promise<void> {
  const { network, host, env } = stage;
  const name = nameOf("repeated");
  const hook = await hookOf("dehydrated");
  const issued = await order("dehydrated", { name, hook });
  assert.equal(issued.code, 0, `${issued.stdout}\n${issued.stderr}`);
  const base = issued.certificate.replace(/\/[^/]*$/, "");
  const files = ["privkey", "cert", "fullchain", "chain"].map((file) => `${base}/${file}.pem`);
  const output = await network.run(host, [hook, "deploy_cert", name, ...files, "1"], { env });
  assert.equal(output.code, 0, output.stderr);
  assert.match(output.stdout, /: unchanged: .*\n.*admin\.sock: current: /);
  await assertServed(name, { issued: issued.certificate, output });
}

async function subjectOf(pem: string): Promise<string> {
  const { stdout } = await new Deno.Command("openssl", {
    args: ["x509", "-noout", "-subject", "-in", pem],
  }).output();
  return new TextDecoder().decode(stdout);
}
