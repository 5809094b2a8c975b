/**
 * Restrictions of all units of acme-lb, to which each adds its own.
 *
 * MemoryDenyWriteExecute= is missing on purpose: the runtime compiles JavaScript to machine code
 * and ends at once under it. It needs /proc, but only its own process there.
 */

import { isSocketPath } from "../runtime_address.ts";

/**
 * Lines for a unit that speaks only with HAProxy's runtime API: no network, unless one of the
 * sockets is HOST:PORT, as acme-lb spells it.
 */
export function runtimeApiAccess(sockets: readonly string[]): string {
  return sockets.every(isSocketPath)
    ? "PrivateNetwork=yes\nRestrictAddressFamilies=AF_UNIX"
    : "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6";
}

/** Lines of a `[Service]` section. */
export const HARDENING = `NoNewPrivileges=yes
ProtectSystem=strict
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProcSubset=pid
RemoveIPC=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
# acme-lb reads none of these; the runtime would.
UnsetEnvironment=HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
UnsetEnvironment=DENO_SERVE_ADDRESS DENO_AUTO_SERVE DENO_V8_FLAGS DENO_CERT DENO_TLS_CA_STORE
UnsetEnvironment=DENO_AUDIT_PERMISSIONS DENO_COVERAGE_DIR DENO_PERMISSION_BROKER_PATH
UnsetEnvironment=NODE_OPTIONS NODE_EXTRA_CA_CERTS LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT`;
