/**
 * The configuration with which HAProxy 3.2 and later order certificates themselves (configuration
 * manual, 12.7 and 12.8), and the timer that saves them: HAProxy keeps them only in memory.
 *
 * Each balancer's HAProxy answers only for the tokens of its own orders, and the CA may ask another
 * balancer. acme-lb asks it as a solver of the machine (`challenge.solvers`), so that it is found
 * through all of them.
 */

import { formatSocketAddress } from "../address.ts";
import type { Config } from "../config/schema.ts";
import { HARDENING, runtimeApiAccess } from "./hardening.ts";
import type { RenderedFile } from "./rendered_file.ts";
import { argumentWord, invocationOf, unitWord } from "./systemd_escape.ts";

/** Where HAProxy answers challenges, for acme-lb on the same machine. */
const SOLVER = { hostname: "127.0.0.1", port: 31081 };

/** Of root alone: releases of HAProxy before August 2026 let everybody read the key they make. */
export const ACCOUNTS = "/etc/haproxy/acme";

/** The names of the store and of the acme section. */
const STORE = "acme-lb";
const SECTION = "letsencrypt";

const DIRECTORIES = {
  live: "https://acme-v02.api.letsencrypt.org/directory",
  staging: "https://acme-staging-v02.api.letsencrypt.org/directory",
};

/** The CA's directory. */
export function caDirectory(staging = false): string {
  return staging ? DIRECTORIES.staging : DIRECTORIES.live;
}

/** The certificate that HAProxy orders, as its `bind` names it. */
export function storedCertificate({ cluster }: Config): string {
  return `@${STORE}/${cluster.names[0]}`;
}

/** Names for which HTTP-01 or HAProxy cannot obtain a certificate, a line each. */
export function haproxyAcmeFaults({ cluster, challenge }: Config): string[] {
  const asked = challenge.solvers.some((one) =>
    one.hostname === SOLVER.hostname && one.port === SOLVER.port
  );
  const solver = `"${formatSocketAddress(SOLVER)}"`;
  const missing = asked
    ? []
    : [`challenge.solvers: add ${solver}, where HAProxy answers for its own orders`];
  return [...missing, ...nameFaults({ cluster }, "HAProxy orders no certificates for addresses")];
}

/** Names for which HTTP-01, or a client that `refuses` addresses, obtains nothing; a line each. */
export function nameFaults({ cluster }: Pick<Config, "cluster">, refuses?: string): string[] {
  return cluster.names.flatMap((name, i) => {
    const about = `cluster.names[${i}]: `;
    if (name.startsWith("*.")) return [`${about}${name} needs DNS-01; acme-lb is for HTTP-01`];
    return refuses && /^\[|^[\d.]+$/.test(name) ? [about + refuses] : [];
  });
}

/** The additional sections: how to order, for which names, and where challenges are answered. */
export function acmeSections(
  { cluster }: Config,
  { certificates, staging }: { certificates: string; staging?: boolean | undefined },
): string {
  const [first] = cluster.names;
  const contact = cluster.email === null ? "" : `  contact ${cluster.email}\n`;
  return `acme ${SECTION}
  directory ${caDirectory(staging)}
  # Made by HAProxy when it first starts; keep it, the CA knows this balancer by it.
  account-key ${ACCOUNTS}/${SECTION}.account.key
${contact}  challenge HTTP-01
  keytype ECDSA
  curves P-256
  map virt@acme

crt-store ${STORE}
  load crt ${certificates}/${first}.pem alias ${first} acme ${SECTION} domains ${
    cluster.names.join(",")
  }

frontend fe-acme
  # For acme-lb on this machine: challenge.solvers: ["${formatSocketAddress(SOLVER)}"]
  bind ${formatSocketAddress(SOLVER)}
  # Only a token that is in the map: the manual's rule answers 200 to every token.
  http-request return status 200 content-type text/plain lf-string "%[path,field(-1,/)].%[path,field(-1,/),map(virt@acme)]" if { path_beg /.well-known/acme-challenge/ } { path,field(-1,/),map(virt@acme) -m found }
  http-request return status 404
`;
}

/** The unit that saves HAProxy's certificate, and its timer. */
export function savingUnits(
  config: Config,
  { executable, configFile, certificates, socket }: {
    executable: string;
    configFile: string | undefined;
    certificates: string;
    socket: string;
  },
): RenderedFile[] {
  const unit = (suffix: string, text: string) => ({
    path: `/etc/systemd/system/acme-lb-save-haproxy.${suffix}`,
    text: `# Written by "acme-lb render haproxy --acme"\n${text}`,
  });
  const out = `${certificates}/${config.cluster.names[0]}.pem`;
  const { program, flags } = invocationOf({ executable, configFile });
  return [
    unit(
      "service",
      `[Unit]
Description=acme-lb: save the certificate that HAProxy has ordered
Documentation=man:acme-lb(8)
After=haproxy.service

[Service]
Type=oneshot
# HAProxy keeps what it obtains in memory; a restart would go back to this file.
ExecStart=${program} assemble-pem${flags} --from-haproxy --out ${argumentWord(out)} \\
  --haproxy-socket ${argumentWord(socket)} --haproxy-name ${storedCertificate(config)}
TimeoutStartSec=2min
# Where the executable unpacks its runtime.
CacheDirectory=acme-lb
CacheDirectoryMode=0755
# The file, and how the run ended, for acme-lb status to tell.
ReadWritePaths=${unitWord(certificates)} ${unitWord(`-${config.state}`)}

# It keeps the owner of the file. The socket is for HAProxy's runtime API.
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER
${runtimeApiAccess([socket])}
ProtectHome=yes
PrivateTmp=yes
LimitCORE=0
TasksMax=128
MemoryMax=512M
UMask=0077

${HARDENING}
`,
    ),
    unit(
      "timer",
      `[Unit]
Description=acme-lb: save the certificate that HAProxy has ordered, every ten minutes
Documentation=man:acme-lb(8)

[Timer]
OnCalendar=*:0/10
RandomizedDelaySec=1min
Persistent=true

[Install]
WantedBy=timers.target
`,
    ),
  ];
}
