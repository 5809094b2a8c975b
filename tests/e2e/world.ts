/**
 * What the pages of the documentation take for granted: the source document's three balancers,
 * with acme-lb, its configuration and HAProxy; or, for the page on migrating, with nginx; and an
 * operator's own machine in the checkout.
 */

import assert from "node:assert/strict";
import { issue } from "../cert/issue.ts";
import { executablePath } from "../executable.ts";
import { BALANCERS } from "./cluster.ts";
import { connectMachines, type Machine, startMachine } from "./machine.ts";
import { createNetwork } from "./network.ts";

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
  }, { names: { "service.example": ["2001:db8::1", "2001:db8::2", "2001:db8::3"] } });
  try {
    const balancers = await Promise.all(
      Object.keys(BALANCERS).map((name) => startMachine(network, network.host(name))),
    );
    const you = await startMachine(network, network.host("you"));
    await connectMachines(you, balancers);
    const machines = [you, ...balancers];
    const world: World = {
      directory: network.directory,
      checkout: CHECKOUT,
      // Unpacked once, outside the machines.
      env: { ACME_LB_CACHE: Deno.env.get("ACME_LB_CACHE") ?? `${CHECKOUT}dist/cache` },
      machine(name) {
        const machine = machines.find(({ host }) => host.name === name);
        assert.ok(machine, `there is no machine ${name}`);
        return machine;
      },
      [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
    };
    const prepare = PREPARATIONS[page] ?? withAcmeLb;
    for (const machine of balancers) await prepare(machine, world);
    return world;
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}

type Preparation = (machine: Machine, world: World) => Promise<void>;

const PREPARATIONS: Record<string, Preparation> = {
  "docs/migrating-from-nginx.md": withNginx,
};

async function withNginx(machine: Machine, world: World): Promise<void> {
  const nginx = await Deno.readTextFile(`${CHECKOUT}examples/nginx-migration/nginx.conf`);
  await machine.write("/etc/nginx/nginx.conf", nginx);
  await must(machine, world, [
    "mkdir -p /run/acme/acme-challenge",
    "systemctl start nginx",
  ]);
}

async function withAcmeLb(machine: Machine, world: World): Promise<void> {
  const config = await Deno.readTextFile(`${CHECKOUT}examples/article/config.yaml`);
  const ca = await issue({ ca: true, names: [], commonName: "Example CA" });
  const leaf = await issue({ issuer: ca });
  await machine.write("/etc/acme-lb/config.yaml", config);
  await machine.write("/etc/haproxy/backend-ca.pem", ca.pem);
  await machine.write("/root/config.yaml", config);
  await machine.write("/root/privkey.pem", leaf.key.pem, { mode: 0o600 });
  await machine.write("/root/fullchain.pem", leaf.pem + ca.pem);
  await must(machine, world, [
    `cp ${await executablePath()} /usr/local/bin/acme-lb`,
    "mkdir -p /run/acme/acme-challenge /etc/haproxy/certs",
    "acme-lb self-signed --name service.example --out /etc/haproxy/certs/service.example.pem",
    `acme-lb render haproxy --node ${machine.host.name} --root /`,
    "systemctl start acme-lb haproxy",
  ]);
}

async function must({ sh, host }: Machine, { env }: World, lines: string[]): Promise<void> {
  for (const line of lines) {
    const { code, stdout } = await sh(line, { env });
    assert.equal(code, 0, `${host.name}: ${line}: ${stdout}`);
  }
}
