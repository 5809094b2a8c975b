/**
 * The hooks of examples/, with the paths of a test in place of an operator's, and the HAProxy that
 * they tell of a certificate.
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { executableCache, executablePath } from "../executable.ts";
import { type Daemon, eventually, startDaemon, tail } from "./daemon.ts";
import { type Host, type Network } from "./network.ts";
import { SEARCH_PATH } from "./requirements.ts";

/** What the examples say, and what a test puts there. */
export interface HookPaths {
  certs: string;
  socket: string;
  config: string;
}

/** An example's hook with the paths replaced; its path. */
export async function exampleHook(
  name: string,
  { directory, paths }: { directory: string; paths: HookPaths },
): Promise<string> {
  const source = new URL(`../../examples/hooks/${name}`, import.meta.url);
  const text = await Deno.readTextFile(source);
  const moved = text
    .replaceAll("/etc/haproxy/certs", paths.certs)
    .replaceAll("/run/haproxy/admin.sock", paths.socket)
    .replaceAll("acme-lb challenge", `acme-lb --config ${paths.config} challenge`);
  assert.notEqual(moved, text, `${name} names none of the paths`);
  const path = `${directory}/hook-${name}`;
  await Deno.writeTextFile(path, moved, { mode: 0o755 });
  return path;
}

/** An environment in which `acme-lb` is the executable under test. */
export async function hookEnvironment(): Promise<Record<string, string>> {
  return {
    PATH: `${dirname(await executablePath())}:${SEARCH_PATH}`,
    ACME_LB_CACHE: executableCache(),
  };
}

export interface Front extends AsyncDisposable {
  daemon: Daemon;
  paths: HookPaths;
  /** Serial and number of certificates that a client of this name is shown. */
  served(name: string): Promise<{ serial: string; certificates: number }>;
  /** Of its runtime API's `show info`: process id, and how many workers it had. */
  worker(): Promise<string>;
}

/** HAProxy on port 443 of the host, with the certificates of `paths.certs`. */
export async function startFront(
  network: Network,
  { host, paths }: { host: Host; paths: HookPaths },
): Promise<Front> {
  const config = `${network.directory}/haproxy-${host.name}.cfg`;
  await Deno.writeTextFile(
    config,
    `global
  stats socket ${paths.socket} mode 600 level admin
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 1s
frontend service
  bind [::]:443 v4v6 ssl crt ${paths.certs}
  http-request return status 200
`,
  );
  const log = `${network.directory}/haproxy-${host.name}.log`;
  const daemon = await startDaemon(network.on(host, ["haproxy", "-db", "-f", config]), { log });
  const front: Front = {
    daemon,
    paths,
    served: (name) => servedOn(network, { host, name }),
    async worker() {
      const connection = await Deno.connect({ transport: "unix", path: paths.socket });
      await connection.write(new TextEncoder().encode("show info\n"));
      const info = await new Response(connection.readable).text();
      return /^Pid: \d+$/m.exec(info)![0];
    },
    async [Symbol.asyncDispose]() {
      await daemon.stop();
    },
  };
  try {
    await eventually(() => front.worker().catch(() => undefined), {
      what: () => "HAProxy's socket",
      deadline: 120_000,
    });
  } catch (error) {
    await daemon.stop();
    throw new Error(await tail(log), { cause: error });
  }
  return front;
}

/** Serial and number of certificates that a client of this name is shown on the host's port 443. */
export async function servedOn(
  network: Network,
  { host, name, options = [] }: { host: Host; name: string; options?: string[] },
): Promise<{ serial: string; certificates: number }> {
  const target = `[${host.ipv6}]:443`;
  const { stdout, stderr } = await network.run(host, [
    ...["openssl", "s_client", "-connect", target, "-servername", name, "-showcerts"],
    ...options,
  ], { deadline: 60_000 });
  const blocks = stdout.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  assert.ok(blocks, `no certificate for ${name}: ${stderr}`);
  return { serial: await serialOf(blocks[0]!), certificates: blocks.length };
}

/** Upper-case hexadecimal, as openssl prints it. */
export async function serialOf(pem: string): Promise<string> {
  const child = new Deno.Command("openssl", {
    args: ["x509", "-noout", "-serial"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(pem));
  await writer.close();
  const { stdout } = await child.output();
  return new TextDecoder().decode(stdout).trim().replace("serial=", "");
}
