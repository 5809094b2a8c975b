/**
 * A real certificate authority (pebble) and its view of the DNS (pebble-challtestsrv) on one host.
 *
 * Pebble validates three times at once, each time only over the first AAAA record, in the order
 * of the answer (va.resolveIP in pebble 2.4.0). So the order of a name's records decides which
 * balancer its validation lands on.
 */

import { type Daemon, eventually, startDaemon } from "./daemon.ts";
import { execute, type Host, type Network } from "./network.ts";

export interface Authority extends AsyncDisposable {
  /** The ACME directory. */
  directory: string;
  /** PEM file that a client must trust to talk to the directory. */
  trust: string;
  daemons: Daemon[];
  /** Which addresses a name has, first the one that validation will use. */
  resolve(name: string, addresses: string[]): Promise<void>;
  /**
   * How many authorizations pebble has made, each of which it validates. It reuses a valid one of
   * the same account and name in one case of a hundred, also with PEBBLE_AUTHZREUSE=0
   * (`rand.Intn(100) > 0` decides), and then asks nobody.
   */
  authorizations(): Promise<number>;
  /** What pebble logged about each validation that failed. */
  failedValidations(): Promise<string[]>;
  /**
   * Asks for the certificate's renewal within the last hour (RFC 9773); false where this pebble
   * cannot.
   */
  suggestRenewal(certificate: string): Promise<boolean>;
}

export interface AuthorityOptions {
  host: Host;
  /** The name under which the clients reach the directory. */
  name: string;
  /** How many percent of good nonces are refused. @default 0 */
  rejectedNonces?: number;
  /** Of the certificates, in hours. @default pebble's own, years */
  lifetimeHours?: number;
}

const MANAGEMENT = "http://[::1]:8055";
const RESOLVER = "[::1]:8053";

/** The command line of pebble's name server; pebble 2.10 has renamed the option for its address. */
export async function nameServer(
  { management, address }: { management: string; address: string },
): Promise<string[]> {
  const { stdout, stderr } = await execute(["pebble-challtestsrv", "-help"]);
  const options = new Set(
    [...`${stdout}${stderr}`.matchAll(/^ +-([\w-]+)/gm)].map(([, option]) => option!),
  );
  const off = ["http01", "https01", "tlsalpn01", "defaultIPv4", "defaultIPv6", "doh"]
    .filter((option) => options.has(option)).flatMap((option) => [`-${option}`, ""]);
  const dns = options.has("dnsserver") ? "-dnsserver" : "-dns01";
  return ["pebble-challtestsrv", "-management", management, dns, address, ...off];
}

/** Starts both, and waits until they answer. */
export async function startAuthority(
  network: Network,
  { host, name, rejectedNonces = 0, lifetimeHours }: AuthorityOptions,
): Promise<Authority> {
  const folder = `${network.directory}/${host.name}`;
  const certificate = `${folder}/directory.crt`;
  const key = `${folder}/directory.key`;
  await Deno.mkdir(folder, { recursive: true });
  await createCertificate({ name, certificate, key });
  const config = `${folder}/pebble.json`;
  await Deno.writeTextFile(
    config,
    JSON.stringify({
      pebble: {
        listenAddress: "[::]:14000",
        managementListenAddress: "[::1]:15000",
        certificate,
        privateKey: key,
        httpPort: 80,
        tlsPort: 443,
        ocspResponderURL: "",
        ...lifetimeHours === undefined ? {} : lifetime(lifetimeHours * 3600),
      },
    }),
  );

  const names = await startDaemon(
    network.on(host, await nameServer({ management: "[::1]:8055", address: RESOLVER })),
    { log: `${network.directory}/names.log` },
  );
  const pebble = await startDaemon(
    network.on(host, ["pebble", "-config", config, "-dnsserver", RESOLVER]),
    {
      log: `${network.directory}/pebble.log`,
      env: {
        PEBBLE_VA_NOSLEEP: "1",
        PEBBLE_AUTHZREUSE: "0",
        PEBBLE_WFE_NONCEREJECT: String(rejectedNonces),
      },
    },
  );

  const authority: Authority = {
    directory: `https://${name}:14000/dir`,
    trust: certificate,
    daemons: [names, pebble],
    async resolve(name, addresses) {
      // Cleared first, because new addresses are added to the old ones.
      for (const verb of ["clear", "add"]) {
        const body = JSON.stringify({ host: name, addresses });
        const { code, stderr } = await network.run(host, [
          ...["curl", "-fsS", "--max-time", "5", "-d", body, `${MANAGEMENT}/${verb}-aaaa`],
        ]);
        if (code !== 0) throw new Error(`pebble-challtestsrv: ${stderr}`);
      }
    },
    async authorizations() {
      return (await pebble.output()).match(/There are now \d+ authorizations in the db/g)?.length ??
        0;
    },
    async failedValidations() {
      const lines = (await pebble.output()).split("\n");
      return lines.filter((line) => line.includes("set INVALID"));
    },
    async suggestRenewal(pem) {
      const [start, end] = [3600_000, 0].map((ms) => new Date(Date.now() - ms).toISOString());
      const response = JSON.stringify({ suggestedWindow: { start, end } });
      const body = JSON.stringify({ Certificate: pem, ARIResponse: response });
      const { code } = await network.run(host, [
        ...["curl", "-fsSk", "--max-time", "5", "-d", body],
        "https://[::1]:15000/set-renewal-info/",
      ]);
      return code === 0;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([names.stop(), pebble.stop()]);
    },
  };
  try {
    const probes = [
      [
        "curl",
        "-fsS",
        "-d",
        `{"host":"ready.example","addresses":["::1"]}`,
        `${MANAGEMENT}/add-aaaa`,
      ],
      ["curl", "-fsS", "--cacert", certificate, authority.directory],
    ];
    for (const probe of probes) {
      await eventually(async () => {
        const { code } = await network.run(host, [...probe, "--max-time", "2"]);
        return code === 0 || undefined;
      }, { what: () => `an answer to ${probe.join(" ")}`, deadline: 120_000 });
    }
  } catch (error) {
    await authority[Symbol.asyncDispose]();
    throw error;
  }
  return authority;
}

/** The configuration for pebble 2.4, and the one for versions with profiles. */
function lifetime(seconds: number): Record<string, unknown> {
  return {
    certificateValidityPeriod: seconds,
    profiles: { default: { description: "the only one", validityPeriod: seconds } },
  };
}

async function createCertificate(
  { name, certificate, key }: { name: string; certificate: string; key: string },
): Promise<void> {
  const { code, stderr } = await execute([
    ...["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
    ...["-nodes", "-days", "2", "-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`],
    ...["-keyout", key, "-out", certificate],
  ]);
  if (code !== 0) throw new Error(`openssl: ${stderr}`);
}
