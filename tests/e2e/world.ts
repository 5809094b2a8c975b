/**
 * What the pages of the documentation take for granted: the source document's three balancers with
 * their virtual addresses, with acme-lb, its configuration and HAProxy, or, for the page on
 * migrating, with nginx; an operator's own machine in the checkout; and Let's Encrypt, which is
 * pebble behind the name and the directory of Let's Encrypt, trusted by these machines alone.
 */

import assert from "node:assert/strict";
import { issue, type Issued } from "../cert/issue.ts";
import { executableCache, executablePath } from "../executable.ts";
import { type Authority, nameServer, startAuthority } from "./authority.ts";
import { BALANCERS, keepers, VIRTUAL_ADDRESSES } from "./cluster.ts";
import { connectMachines, type Machine, startMachine } from "./machine.ts";
import { eventually, logged, startDaemon } from "./daemon.ts";
import { createNetwork, type Host, type Network } from "./network.ts";

const LETS_ENCRYPT = "acme-v02.api.letsencrypt.org";
const CA_ADDRESS = "2001:db8::ca";

const inIpv4 = (address: string) => address.replace("2001:db8::", "192.0.2.");
/** What the DNS says of the service. */
const SERVED = [...VIRTUAL_ADDRESSES, ...VIRTUAL_ADDRESSES.map(inIpv4)];

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
  }, { names: { "service.example": VIRTUAL_ADDRESSES, [LETS_ENCRYPT]: [CA_ADDRESS] } });
  try {
    if (!FROM_NOTHING.includes(page)) await placeAddresses(network);
    const balancers = await Promise.all(
      Object.keys(BALANCERS).map((name) => startMachine(network, network.host(name))),
    );
    const you = await startMachine(network, network.host("you"));
    await connectMachines(you, balancers);
    const machines = [you, ...balancers];
    await startResolver(network, machines);
    if (WITH_CA.includes(page)) await startLetsEncrypt(network, machines);
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

/** Pebble's own addresses, under the paths and the terms of service of Let's Encrypt. */
const DIRECTORY = JSON.stringify({
  newNonce: `https://${LETS_ENCRYPT}/nonce-plz`,
  newAccount: `https://${LETS_ENCRYPT}/sign-me-up`,
  newOrder: `https://${LETS_ENCRYPT}/order-plz`,
  revokeCert: `https://${LETS_ENCRYPT}/revoke-cert`,
  keyChange: `https://${LETS_ENCRYPT}/rollover-account-key`,
  meta: { termsOfService: "https://letsencrypt.org/documents/LE-SA-v1.5.pdf" },
});

async function startLetsEncrypt(network: Network, machines: Machine[]): Promise<void> {
  const host = network.host("ca");
  const authority: Authority = await startAuthority(network, { host, name: LETS_ENCRYPT });
  await authority.resolve("service.example", VIRTUAL_ADDRESSES);
  const front = await startMachine(network, host);
  await front.write("/etc/nginx/tls.crt", await Deno.readTextFile(authority.trust));
  await front.write(
    "/etc/nginx/tls.key",
    await Deno.readTextFile(authority.trust.replace(/crt$/, "key")),
  );
  await front.write(
    "/etc/nginx/nginx.conf",
    `events {}
http {
  server {
    # The second for the stand-in, which waits for it.
    listen [::]:443 ssl;
    listen [::]:80;
    ssl_certificate /etc/nginx/tls.crt;
    ssl_certificate_key /etc/nginx/tls.key;
    location = /directory {
      default_type application/json;
      return 200 '${DIRECTORY}';
    }
    location / {
      proxy_pass https://[::1]:14000;
      proxy_set_header Host $host;
    }
  }
}
`,
  );
  const started = await front.sh("systemctl start nginx");
  assert.equal(started.code, 0, started.stdout);
  const bundle = "/etc/ssl/certs/ca-certificates.crt";
  const trusted = await Deno.readTextFile(bundle) + await Deno.readTextFile(authority.trust);
  for (const machine of machines) await machine.write(bundle, trusted);
}

/** A name server for what asks the DNS and not the hosts file, as self-test and the CA do. */
async function startResolver(network: Network, machines: Machine[]): Promise<void> {
  const host = network.host("ca");
  const management = "[::1]:8056";
  const resolver = await startDaemon(
    network.on(host, await nameServer({ management, address: `[${CA_ADDRESS}]:53` })),
    { log: `${network.directory}/resolver.log` },
  );
  await logged(resolver, /Starting management server/);
  for (const kind of ["aaaa", "a"]) {
    const addresses = SERVED.filter((address) => address.includes(":") === (kind === "aaaa"));
    await eventually(async () => {
      const { code } = await network.run(host, [
        ...["curl", "-fsS", "--max-time", "5", `http://${management}/add-${kind}`, "-d"],
        JSON.stringify({ host: "service.example", addresses }),
      ]);
      return code === 0 || undefined;
    }, { what: () => "the name server", deadline: 120_000 });
  }
  for (const machine of machines) {
    await machine.write("/etc/resolv.conf", `nameserver ${CA_ADDRESS}\n`);
  }
}

/** Where keepalived would have them when all is well, in both families. */
async function placeAddresses(network: Network): Promise<void> {
  const ipv6 = keepers(Object.keys(BALANCERS).map(network.host));
  const ipv4 = [...ipv6].map(([address, host]): [string, Host] => [inIpv4(address), host]);
  await network.place(new Map([...ipv6, ...ipv4]));
}

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

async function must({ sh, host }: Machine, { env }: World, lines: string[]): Promise<void> {
  for (const line of lines) {
    const { code, stdout } = await sh(line, { env });
    assert.equal(code, 0, `${host.name}: ${line}: ${stdout}`);
  }
}
