/**
 * Each ACME client as an operator would run it with a webroot: one function per client, every one
 * with a new state directory, so that an order starts from a new account.
 */

import { type Host, type Network, type Output } from "./network.ts";

export interface Order {
  network: Network;
  /** The balancer that orders. */
  host: Host;
  /** Where the client plants its challenges, as the host sees it. */
  webroot: string;
  /** Where it listens for them instead, if it can. */
  solver?: { address: string; port: string };
  /** The certificate's names, first the one it is filed under. */
  names: string[];
  /** Where the client keeps what it has; empty at first. */
  state: string;
  /** ACME directory. */
  directory: string;
  /** PEM file with which the directory's own certificate is checked. */
  trust: string;
  /** Program that the client runs when it has a certificate. @default none */
  hook?: string;
  /** More of the client's environment. */
  env?: Record<string, string>;
}

export interface Issued extends Output {
  /** Where the client puts the certificate with its chain. */
  certificate: string;
}

export type Client = (order: Order) => Promise<Issued>;

/** Guards against a client that hangs; each issues within seconds, on a busy machine in minutes. */
const DEADLINE = 600_000;

async function lego(order: Order): Promise<Issued> {
  const { network, host, webroot, solver, names, state, directory, trust, hook, env } = order;
  const how = solver
    ? ["--http.port", `${solver.address}:${solver.port}`]
    : ["--http.webroot", webroot];
  const output = await network.run(host, [
    ...["lego", "--server", directory, "--accept-tos", "--email", "ops@service.example"],
    ...["--path", state, "--http", ...how],
    ...names.flatMap((name) => ["-d", name]),
    ...["run", ...hook ? ["--run-hook", hook] : []],
  ], { env: { HOME: state, LEGO_CA_CERTIFICATES: trust, ...env }, deadline: DEADLINE });
  return { ...output, certificate: `${state}/certificates/${names[0]}.crt` };
}

async function certbot(order: Order): Promise<Issued> {
  const { network, host, webroot, solver, names, state, directory, trust, hook, env } = order;
  const how = solver
    ? ["--standalone", "--http-01-address", solver.address, "--http-01-port", solver.port]
    : ["--webroot", "-w", webroot];
  const output = await network.run(host, [
    ...["certbot", "certonly", "-n", "--agree-tos", "--register-unsafely-without-email"],
    ...["--server", directory, ...how, "--cert-name", names[0]!],
    ...["--config-dir", `${state}/config`, "--work-dir", `${state}/work`],
    ...["--logs-dir", `${state}/logs`],
    ...names.flatMap((name) => ["-d", name]),
    ...hook ? ["--deploy-hook", hook] : [],
  ], { env: { HOME: state, REQUESTS_CA_BUNDLE: trust, ...env }, deadline: DEADLINE });
  return { ...output, certificate: `${state}/config/live/${names[0]}/fullchain.pem` };
}

async function dehydrated(order: Order): Promise<Issued> {
  const { network, host, webroot, names, state, directory, trust, hook, env } = order;
  const config = `${state}/config`;
  await Deno.writeTextFile(
    config,
    [
      `CA=${directory}`,
      `BASEDIR=${state}`,
      `WELLKNOWN=${webroot}`,
      `CURL_OPTS="--cacert ${trust}"`,
      "CHALLENGETYPE=http-01",
      ...hook ? [`HOOK=${hook}`] : [],
      "",
    ].join("\n"),
  );
  const options = { env: { HOME: state, ...env }, deadline: DEADLINE };
  const command = ["dehydrated", "--config", config];
  const certificate = `${state}/certs/${names[0]}/fullchain.pem`;
  const registered = await network.run(host, [...command, "--register", "--accept-terms"], options);
  if (registered.code !== 0) return { ...registered, certificate };
  const wanted = ["-c", ...names.flatMap((name) => ["-d", name])];
  return { ...await network.run(host, [...command, ...wanted], options), certificate };
}

/** Fetches its own challenge first, by name: from whichever balancer the hosts file leads to. */
async function acmetool(order: Order): Promise<Issued> {
  const { network, host, webroot, names, state, directory, trust, hook, env } = order;
  await Deno.mkdir(`${state}/conf`, { recursive: true });
  // Not in the state directory, where acmetool makes every file non-executable.
  const hooks = `${state}.hooks`;
  await Deno.mkdir(hooks);
  if (hook) await Deno.symlink(hook, `${hooks}/acme-lb`);
  await Deno.writeTextFile(
    `${state}/conf/target`,
    [
      "request:",
      `  provider: ${directory}`,
      "  key:",
      "    type: ecdsa",
      "  challenge:",
      "    webroot-paths:",
      `      - ${webroot}`,
      "",
    ].join("\n"),
  );
  const answers = `${state}/answers`;
  await Deno.writeTextFile(
    answers,
    [
      '"acme-enter-email": ops@service.example',
      '"acme-agreement:https://": true',
      '"acme-agreement:data:text/plain,Do%20what%20thou%20wilt": true',
      "",
    ].join("\n"),
  );
  const output = await network.run(host, [
    ...["acmetool", "--state", state, "--hooks", hooks, "--batch"],
    ...["--response-file", answers, "--xlog.severity=debug", "want", ...names],
  ], { env: { HOME: state, SSL_CERT_FILE: trust, ...env }, deadline: DEADLINE });
  return { ...output, certificate: `${state}/live/${names[0]}/fullchain` };
}

/** An ECC key, as is its default; {@link Order.hook} is its --reloadcmd. */
async function acmeSh(order: Order): Promise<Issued> {
  const { network, host, webroot, names, state, directory, trust, hook, env } = order;
  const output = await network.run(host, [
    ...["acme.sh", "--issue", "--server", directory, "--ca-bundle", trust, "--home", state],
    ...["--config-home", state, "--accountemail", "ops@service.example", "--webroot", webroot],
    ...names.flatMap((name) => ["-d", name]),
    ...hook ? ["--reloadcmd", hook] : [],
  ], { env: { HOME: state, ...env }, deadline: DEADLINE });
  return { ...output, certificate: `${state}/${names[0]}_ecc/fullchain.cer` };
}

/** By the name of the client's program. */
export const CLIENTS: Record<string, Client> = {
  acmetool,
  lego,
  certbot,
  dehydrated,
  "acme.sh": acmeSh,
};
