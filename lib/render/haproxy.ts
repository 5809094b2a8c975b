/**
 * HAProxy's configuration, the same on every balancer: the source document's frontend and backend,
 * for HAProxy 2.6 (Debian 12) and later.
 *
 * It listens on every address instead of on each virtual one. A balancer lacks most of these most
 * of the time, and HAProxy would not start without net.ipv6.ip_nonlocal_bind; this way no sysctl is
 * needed, a new address needs no reload, and each balancer's certificate can be checked at the
 * balancer's own address. Port 80 is acme-lb's.
 */

import { comparableAddress, formatSocketAddress } from "../address.ts";
import type { Config } from "../config/schema.ts";
import { formatPeer, type Peer } from "../peer.ts";
import { shellWord } from "../shell_quote.ts";
import { haproxyListener, loopbackFor, servedFamilies, serviceName } from "./families.ts";
import { ACCOUNTS, acmeSections, savingUnits, storedCertificate } from "./haproxy_acme.ts";
import { EXECUTABLE, type RenderedFile } from "./rendered_file.ts";
import type { SystemdOptions } from "./systemd.ts";
import { isSocketPath } from "../runtime_address.ts";

/** Where assemble-pem puts a file for each name; HAProxy serves all that are there. */
export const CERTIFICATES = "/etc/haproxy/certs";
export const DEFAULT_SOCKET = "/run/haproxy/admin.sock";

/** TLS 1.2 with forward secrecy and authenticated encryption; TLS 1.3 has nothing else. */
const CIPHERS = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** Where keepalived asks, on loopback; the path of HAProxy's manual. */
export const HEALTH_PORT = 8404;

interface HaproxyOptions {
  /** Whether HAProxy orders its certificate itself, which takes 3.2. */
  acme?: boolean | undefined;
  /** From the staging CA, whose certificates are for trying. */
  staging?: boolean | undefined;
  /** @default EXECUTABLE */
  executable?: string | undefined;
  /** Where it is used; only the path of the configuration counts. */
  here?: SystemdOptions;
}

export function haproxyFiles(
  config: Config,
  { acme = false, staging, executable = EXECUTABLE, here }: HaproxyOptions = {},
): RenderedFile[] {
  const more = acme ? [acmeSections(config, { certificates: CERTIFICATES, staging })] : [];
  const parts = [
    head(config, acme),
    ...more,
    frontend(config, acme),
    backend(config),
    health(config),
  ];
  const file = { path: "/etc/haproxy/haproxy.cfg", text: parts.join("\n") };
  if (!acme) return [file];
  const saving = { executable, configFile: here?.configFile, certificates: CERTIFICATES };
  return [file, ...savingUnits(config, { ...saving, socket: adminSocket(config) })];
}

function adminSocket({ haproxy }: Config): string {
  return haproxy.sockets[0] ?? DEFAULT_SOCKET;
}

function head(config: Config, acme: boolean): string {
  const { cluster } = config;
  const names = cluster.names.filter((name) => !name.startsWith("*."));
  const selfSigned = (names: string[], days = "") =>
    `#   acme-lb self-signed --if-missing${
      names.map((name) => ` --name ${name}`).join("")
    }${days} ` +
    `--out ${CERTIFICATES}/${names[0]}.pem\n`;
  // HAProxy orders when a twelfth of the lifetime is left: of one day, after 22 hours.
  const placeholders = acme
    ? [selfSigned(names, " --days 1"), orderNow(config)]
    : names.map((name) => selfSigned([name]));
  return `# HAProxy on every balancer, by: acme-lb render haproxy${acme ? " --acme" : ""}
#
# HAProxy does not start without a certificate. Until the first one is issued, a placeholder serves:
#   install -d -m 700 ${CERTIFICATES}${acme ? ` ${ACCOUNTS}` : ""}
${placeholders.join("")}
global
${acme ? orderingOptions(config) : ""}\
  log /dev/log local0
  user haproxy
  group haproxy
  chroot /var/lib/haproxy
  # assemble-pem ${
    acme ? "reads the certificates that HAProxy ordered" : "brings new certificates in"
  } here, without a reload.
  stats socket ${word(adminSocket(config))} mode 600 level admin
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
  ssl-default-bind-ciphers ${CIPHERS}
  ssl-default-server-options ssl-min-ver TLSv1.2

defaults
  mode http
  log global
  option httplog
  option dontlognull
  option redispatch
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-request 10s
`;
}

