/**
 * What the pages of the documentation take for granted: the source document's three balancers with
 * their virtual addresses, with acme-lb, its configuration and HAProxy, or, for the page on
 * migrating, with nginx; an operator's own machine in the checkout; and Let's Encrypt, which is
 * pebble behind the name and the directory of Let's Encrypt, trusted only by these machines.
 */

import assert from "node:assert/strict";
import { issue, type Issued } from "../cert/issue.ts";
import { executableCache, executablePath } from "../executable.ts";
import {
  BALANCERS,
  inBothFamilies,
  keepers,
  SERVED_ADDRESSES,
  VIRTUAL_ADDRESSES,
} from "./cluster.ts";
import { CA_ADDRESS } from "./fleet.ts";
import { LETS_ENCRYPT, startLetsEncrypt, startResolver } from "./lets_encrypt.ts";
import { connectMachines, type Machine, startMachine } from "./machine.ts";
import { createNetwork } from "./network.ts";

const SERVICE = "service.example";

const CHECKOUT = new URL("../../", import.meta.url).pathname;

export interface World extends AsyncDisposable {
  /** Scratch directory. */
  directory: string;
  checkout: string;
  /** For every command. */
  env: Record<string, string>;
  machine(name: string): Machine;
}

/** The world in which the commands of a page begin. */
export async function startWorld(page: string): Promise<World> {
  const network = await createNetwork({
    ...BALANCERS,
    you: { ipv6: "2001:db8::cafe", ipv4: "192.0.2.101" },
    ca: { ipv6: CA_ADDRESS, ipv4: "192.0.2.100" },
  }, { names: { [SERVICE]: VIRTUAL_ADDRESSES, [LETS_ENCRYPT]: [CA_ADDRESS] } });
  try {
    if (!FROM_NOTHING.includes(page)) {
      await network.place(inBothFamilies(keepers(Object.keys(BALANCERS).map(network.host))));
    }
    const balancers = await Promise.all(
      Object.keys(BALANCERS).map((name) => startMachine(network, network.host(name))),
    );
    const you = await startMachine(network, network.host("you"));
    await connectMachines(you, balancers);
    const machines = [you, ...balancers];
    await startResolver(network, { machines, names: { [SERVICE]: SERVED_ADDRESSES } });
    if (WITH_CA.includes(page)) {
      await startLetsEncrypt(network, { machines, names: { [SERVICE]: VIRTUAL_ADDRESSES } });
    }
    const world: World = {
      directory: network.directory,
      checkout: CHECKOUT,
      // Unpacked once, outside the machines.
      env: { ACME_LB_CACHE: executableCache() },
      machine(name) {
        const machine = machines.find(({ host }) => host.name === name);
        assert.ok(machine, `there is no machine ${name}`);
        return machine;
      },
      [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
    };
    const prepare = PREPARATIONS[page] ?? withAcmeLb;
    await Promise.all(balancers.map((machine) => prepare(machine, world)));
    return world;
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}

/** The pages that begin with nothing of acme-lb, and start keepalived. */
const FROM_NOTHING = ["docs/operations.md", "docs/quickstart.md"];

/** Pages that order certificates. */
const WITH_CA = ["docs/clients.md", ...FROM_NOTHING];

type Preparation = (machine: Machine, world: World) => Promise<void>;

const PREPARATIONS: Record<string, Preparation> = {
  "docs/migrating-from-nginx.md": withNginx,
  "examples/monitoring/README.md": async (machine, world) => {
    await withAcmeLb(machine, world);
    await must(machine, world, [
      "mkdir -p /var/lib/prometheus/node-exporter",
      "cd /root && acme-lb assemble-pem --key privkey.pem --fullchain fullchain.pem " +
      "--out /etc/haproxy/certs/service.example.pem",
    ]);
  },
  ...Object.fromEntries(FROM_NOTHING.map((page): [string, Preparation] => [
    page,
    async (machine) => {
      await withHaproxy(machine);
    },
  ])),
};

async function withNginx(machine: Machine, world: World): Promise<void> {
  const nginx = await Deno.readTextFile(`${CHECKOUT}examples/nginx-migration/nginx.conf`);
  await machine.write("/etc/nginx/nginx.conf", nginx);
  await must(machine, world, [
    "mkdir -p /run/acme/acme-challenge",
    "systemctl start nginx",
  ]);
}

/** What the operator of the backends has given; the authority of that. */
async function withHaproxy(machine: Machine): Promise<Issued> {
  const ca = await issue({ ca: true, names: [], commonName: "Example CA" });
  await machine.write("/etc/haproxy/backend-ca.pem", ca.pem);
  return ca;
}

async function withAcmeLb(machine: Machine, world: World): Promise<void> {
  const config = await Deno.readTextFile(`${CHECKOUT}examples/article/config.yaml`);
  const ca = await withHaproxy(machine);
  const leaf = await issue({ issuer: ca });
  await machine.write("/etc/acme-lb/config.yaml", config);
  await machine.write("/root/config.yaml", config);
  await machine.write("/root/privkey.pem", leaf.key.pem, { mode: 0o600 });
  await machine.write("/root/fullchain.pem", leaf.pem + ca.pem);
  await must(machine, world, [
    `cp ${await executablePath()} /usr/local/bin/acme-lb`,
    "mkdir -p /run/acme/acme-challenge /etc/haproxy/certs",
    "acme-lb self-signed --name service.example --out /etc/haproxy/certs/service.example.pem",
    "acme-lb render haproxy --root / --force",
    "systemctl start acme-lb haproxy",
  ]);
}

async function must(machine: Machine, { env }: World, lines: string[]): Promise<void> {
  for (const line of lines) await machine.must(line, { env });
}
