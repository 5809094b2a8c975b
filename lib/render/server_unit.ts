/**
 * acme-lb.service: `acme-lb serve`, with what its configuration needs and nothing more.
 *
 * A user of its own rather than DynamicUser: firewalls and rights on webroots can name it, it needs
 * no nss-systemd, and it is the same after every start. Type=notify, so that a start counts once the
 * ports are open. No ExecStartPre with check-config: serve refuses the same mistakes in the same
 * words before it opens a port, and its exit code reaches RestartPreventExitStatus, which that of an
 * ExecStartPre does not.
 */

import type { Config } from "../config/schema.ts";
import { HARDENING } from "./hardening.ts";
import { type Invocation, unitWord } from "./systemd_escape.ts";

/** Where HAProxy and ACME clients keep private keys, which the server must not read. */
const KEY_DIRECTORIES = [
  "/etc/haproxy",
  "/etc/letsencrypt",
  "/etc/ssl/private",
  "/var/lib/acme/accounts",
  "/var/lib/acme/certs",
  "/var/lib/acme/keys",
  "/var/lib/dehydrated/accounts",
  "/var/lib/dehydrated/certs",
];

/** The text of acme-lb.service; `user` is the one that sysusers.d makes. */
export function serverUnit(
  config: Config,
  { user, invocation }: { user: string; invocation: Invocation },
): string {
  const { program, flags, files } = invocation;
  const needed = [...config.webroot, ...files];
  const hidden = hiddenDirectories(needed);
  const home = needed.some((path) => ["/home", "/root", "/run/user"].some(above(path)));
  const tmp = needed.some((path) => ["/tmp", "/var/tmp"].some(above(path)));
  return `# Written by "acme-lb render systemd"; for changes of your own: systemctl edit acme-lb.service
[Unit]
Description=acme-lb: ACME challenges and redirects to HTTPS
Documentation=man:acme-lb(8)
# As it starts, it looks which of the peers has an address of this machine.
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
# Started is: all ports are open.
Type=notify
User=${user}
Group=${user}
ExecStart=${program} serve${flags}
# A wrong configuration, or a new port that is taken, fails the reload, and the server goes on with
# what it has.
ExecReload=${program} check-config${flags}
ExecReload=/bin/kill -HUP $MAINPID
ExecReload=${program} check-config --running${flags}
Restart=always
RestartSec=1
# A wrong command line or configuration is not mended by another try.
RestartPreventExitStatus=64 78
TimeoutStopSec=10
# Where the executable unpacks its runtime, unless root has done so in /var/cache/acme-lb.
CacheDirectory=acme-lb/serve
CacheDirectoryMode=0700
# Where assemble-pem leaves how its last run ended, for the server to tell.
StateDirectory=acme-lb
StateDirectoryMode=0755
# Where the server says what configuration it uses, for check-config --running.
RuntimeDirectory=acme-lb

LimitNOFILE=${descriptors(config)}
LimitCORE=0
TasksMax=128
MemoryMax=${memory(config)}M
OOMScoreAdjust=-500

${capabilities(config)}
# NETLINK tells a process the addresses of its machine, UNIX tells systemd that it is ready.
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
${debuggerPort(config)}# Private keys, which this user may not read anyway.
InaccessiblePaths=${hidden.map((path) => unitWord(`-${path}`)).join(" ")}
ProtectHome=${home ? "read-only" : "yes"}
PrivateTmp=${tmp ? "no" : "yes"}
UMask=0077

${HARDENING}

[Install]
WantedBy=multi-user.target
`;
}

/** Those of the paths that the unit hides from the server, as far as the webroots allow. */
export function hiddenPaths(paths: string[], { webroot }: Config): string[] {
  const hidden = hiddenDirectories(webroot);
  return paths.filter((path) => hidden.some((directory) => isWithin(path, directory)));
}

function hiddenDirectories(needed: string[]): string[] {
  return KEY_DIRECTORIES.filter((place) => !needed.some((path) => isWithin(path, place)));
}

function capabilities(config: Config): string {
  const listeners = [config.public, config.challenge, config.metrics].flatMap((one) => one.listen);
  if (listeners.some(({ port }) => port < 1024)) {
    return `# For ports below 1024, and nothing else of what root may do.
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE`;
  }
  return `# No port of the configuration is below 1024.
AmbientCapabilities=
CapabilityBoundingSet=
PrivateUsers=yes`;
}

/** Where the runtime opens its debugger on SIGUSR1, should the signal ever reach it. */
function debuggerPort(config: Config): string {
  const listeners = [config.public, config.challenge, config.metrics].flatMap((one) => one.listen);
  if (listeners.some(({ port }) => port === 9229)) return "";
  return "# The runtime's debugger, which SIGUSR1 would open.\nSocketBindDeny=tcp:9229\n";
}

/** Each port's connections, the peers' sockets and some hundreds; a large default costs nothing. */
function descriptors({ limits, public: { listen }, challenge, metrics, peers }: Config): number {
  const ports = listen.length + challenge.listen.length + metrics.listen.length;
  return Math.max(65_536, ports * limits.connections + peers.length * limits.per_peer + 1024);
}

/** MiB: what the server takes when both ports are full, 16 KiB a connection, and half as much again. */
function memory({ limits }: Config): number {
  return 384 + Math.ceil(limits.connections / 32);
}

function above(path: string): (directory: string) => boolean {
  return (directory) => isWithin(path, directory);
}

/** Whether a path is a directory or lies in it. */
function isWithin(path: string, directory: string): boolean {
  return `${path}/`.startsWith(`${directory}/`);
}