/** HAProxy asks the CA over IPv6 when the CA has it, and over IPv4 only when told so. */
function orderingOptions(config: Config): string {
  return "  # ACME is an experimental feature of HAProxy.\n  expose-experimental-directives\n" +
    (servedFamilies(config).ipv6
      ? ""
      : "  # The CA has IPv6 addresses too.\n  httpclient.resolvers.prefer ipv4\n");
}

/** The command of the runtime API that makes HAProxy order at once. */
function orderNow(config: Config): string {
  const socket = adminSocket(config);
  const address = isSocketPath(socket) ? socket : `TCP:${socket}`;
  return `# and, once HAProxy runs, to order at once instead of within a day:
#   echo "acme renew ${storedCertificate(config)}" | socat - ${shellWord(address)}
`;
}

function frontend(config: Config, acme: boolean): string {
  const { virtual_addresses, hsts } = config.cluster;
  const addresses = virtual_addresses.map(({ address }) => address).join(", ");
  const strict = hsts === 0 ? "" : `\
  # cluster.hsts: browsers refuse plain HTTP for so long, even after this line is gone.
  acl has_hsts res.hdr(Strict-Transport-Security) -m found
  http-after-response set-header Strict-Transport-Security max-age=${hsts / 1000} unless has_hsts
`;
  return `frontend fe-service
  # ${addresses}, and the balancer's own addresses
  bind ${haproxyListener(config).text} ssl crt ${
    acme ? storedCertificate(config) : CERTIFICATES
  } alpn h2,http/1.1
  option forwardfor
  http-request set-header X-Forwarded-Proto https
${strict}  default_backend be-service
`;
}

function backend(config: Config): string {
  const { backends, backend_check, backend_tls } = config.cluster;
  const named = backends.some((backend) => "name" in backend);
  const tls = backend_tls ? backendTls(config) : { comment: "", words: "" };
  const servers = backends.map((backend, i) => {
    const resolve = "name" in backend ? " resolvers system init-addr libc,none" : "";
    const name = `be${i + 1}`;
    return `  server ${name} ${
      serverAddress(backend)
    } check${tls.words}${resolve} cookie ${name}\n`;
  });
  return `${named ? RESOLVERS : ""}backend be-service
  balance roundrobin
  cookie SERVERID insert indirect nocache httponly secure
  option httpchk
  http-check send meth GET uri ${backend_check} ver HTTP/1.1 hdr Host ${serviceName(config)}
  # A visitor's cookie names a server: add new ones at the end, or visitors change servers.
${tls.comment}${servers.join("")}`;
}

/**
 * The options of a server line, and what they mean for the backends' certificates. `sni` sends the
 * name with requests, `check-sni` with checks; with either HAProxy looks for that name in the
 * certificate (configuration manual, `verify` and `verifyhost`).
 */
function backendTls(config: Config): { comment: string; words: string } {
  const { backend_ca, backend_name } = config.cluster;
  const words = ` ssl verify required ca-file ${word(backend_ca)}`;
  const name = backend_name ?? serviceName(config);
  if (name === false || !isServerName(name)) {
    return {
      words,
      comment:
        `  # No name is sent to these servers, and none is looked for in their certificates ` +
        `(cluster.backend_name):\n  # the CA must be one for them alone.\n`,
    };
  }
  return {
    words: `${words} sni str(${name}) check-sni ${name}`,
    comment:
      `  # ${name} is sent to these servers (SNI) and must stand in their certificates; one ` +
      `with an\n  # internal name alone is down. Another name: cluster.backend_name; none: false.\n`,
  };
}

/** SNI has only names, no addresses (RFC 6066 section 3). */
function isServerName(name: string): boolean {
  return !/^\[|^[\d.]+$/.test(name);
}

function health(config: Config): string {
  const hostname = loopbackFor(config, haproxyListener(config));
  return `frontend fe-health
  # For keepalived: a balancer that sees no backend, as one whose network just came back, must not
  # draw addresses. When no balancer sees any, they stay where they are.
  bind ${formatSocketAddress({ hostname, port: HEALTH_PORT })}
  monitor-uri /
  monitor fail if { nbsrv(be-service) eq 0 }
`;
}

const RESOLVERS = `resolvers system
  parse-resolv-conf

`;

function serverAddress(backend: Peer): string {
  if ("name" in backend) return `${backend.name}:${backend.port}`;
  // An IPv4 address in IPv6 spelling, which only HAProxy does not take as IPv4.
  return formatPeer({ ...backend, hostname: comparableAddress(backend.hostname) });
}

/** Within strong quotes HAProxy takes everything as it is. */
function word(path: string): string {
  return /^[A-Za-z0-9/._+:@-]+$/.test(path) ? path : `'${path}'`;
}
