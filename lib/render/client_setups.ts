/**
 * certbot, lego, dehydrated and acme.sh on one balancer: the webroot, the names, the hook that
 * brings a new certificate into HAProxy, and what runs the client twice a day where its package
 * does not. acmetool is in acmetool_setup.ts.
 *
 * Rendered and not copied from an example, so that nothing is ordered for other names or under
 * another's address.
 */

import type { Config } from "../config/schema.ts";
import { CERTIFICATES, DEFAULT_SOCKET } from "./haproxy.ts";
import { caDirectory, nameFaults } from "./haproxy_acme.ts";
import type { RenderedFile } from "./rendered_file.ts";
import { shellWord } from "../shell_quote.ts";

export interface ClientOptions {
  /** From the staging CA, whose certificates are for trying. */
  staging?: boolean | undefined;
}

export function certbotFiles(config: Config, { staging }: ClientOptions = {}): RenderedFile[] {
  const { email } = config.cluster;
  const account = email === null ? "register-unsafely-without-email = True" : `email = ${email}`;
  const server = staging ? `server = ${caDirectory(staging)}\n` : "";
  return [hook("certbot", config), {
    path: "/etc/letsencrypt/cli.ini",
    text: `${
      by("certbot")
    }# Holds for the first order and for every renewal; Debian's certbot.timer renews. Order with:
#   certbot certonly${config.cluster.names.map((name) => ` -d ${name}`).join("")}
${server}authenticator = webroot
webroot-path = ${webrootOf(config)}
deploy-hook = ${HOOKS}/certbot
key-type = ecdsa
non-interactive = True
agree-tos = True
${account}
# As in Debian's own file.
max-log-backups = 0
`,
  }, {
    path: "/etc/systemd/system/certbot.service.d/acme-lb.conf",
    text: `${
      by("certbot")
    }# certbot runs a deploy hook once for each renewal, whether it succeeds or not;
# this installs at the next run what it could not.
[Service]
ExecStartPost=${HOOKS}/certbot
`,
  }];
}

/** lego 4 has no account without an email address. */
export function legoFaults(config: Config): string[] {
  const faults = nameFaults(config);
  return config.cluster.email === null
    ? [...faults, "cluster.email: missing; add the address for the CA's account, which lego needs"]
    : faults;
}

export function legoFiles(config: Config, { staging }: ClientOptions = {}): RenderedFile[] {
  const { names, email } = config.cluster;
  const server = staging ? ` --server ${caDirectory(staging)}` : "";
  const domains = names.map((name) => ` --domains ${shellWord(name)}`).join("");
  return [
    hook("lego", config),
    ...scheduled({
      client: "lego",
      text:
        `# lego 4. It orders when there is no certificate yet, else it renews when one is due: with a third of
# the lifetime left, half of it below ten days. The hook runs each time: what is installed it leaves
# alone, and what an earlier run could not install is made good. In version 5 "lego run" is both, and
# takes all options after "run".
set -eu
state=/var/lib/lego${staging ? "-staging" : ""}
certificate=$state/certificates/${names[0]}.crt

# Days for a lego that cannot reckon them. Fixed ones would renew certificates of six days at every run.
due() {
  start=$(date -d "$(openssl x509 -noout -startdate -in "$certificate" | cut -d = -f 2)" +%s)
  end=$(date -d "$(openssl x509 -noout -enddate -in "$certificate" | cut -d = -f 2)" +%s)
  days=$(((end - start) / 86400))
  if [ "$days" -lt 10 ]; then echo $((days / 2 - 1)); else echo $((days / 3 - 1)); fi
}

set -- --accept-tos --email ${shellWord(email ?? "")} --path "$state"${server} \\
  --http --http.webroot ${shellWord(webrootOf(config))}${domains}
# It would wait up to 8 minutes first; the timer spreads the renewals of all balancers.
if [ ! -e "$certificate" ]; then lego "$@" run
elif lego renew --help | grep -q -e --dynamic; then lego "$@" renew --no-random-sleep --dynamic
else lego "$@" renew --no-random-sleep --days "$(due)"; fi
export LEGO_CERT_DOMAIN=${shellWord(names[0]!)} LEGO_CERT_PATH="$certificate"
export LEGO_CERT_KEY_PATH="\${certificate%.crt}.key"
exec ${HOOKS}/lego
`,
    }),
  ];
}

export function dehydratedFiles(config: Config, { staging }: ClientOptions = {}): RenderedFile[] {
  const { names, email } = config.cluster;
  return [
    hook("dehydrated", config),
    {
      path: "/etc/dehydrated/conf.d/acme-lb.sh",
      text: `${by("dehydrated")}${staging ? `CA=${caDirectory(staging)}\n` : ""}\
WELLKNOWN=${shellWord(webrootOf(config))}
HOOK=${HOOKS}/dehydrated
${email === null ? "" : `CONTACT_EMAIL=${shellWord(email)}\n`}\

# Renewal is due with a third of the lifetime left, half of it below ten days, by the certificate with
# the shortest one. Fixed days would renew certificates of six days at every run.
RENEW_DAYS=$(
  for certificate in "\${BASEDIR:-/var/lib/dehydrated}"/certs/*/cert.pem; do
    start=$(openssl x509 -noout -startdate -in "$certificate" 2>/dev/null | cut -d = -f 2)
    end=$(openssl x509 -noout -enddate -in "$certificate" 2>/dev/null | cut -d = -f 2)
    [ -n "$end" ] || continue
    days=$((($(date -d "$end" +%s) - $(date -d "$start" +%s)) / 86400))
    if [ "$days" -lt 10 ]; then echo $((days / 2)); else echo $((days / 3)); fi
  done | sort -n | sed -n 1p
) || true
RENEW_DAYS=\${RENEW_DAYS:-30}
`,
    },
    {
      path: "/etc/dehydrated/domains.txt",
      text: `${names.join(" ")}\n`,
    },
    ...scheduled({
      client: "dehydrated",
      text: `# Once, before: dehydrated --register --accept-terms\nexec dehydrated --cron\n`,
    }),
  ];
}

