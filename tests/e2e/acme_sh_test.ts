/**
 * acme.sh as it is used for years: an ECC certificate, its default, and an RSA one, each with the
 * hook of examples/ and its own file, and the cron job that does nothing when nothing is due and
 * renews both when it is.
 */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { type Authority, startAuthority } from "./authority.ts";
import { keepers } from "./cluster.ts";
import { CA_NAME, type Fleet, NAMES, startFleet, webrootOf } from "./fleet.ts";
import { exampleHook, type Front, hookEnvironment, servedOn, startFront } from "./hooks.ts";
import { type Host, must, type Output } from "./network.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";

const missing = lacking({
  for: "acme.sh with two kinds of key",
  root: true,
  programs: [
    ...NETWORK_PROGRAMS,
    ...["pebble", "pebble-challtestsrv", "openssl", "haproxy", "acme.sh"],
  ],
});

const names = Object.keys(NAMES);
const [SERVICE] = names as [string];

/**
 * By the suffix of HAProxy's file: what acme.sh is told, and what a client knows. It waits long for
 * each name, so one has all of them, for the CA to come through all three balancers.
 */
const KINDS = {
  ecdsa: { keylength: [], domains: names, sigalgs: "ECDSA+SHA256" },
  rsa: {
    keylength: ["--keylength", "2048"],
    domains: [SERVICE],
    sigalgs: "RSA-PSS+SHA256:RSA+SHA256",
  },
};
type Kind = keyof typeof KINDS;

let fleet: Fleet;
let authority: Authority;
let front: Front;
let host: Host;
let env: Record<string, string>;
let acmeSh: string[];

Deno.test.beforeAll(async () => {
  if (missing) return;
  fleet = await startFleet();
  const { network, hosts } = fleet;
  host = network.host("lb1");
  await network.place(keepers(hosts));
  authority = await startAuthority(network, { host: network.host("ca"), name: CA_NAME });
  for (const [name, addresses] of Object.entries(NAMES)) await authority.resolve(name, addresses);
  const state = `${network.directory}/acme.sh`;
  await Deno.mkdir(state);
  env = { HOME: state, ...await hookEnvironment() };
  acmeSh = [
    ...["acme.sh", "--home", state, "--config-home", state, "--server", authority.directory],
    ...["--ca-bundle", authority.trust, "--accountemail", "ops@service.example"],
  ];
  const paths = {
    certs: `${network.directory}/certs`,
    socket: `${network.directory}/admin.sock`,
    config: `${network.directory}/config.yaml`,
  };
  await Deno.mkdir(paths.certs);
  const placeholder = `${paths.certs}/${SERVICE}.pem.ecdsa`;
  await onHost(["acme-lb", "self-signed", "--name", SERVICE, "--out", placeholder]);
  front = await startFront(network, { host, paths });
});

Deno.test.afterAll(async () => {
  await front?.[Symbol.asyncDispose]();
  await authority?.[Symbol.asyncDispose]();
  await fleet?.[Symbol.asyncDispose]();
});

function onHost(argv: string[]): Promise<Output> {
  return must(fleet.network.on(host, argv), { env });
}

/** As the documentation says for two kinds: `--out` in the place of `--out-dir`. */
async function hookOf(kind: Kind): Promise<string> {
  const { paths } = front;
  const { directory } = fleet.network;
  const text = await Deno.readTextFile(await exampleHook("acme.sh", { directory, paths }));
  const changed = text.replace(`--out-dir ${paths.certs}`, `--out ${fileOf(kind)}`);
  assert.notEqual(changed, text);
  const path = `${directory}/hook-${kind}`;
  await Deno.writeTextFile(path, changed, { mode: 0o755 });
  return path;
}

function fileOf(kind: Kind): string {
  return `${front.paths.certs}/${SERVICE}.pem.${kind}`;
}

/** The serial that a client gets which supports only this kind of key. It must be that of the file. */
async function served(kind: Kind): Promise<string> {
  const options = ["-sigalgs", KINDS[kind].sigalgs];
  const { serial } = await servedOn(fleet.network, { host, name: SERVICE, options });
  const pem = await Deno.readTextFile(fileOf(kind));
  const leaf = new X509Certificate(pem.slice(pem.indexOf("-----BEGIN CERTIFICATE-----")));
  assert.equal(serial.replace(/^0+/, ""), leaf.serialNumber.replace(/^0+/, ""), kind);
  assert.match(leaf.issuer, /Pebble Intermediate/);
  assert.equal(leaf.publicKey.asymmetricKeyType, kind === "rsa" ? "rsa" : "ec");
  return serial;
}

const both = async () => [await served("ecdsa"), await served("rsa")];

Deno.test({
  name: "acme.sh orders an ECC certificate, an RSA one beside it, and HAProxy serves both",
  ignore: missing,
  async fn() {
    const webroot = webrootOf(fleet.network, "acme.sh");
    for (const [kind, { keylength, domains }] of Object.entries(KINDS)) {
      await onHost([
        ...[...acmeSh, "--issue", "--webroot", webroot, ...keylength],
        ...domains.flatMap((name) => ["-d", name]),
        ...["--reloadcmd", await hookOf(kind as Kind)],
      ]);
      await served(kind as Kind);
    }
    assert.equal(new Set(await both()).size, 2);
    assert.deepEqual(await authority.failedValidations(), []);
  },
});

Deno.test({
  name: "acme.sh --cron orders nothing before its time, and renews both kinds when told to",
  ignore: missing,
  async fn() {
    const worker = await front.worker();
    const before = await both();
    for (let run = 0; run < 3; run++) {
      const { stdout } = await onHost([...acmeSh, "--cron"]);
      assert.equal(stdout.match(/Skipping\. Next renewal time is/g)?.length, 2, stdout);
    }
    assert.deepEqual(await both(), before);
    await onHost([...acmeSh, "--cron", "--force"]);
    const after = await both();
    assert.ok(after.every((serial) => !before.includes(serial)), `${before} ${after}`);
    assert.deepEqual(await authority.failedValidations(), []);
    assert.equal(await front.worker(), worker, "HAProxy is another process now");
  },
});
