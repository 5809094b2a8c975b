/**
 * Orders in the middle of it all: on each balancer lego obtains certificates, and its hook installs
 * them with assemble-pem on a disk so small that it can be filled. Whatever comes of an order, the
 * installed file is one certificate with its key, whole: the new one, or the one of before.
 */

import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { executablePath } from "../executable.ts";
import type { Authority } from "./authority.ts";
import { type Daemon, logged, startDaemon } from "./daemon.ts";
import { hookEnvironment } from "./hooks.ts";
import { execute, type Host, type Network } from "./network.ts";

export const SERVICE = "service.example";
/** lego's own limits are minutes; killed, it is one more client that ended in the middle. */
export const SHORT_PATIENCE_MS = 15_000;
/** For an order that is to succeed, however busy the machine is. */
export const LONG_PATIENCE_MS = 300_000;
/** One page for each of some files; a certificate with its chain and key takes two. */
const DISK = "128k";

const MOUNT = 'mkdir -p "$1" && mount -t tmpfs -o "size=$2" tmpfs "$1" && echo mounted && ' +
  "exec sleep infinity";

export class Orders {
  readonly #folder: string;
  readonly #disk: string;

  private constructor(
    private readonly network: Network,
    private readonly host: Host,
    private readonly authority: Authority,
    /** Its mount namespace is where the disk is. */
    private readonly keeper: Daemon,
  ) {
    this.#folder = `${network.directory}/${host.name}/lego`;
    this.#disk = `/proc/${keeper.pid}/root${diskOf(network, host)}`;
  }

  static async start(network: Network, host: Host, authority: Authority): Promise<Orders> {
    const argv = ["sh", "-c", MOUNT, "sh", diskOf(network, host), DISK];
    const log = `${network.directory}/${host.name}-disk.log`;
    const keeper = await startDaemon(network.on(host, argv), { log });
    await logged(keeper, /^mounted$/m);
    const orders = new Orders(network, host, authority, keeper);
    await Deno.mkdir(orders.#folder);
    await Deno.writeTextFile(`${orders.#folder}/hook`, await hook(network, host), { mode: 0o755 });
    return orders;
  }

  /** No further page can be written. */
  async fillDisk(): Promise<void> {
    await execute(["sh", "-c", 'head -c 1M /dev/zero >"$1"', "sh", `${this.#disk}/filler`]);
  }

  async emptyDisk(): Promise<void> {
    await Deno.remove(`${this.#disk}/filler`);
  }

  /** Orders while the CA asks `asked`, and kills the client after so long; whether the certificate was obtained and installed. */
  async order(asked: Host, patienceMs: number): Promise<boolean> {
    const before = await this.#installed();
    await this.authority.resolve(SERVICE, [asked.ipv6]);
    const { code, stdout, stderr } = await execute([
      ...[
        "nsenter",
        "--target",
        String(this.keeper.pid),
        "--mount",
        "--net",
        "--root",
        "--wd",
        "lego",
      ],
      ...["--server", this.authority.directory, "--accept-tos", "--email", "ops@service.example"],
      ...["--path", this.#folder, "--http", "--http.webroot", `${this.network.webroot}/local`],
      ...["-d", SERVICE, "run", "--run-hook", `${this.#folder}/hook`],
    ], {
      env: {
        ...await hookEnvironment(),
        HOME: this.#folder,
        LEGO_CA_CERTIFICATES: this.authority.trust,
      },
      deadline: patienceMs,
    });
    const installed = await this.#installed();
    const obtained = await Deno.readTextFile(`${this.#folder}/certificates/${SERVICE}.crt`)
      .then((pem) => new X509Certificate(pem).serialNumber)
      // None yet, or half of one: lego was killed while it wrote.
      .catch(() => undefined);
    const what = `${this.host.name}: ${stdout}${stderr}`;
    if (code === 0) assert.equal(installed, obtained, what);
    else assert.ok(installed === before || installed === obtained, what);
    return code === 0;
  }

  /** Serial of the installed certificate, which is whole; undefined when there is none yet. */
  async #installed(): Promise<string | undefined> {
    const pem = await Deno.readTextFile(`${this.#disk}/service.pem`).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
    if (pem === undefined) return undefined;
    const [key] = /-----BEGIN (\w+ )?PRIVATE KEY-----[^-]+-----END (\w+ )?PRIVATE KEY-----\n/
      .exec(pem) ?? [];
    assert.ok(key, `${this.host.name}: ${pem.length} characters without a key`);
    const leaf = new X509Certificate(pem.slice(pem.indexOf("-----BEGIN CERTIFICATE-----")));
    assert.ok(leaf.checkPrivateKey(createPrivateKey(key)), `${this.host.name}: not its key`);
    return leaf.serialNumber;
  }
}

const diskOf = ({ directory }: Network, { name }: Host) => `${directory}/${name}/disk`;

async function hook(network: Network, host: Host): Promise<string> {
  const target = `${diskOf(network, host)}/service.pem`;
  return `#!/bin/sh\nexec ${await executablePath()} assemble-pem --hook lego --out ${target}\n`;
}
