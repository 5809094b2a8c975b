/**
 * acme-lb-check-expiry.service and its timer: the certificates and the running HAProxys that the
 * configuration names, to the journal and, where node_exporter is installed, to its text files.
 *
 * The files hold private keys: 0600, of root, of haproxy or of an ACME client's user. Every hook
 * would have to maintain a group for this check; so it runs as root, with only the capability to
 * read, and without network.
 */

import { HARDENING, runtimeApiAccess } from "./hardening.ts";
import type { Invocation } from "./systemd_escape.ts";

/** Where Debian's node_exporter looks for text files, once it is installed. */
const TEXTFILES = "/var/lib/prometheus/node-exporter";

/** The text of acme-lb-check-expiry.service. */
export function expiryUnit(
  { program, flags }: Invocation,
  { sockets }: { sockets: readonly string[] },
): string {
  return `# Written by "acme-lb render systemd"; for changes of your own: systemctl edit acme-lb-check-expiry.service
[Unit]
Description=acme-lb: expiry of the certificates in its configuration
Documentation=man:acme-lb(8)

[Service]
Type=oneshot
# For Prometheus, where node_exporter is; the verdict is the next command's.
ExecStart=-/bin/sh -c '[ ! -d "$$0" ] || exec "$$@" --output "$$0/acme-lb.prom"' \\
  ${TEXTFILES} ${program} check-expiry${flags} --format prometheus
# For the journal. The unit fails unless all is well: systemctl --failed, OnFailure=.
ExecStart=${program} check-expiry${flags}
TimeoutStartSec=5min
# Where the executable unpacks its runtime.
CacheDirectory=acme-lb
CacheDirectoryMode=0755
ReadWritePaths=-${TEXTFILES}

# It may read every file and change none. The sockets are for HAProxy's runtime API.
CapabilityBoundingSet=CAP_DAC_READ_SEARCH
${runtimeApiAccess(sockets)}
ProtectHome=read-only
PrivateTmp=yes
LimitCORE=0
TasksMax=128
MemoryMax=512M
# node_exporter must be able to read what is written.
UMask=0022

${HARDENING}
`;
}

/** The text of acme-lb-check-expiry.timer. */
export function expiryTimer(): string {
  return `# Written by "acme-lb render systemd"; for changes of your own: systemctl edit acme-lb-check-expiry.timer
[Unit]
Description=acme-lb: expiry of certificates, every hour
Documentation=man:acme-lb(8)

[Timer]
# A certificate of six days is renewed after three or four: for it a day is too long.
OnCalendar=hourly
RandomizedDelaySec=10min
Persistent=true

[Install]
WantedBy=timers.target
`;
}
