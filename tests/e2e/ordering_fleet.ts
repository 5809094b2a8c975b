/**
 * Three balancers whose HAProxys order by themselves: on each, the example's configuration file with
 * `challenge.solvers`, acme-lb on port 80, and HAProxy with what `acme-lb render haproxy --acme`
 * makes of it.
 */

import assert from "node:assert/strict";
import { issue } from "../cert/issue.ts";
import { executableCache, executablePath } from "../executable.ts";
import type { Authority } from "./authority.ts";
import { BALANCERS, SERVED_ADDRESSES } from "./cluster.ts";
import { eventually, tail } from "./daemon.ts";
import { CA_ADDRESS, NAMES } from "./fleet.ts";
import { servedOn } from "./hooks.ts";
import { LETS_ENCRYPT, startLetsEncrypt, startResolver } from "./lets_encrypt.ts";
import { type Machine, startMachine } from "./machine.ts";
import { createNetwork, type Network, type Output } from "./network.ts";

const EXAMPLE = new URL("../../examples/article/config.yaml", import.meta.url);
const HAPROXY = "/etc/haproxy/haproxy.cfg";
const SAVING = "/etc/systemd/system/acme-lb-save-haproxy.service";
const [FIRST] = Object.keys(NAMES) as [string];
/** As `render` calls it. */
const CERTIFICATE = `@acme-lb/${FIRST}`;

export interface OrderingBalancer {
  name: string;
  machine: Machine;
  /** Runs a line of shell there, and fails if it does. */
  must(line: string): Promise<Output>;
  /** The file as the machine sees it. */
  path(path: string): string;
  /** Has HAProxy order at once, and waits until it has what it ordered; the serial. */
  order(): Promise<string>;
  /** What a client is shown. */
  served(): Promise<string>;
  /** Runs what the rendered timer runs. */
  save(): Promise<Output>;
  /** Puts other text into haproxy.cfg, and reloads HAProxy. */
  configure(change: (text: string) => string): Promise<void>;
  /** What acme-lb has logged since its start. */
  log(): Promise<string>;
}

export interface OrderingFleet extends AsyncDisposable {
  network: Network;
  authority: Authority;
  balancers: OrderingBalancer[];
  /** The ends of all logs. */
  logs(): Promise<string>;
}

/** With acme-lb, and without HAProxy, which can be started by `systemctl`. */
export async function startOrderingFleet(): Promise<OrderingFleet> {
  const network = await createNetwork({
    ...BALANCERS,
    ca: { ipv6: CA_ADDRESS, ipv4: "192.0.2.100" },
    user: { ipv6: "2001:db8::cafe", ipv4: "192.0.2.101" },
  }, { names: { ...NAMES, [LETS_ENCRYPT]: [CA_ADDRESS] } });
  try {
    const machines = await Promise.all(
      Object.keys(BALANCERS).map((name) => startMachine(network, network.host(name))),
    );
    const served = Object.keys(NAMES).map((name) => [name, SERVED_ADDRESSES]);
    const dns = { ...Object.fromEntries(served), [LETS_ENCRYPT]: [CA_ADDRESS] };
    await startResolver(network, { machines, names: dns });
    const authority = await startLetsEncrypt(network, { machines, names: NAMES });
    const ca = await issue({ ca: true, names: [], commonName: "Backends" });
    const balancers = machines.map((machine) => balancerOn(network, machine));
    await Promise.all(balancers.map((balancer) => setUp(balancer, ca.pem)));
    return {
      ...{ network, authority, balancers },
      async logs() {
        const units = ["acme-lb", "haproxy"].map((unit) => `/var/log/${unit}.unit.log`);
        const own = balancers.flatMap(({ path }) => units.map(path));
        const all = [...own, ...authority.daemons.map(({ log }) => log)];
        return (await Promise.all(all.map((log) => tail(log)))).join("\n");
      },
      [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
    };
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}

function balancerOn(network: Network, machine: Machine): OrderingBalancer {
  const { host } = machine;
  const path = (path: string) => `/proc/${machine.pid}/root${path}`;
  const must = (line: string) => machine.must(line, { env: { ACME_LB_CACHE: executableCache() } });
  const read = (file: string) => Deno.readTextFile(path(file));
  const tell = async (command: string) => {
    const socket = path("/run/haproxy/admin.sock");
    const connection = await Deno.connect({ transport: "unix", path: socket });
    await connection.write(new TextEncoder().encode(`${command}\n`));
    return await new Response(connection.readable).text();
  };
  const inMemory = async () => {
    // Not shown while HAProxy puts a certificate in place.
    const shown = await eventually(async () => {
      const text = await tell(`show ssl cert ${CERTIFICATE}`);
      return text.includes("currently locked!") ? undefined : text;
    }, { what: () => `HAProxy's memory on ${host.name}`, deadline: 60_000 });
    const [serial, issuer] = [/^Serial: (\w+)$/m, /^Issuer: (.+)$/m].map((line) =>
      line.exec(shown)
    );
    assert.ok(serial && issuer, shown);
    return { serial: serial[1]!, issuer: issuer[1]! };
  };
  return {
    ...{ name: host.name, machine, must, path },
    async order() {
      const before = await inMemory();
      const [, command] = /echo "(acme renew .+)" \|/.exec(await read(HAPROXY))!;
      await tell(command!);
      const fresh = await eventually(async () => {
        const now = await inMemory();
        return now.serial === before.serial ? undefined : now;
      }, { what: () => `a certificate for HAProxy on ${host.name}`, deadline: 120_000 });
      assert.match(fresh.issuer, /Pebble Intermediate/);
      return fresh.serial;
    },
    served: async () => (await servedOn(network, { host, name: FIRST })).serial,
    async save() {
      const unit = (await read(SAVING)).replaceAll("\\\n", "");
      return await must(/^ExecStart=(.+)$/m.exec(unit)![1]!);
    },
    async configure(change) {
      const old = await read(HAPROXY);
      const text = change(old);
      assert.notEqual(text, old);
      await machine.write(HAPROXY, text);
      await must("systemctl reload haproxy");
    },
    log: () => read("/var/log/acme-lb.unit.log"),
  };
}

async function setUp({ machine, must, path }: OrderingBalancer, backends: string): Promise<void> {
  const example = await Deno.readTextFile(EXAMPLE);
  const config = `${example.replace(/names: .+/, `names: [${Object.keys(NAMES).join(", ")}]`)}
challenge:
  solvers: ["127.0.0.1:31081"]
`;
  await machine.write("/etc/acme-lb/config.yaml", config);
  await machine.write("/etc/haproxy/backend-ca.pem", backends);
  await must(`ln -sfn ${await executablePath()} /usr/local/bin/acme-lb`);
  await must("install -d /run/acme/acme-challenge");
  // Debian's package has its own haproxy.cfg.
  await must("acme-lb render haproxy --acme --root / --force");
  await must(`sed -n '/^# and, once/q; s/^#   //p' ${HAPROXY} | sh -e`);
  // There is no syslog here, and HAProxy tells there what became of its orders.
  const text = await Deno.readTextFile(path(HAPROXY));
  await machine.write(HAPROXY, text.replace("log /dev/log local0", "log stdout format raw local0"));
  await must("systemctl start acme-lb");
}
