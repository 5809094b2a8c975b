/**
 * Let's Encrypt for the machines of a network, and their DNS: pebble behind the name and the
 * directory of Let's Encrypt, trusted only by these machines, so that commands and rendered files
 * for Let's Encrypt work unchanged.
 */

import assert from "node:assert/strict";
import { type Authority, nameServer, startAuthority } from "./authority.ts";
import { eventually, logged, startDaemon } from "./daemon.ts";
import { CA_ADDRESS } from "./fleet.ts";
import { type Machine, startMachine } from "./machine.ts";
import type { Network } from "./network.ts";

export const LETS_ENCRYPT = "acme-v02.api.letsencrypt.org";

/** What pebble says of itself by that name, with the terms of service of Let's Encrypt. */
async function directoryOf(network: Network): Promise<string> {
  const { stdout } = await network.run(network.host("ca"), [
    ...["curl", "-fsSk", "--max-time", "30", "-H", `Host: ${LETS_ENCRYPT}`],
    "https://[::1]:14000/dir",
  ]);
  const termsOfService = "https://letsencrypt.org/documents/LE-SA-v1.5.pdf";
  return JSON.stringify({ ...JSON.parse(stdout), meta: { termsOfService } });
}

/** On the network's host `ca`; `names` have these IPv6 addresses for it, the first is asked. */
export async function startLetsEncrypt(
  network: Network,
  { machines, names, lifetimeHours }: {
    machines: Machine[];
    names: Record<string, string[]>;
    lifetimeHours?: number;
  },
): Promise<Authority> {
  const host = network.host("ca");
  const authority = await startAuthority(network, { host, name: LETS_ENCRYPT, lifetimeHours });
  for (const [name, addresses] of Object.entries(names)) await authority.resolve(name, addresses);
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
      return 200 '${await directoryOf(network)}';
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
  return authority;
}

/** A name server for what asks the DNS and not the hosts file, as self-test and the CA do. */
export async function startResolver(
  network: Network,
  { machines, names }: { machines: Machine[]; names: Record<string, string[]> },
): Promise<void> {
  const host = network.host("ca");
  const management = "[::1]:8056";
  const resolver = await startDaemon(
    network.on(host, await nameServer({ management, address: `[${CA_ADDRESS}]:53` })),
    { log: `${network.directory}/resolver.log` },
  );
  await logged(resolver, /Starting management server/);
  for (const [name, all] of Object.entries(names)) {
    for (const kind of ["aaaa", "a"]) {
      const addresses = all.filter((address) => address.includes(":") === (kind === "aaaa"));
      if (addresses.length === 0) continue;
      await eventually(async () => {
        const { code } = await network.run(host, [
          ...["curl", "-fsS", "--max-time", "5", `http://${management}/add-${kind}`, "-d"],
          JSON.stringify({ host: name, addresses }),
        ]);
        return code === 0 || undefined;
      }, { what: () => "the name server", deadline: 120_000 });
    }
  }
  for (const machine of machines) {
    await machine.write("/etc/resolv.conf", `nameserver ${CA_ADDRESS}\n`);
  }
}
