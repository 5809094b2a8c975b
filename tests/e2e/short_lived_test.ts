/**
 * Certificates of six days, with what `acme-lb render CLIENT` gives each client: ordered once,
 * and not renewed in ten more runs, because half of their lifetime has not passed. Clients that know
 * ACME Renewal Information (RFC 9773) renew before that when the CA asks for it.
 */

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { issue } from "../cert/issue.ts";
import { executableCache, executablePath } from "../executable.ts";
import type { Authority } from "./authority.ts";
import { BALANCERS } from "./cluster.ts";
import { tail } from "./daemon.ts";
import { CA_ADDRESS } from "./fleet.ts";
import { LETS_ENCRYPT, startLetsEncrypt, startResolver } from "./lets_encrypt.ts";
import { type Machine, startMachine } from "./machine.ts";
import { createNetwork, type Network } from "./network.ts";
import { lacking, NETWORK_PROGRAMS } from "./requirements.ts";

const EXAMPLE = new URL("../../examples/article/config.yaml", import.meta.url);
const SERVICE = "service.example";
const CERTIFICATE = `/etc/haproxy/certs/${SERVICE}.pem`;
/** The profile `shortlived` of Let's Encrypt. */
const LIFETIME_HOURS = 160;
const RUNS = 10;

const missing = lacking({
  for: "certificates of six days",
  root: true,
  programs: [
    ...NETWORK_PROGRAMS,
    ...["pebble", "pebble-challtestsrv", "openssl", "haproxy", "nginx", "nsenter"],
  ],
});

interface Client {
  /** Once, before it first runs. */
  before?: string;
  first: string;
  /** What its timer runs. */
  again: string;
  /** Succeeds where its version follows ACME Renewal Information. */
  followsRenewalInfo?: string;
}

const script = (client: string): Pick<Client, "first" | "again"> => ({
  first: `/etc/acme-lb/clients/${client}`,
  again: `/etc/acme-lb/clients/${client}`,
});

/** Its own rule is 30 days before the end; what docs/operations.md says of it. */
const CERTBOT_BEFORE_4_1 = `case $(certbot --version) in certbot\\ [0-3].* | certbot\\ 4.0.*)
  sed -i '1i renew_before_expiry = 80 hours' /etc/letsencrypt/renewal/${SERVICE}.conf ;; esac`;

const CLIENTS: Record<string, Client> = {
  acmetool: {
    before: "/etc/acme-lb/clients/acmetool",
    first: "acmetool --batch reconcile",
    again: "acmetool --batch reconcile",
  },
  certbot: {
    first: `certbot certonly -d ${SERVICE} && ${CERTBOT_BEFORE_4_1}`,
    again: "certbot renew --no-random-sleep-on-renew",
    // It has noted when to ask next, hours from now: as if they had passed.
    followsRenewalInfo:
      `case $(certbot --version) in certbot\\ [0-3].* | certbot\\ 4.0.*) exit 1 ;; esac
      sed -i /ari_retry_after/d /etc/letsencrypt/renewal/${SERVICE}.conf`,
  },
  dehydrated: { before: "dehydrated --register --accept-terms", ...script("dehydrated") },
  lego: { ...script("lego"), followsRenewalInfo: "lego renew --help | grep -q ari-disable" },
  "acme.sh": script("acme.sh"),
};

let network: Network;
let authority: Authority;
let machine: Machine;

Deno.test.beforeAll(async () => {
  if (missing) return;
  network = await createNetwork({
    lb0: BALANCERS.lb0!,
    ca: { ipv6: CA_ADDRESS, ipv4: "192.0.2.100" },
  }, { names: { [SERVICE]: [BALANCERS.lb0!.ipv6], [LETS_ENCRYPT]: [CA_ADDRESS] } });
  try {
    machine = await startMachine(network, network.host("lb0"));
    const names = { [SERVICE]: [BALANCERS.lb0!.ipv6] };
    const machines = [machine];
    await startResolver(network, { machines, names });
    authority = await startLetsEncrypt(network, {
      ...{ machines, names, lifetimeHours: LIFETIME_HOURS },
    });
    const example = await Deno.readTextFile(EXAMPLE);
    const config = example.replace(/^cluster:$/m, "$&\n  email: ops@service.example");
    await machine.write("/etc/acme-lb/config.yaml", config);
    const ca = await issue({ ca: true, names: [], commonName: "Backends" });
    await machine.write("/etc/haproxy/backend-ca.pem", ca.pem);
    await must(`ln -sfn ${await executablePath()} /usr/local/bin/acme-lb`);
    await must("install -d /run/acme/acme-challenge");
    await must("acme-lb render haproxy --root / --force");
    await must("sed -n 's/^#   //p' /etc/haproxy/haproxy.cfg | sh -e");
    await must("systemctl start acme-lb haproxy");
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
});

Deno.test.afterAll(async () => {
  await network?.[Symbol.asyncDispose]();
});

const environment = () => ({ env: { ACME_LB_CACHE: executableCache() } });

/** Runs a line of shell there, and fails if it does; its output. */
async function must(line: string): Promise<string> {
  return (await machine.must(line, environment())).stdout;
}

async function installed(): Promise<X509Certificate> {
  const pem = await Deno.readTextFile(`/proc/${machine.pid}/root${CERTIFICATE}`);
  return new X509Certificate(pem.slice(pem.indexOf("-----BEGIN CERTIFICATE-----")));
}

async function issuedSoFar(): Promise<number> {
  const output = await authority.daemons[1]!.output();
  return output.match(/Issued certificate serial/g)?.length ?? 0;
}

for (const [client, { before, first, again, followsRenewalInfo }] of Object.entries(CLIENTS)) {
  Deno.test({
    name: `${client}, as rendered, renews a certificate of six days not before its time`,
    ignore: missing || lacking({ for: `${client} and six days`, programs: [client] }),
    async fn(t) {
      try {
        await must(`acme-lb render ${client} --root / --force`);
        if (before) await must(before);
        const orders = await issuedSoFar();
        await must(first);
        const { serialNumber, validFromDate, validToDate } = await installed();
        const hours = (validToDate.getTime() - validFromDate.getTime()) / 3600_000;
        assert.ok(Math.abs(hours - LIFETIME_HOURS) < 2, `${hours} hours`);
        for (let run = 0; run < RUNS; run++) await must(again);
        assert.equal(await issuedSoFar() - orders, 1, "orders");
        const kept = await installed();
        assert.equal(kept.serialNumber, serialNumber);
        if (followsRenewalInfo === undefined) return;
        const asked = (await machine.sh(followsRenewalInfo, environment())).code === 0 &&
          await authority.suggestRenewal(kept.toString());
        await t.step({
          name: "and before its time when the CA asks for it",
          // The client or the CA is of a version that does not know RFC 9773.
          ignore: !asked,
          async fn() {
            await must(again);
            assert.equal(await issuedSoFar() - orders, 2, "orders");
            assert.notEqual((await installed()).serialNumber, serialNumber);
          },
        });
      } catch (error) {
        const logs = await Promise.all(authority.daemons.map(({ log }) => tail(log)));
        throw new Error(`${error}\n${logs.join("\n")}`, { cause: error });
      }
    },
  });
}