export function acmeShFiles(config: Config, { staging }: ClientOptions = {}): RenderedFile[] {
  const { names, email } = config.cluster;
  const domains = names.map((name) => ` -d ${shellWord(name)}`).join("");
  const account = email === null ? "" : ` -m ${shellWord(email)}`;
  const server = staging ? "letsencrypt_test" : "letsencrypt";
  return [
    hook("acme.sh", config),
    ...scheduled({
      client: "acme.sh",
      text:
        `# It orders, or renews when that is due, and then installs: what is installed already is left alone,
# and what an earlier run could not install is made good. The timer of systemd runs it twice a day, in
# the place of acme.sh's own cron job.
set -eu
# acme.sh keeps accounts and certificates there; systemd sets it for no unit of root.
export HOME="\${HOME:-/root}"
certificate=$HOME/.acme.sh/${names[0]}_ecc/${names[0]}.cer

# acme.sh without ARI renews after fixed days, of which certificates of six days have not as many: a
# third of the lifetime left is due, half of it below ten days.
force=
if [ -e "$certificate" ]; then
  start=$(date -d "$(openssl x509 -noout -startdate -in "$certificate" | cut -d = -f 2)" +%s)
  end=$(date -d "$(openssl x509 -noout -enddate -in "$certificate" | cut -d = -f 2)" +%s)
  if [ $((end - start)) -lt 864000 ]; then share=2; else share=3; fi
  if [ $(((end - $(date +%s)) * share)) -lt $((end - start)) ]; then force=--force; fi
fi
# Exit code 2 means that nothing is due.
acme.sh --issue $force --server ${server}${account}${domains} -w ${shellWord(webrootOf(config))} ||
  [ $? = 2 ]
acme.sh --install-cert -d ${shellWord(names[0]!)} --reloadcmd ${HOOKS}/acme.sh
`,
    }),
  ];
}

const HOOKS = "/etc/acme-lb/hooks";
export const CLIENTS_DIRECTORY = "/etc/acme-lb/clients";

export function by(client: string): string {
  return `# ${client} on every balancer, by: acme-lb render ${client}\n`;
}

function webrootOf({ webroot: [webroot = ""] }: Config): string {
  return webroot;
}

function hook(client: string, config: Config): RenderedFile {
  return { path: `${HOOKS}/${client}`, mode: 0o755, text: hookScript(client, config) };
}

/**
 * acmetool and dehydrated call their hook for every event, with arguments; the others pass everything
 * in variables.
 */
export function hookScript(client: string, { haproxy }: Config): string {
  const sockets = haproxy.sockets.length > 0 ? haproxy.sockets : [DEFAULT_SOCKET];
  const flags = sockets.map((socket) => ` \\\n  --haproxy-socket ${shellWord(socket)}`).join("");
  const words = ["acmetool", "dehydrated"].includes(client) ? ' -- "$@"' : "";
  const command = `acme-lb assemble-pem --hook ${client} --out-dir ${CERTIFICATES}${flags}${words}`;
  return `#!/bin/sh
${by(client)}# A new certificate becomes HAProxy's, checked and without a reload.
${client === "certbot" ? ofAllLineages(command) : `exec ${command}`}
`;
}

/** Without RENEWED_LINEAGE, as certbot.service calls it after each run, it takes every lineage. */
function ofAllLineages(command: string): string {
  return `install() {
  ${command}
}
[ -z "\${RENEWED_LINEAGE:-}" ] || { install; exit; }
status=0
for RENEWED_LINEAGE in /etc/letsencrypt/live/*/; do
  [ -e "$RENEWED_LINEAGE/fullchain.pem" ] || continue
  export RENEWED_LINEAGE
  install || status=1
done
exit $status`;
}

/** A client without a timer of its own: what runs it, twice a day. */
function scheduled({ client, text }: { client: string; text: string }): RenderedFile[] {
  const unit = (suffix: string, text: string) => ({
    path: `/etc/systemd/system/acme-client@.${suffix}`,
    text,
  });
  return [
    {
      path: `${CLIENTS_DIRECTORY}/${client}`,
      mode: 0o755,
      text: `#!/bin/sh\n${by(client)}${text}`,
    },
    unit(
      "service",
      `# For clients that bring no timer of their own: runs ${CLIENTS_DIRECTORY}/NAME.
[Unit]
Description=ACME client: certificates by %i
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=${CLIENTS_DIRECTORY}/%i
TimeoutStartSec=30min
`,
    ),
    unit(
      "timer",
      `[Unit]
Description=ACME client: certificates by %i, twice a day

[Timer]
OnCalendar=*-*-* 00/12:00:00
# Balancers that renew together share one rate limit.
RandomizedDelaySec=12h
Persistent=true

[Install]
WantedBy=timers.target
`,
    ),
  ];
}
