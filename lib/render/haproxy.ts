/**
 * HAProxy's configuration, the same on every balancer: the source document's frontend and backend,
 * for HAProxy 2.6 (Debian 12) and later.
 *
 * It listens on every address instead of on each virtual one. A balancer lacks most of these most
 * of the time, and HAProxy would not start without net.ipv6.ip_nonlocal_bind; this way nothing has
 * to be set, a new address needs no reload, and each balancer's certificate can be checked at the
 * balancer's own address. Port 80 is acme-lb's.
 */

import { comparableAddress, formatSocketAddress } from "../address.ts";
import type { Config } from "../config/schema.ts";
import { formatPeer, type Peer } from "../peer.ts";
import { haproxyListener, ownAddress, serviceName } from "./families.ts";
import type { RenderedFile } from "./rendered_file.ts";

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

/** Where keepalived asks, on loopback; what HAProxy's manual uses for such things. */
export const HEALTH_PORT = 8404;

/** A year, in seconds. */
const HSTS_MAX_AGE = 31_536_000;

export function haproxyFiles(config: Config): RenderedFile[] {
  const text = [head(config), frontend(config), backend(config), health(config)].join("\n");
  return [{ path: "/etc/haproxy/haproxy.cfg", text }];
}

/** Values that HAProxy cannot be told, a line each. */
export function haproxyFaults({ cluster, haproxy }: Config): string[] {
  const words = [
    ["cluster.backend_ca", cluster.backend_ca],
    ...haproxy.sockets.slice(0, 1).map((socket) => ["haproxy.sockets[0]", socket]),
  ];
  const odd = words.filter(([, value]) => /['\p{Cc}]/u.test(value!))
    .map(([key]) => `${key}: HAProxy takes no path with quotes or control characters`);
  const zoned = cluster.backends.flatMap((backend, i) =>
    "hostname" in backend && backend.hostname.includes("%")
      ? [`cluster.backends[${i}]: HAProxy takes no link-local address`]
      : []
  );
  return [...odd, ...zoned];
}

function head({ cluster, haproxy }: Config): string {
  const placeholders = cluster.names.filter((name) => !name.startsWith("*.")).map((name) =>
    `#   acme-lb self-signed --if-missing --name ${name} --out ${CERTIFICATES}/${name}.pem\n`
  );
  return `# HAProxy on every balancer, by: acme-lb render haproxy
#
# HAProxy does not start without a certificate. Until the first one is issued, a placeholder serves:
#   install -d -m 700 ${CERTIFICATES}
${placeholders.join("")}
global
  log /dev/log local0
  user haproxy
  group haproxy
  chroot /var/lib/haproxy
  # assemble-pem brings new certificates in here, without a reload.
  stats socket ${word(haproxy.sockets[0] ?? DEFAULT_SOCKET)} mode 600 level admin
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

function frontend(config: Config): string {
  const { virtual_addresses } = config.cluster;
  return `frontend fe-service
  # ${virtual_addresses.join(", ")}, and the balancer's own addresses
  bind ${haproxyListener(config).text} ssl crt ${CERTIFICATES} alpn h2,http/1.1
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  acl has_hsts res.hdr(Strict-Transport-Security) -m found
  http-after-response set-header Strict-Transport-Security max-age=${HSTS_MAX_AGE} unless has_hsts
  default_backend be-service
`;
}

function backend(config: Config): string {
  const { backends, backend_check, backend_tls, backend_ca } = config.cluster;
  const named = backends.some((backend) => "name" in backend);
  const trust =
    `  # The CA must be one for these servers alone: whatever certificate it issued is accepted.\n`;
  const servers = backends.map((backend, i) => {
    const tls = backend_tls ? ` ssl verify required ca-file ${word(backend_ca)}` : "";
    const resolve = "name" in backend ? " resolvers system init-addr libc,none" : "";
    const name = `be${i + 1}`;
    return `  server ${name} ${serverAddress(backend)} check${tls}${resolve} cookie ${name}\n`;
  });
  return `${named ? RESOLVERS : ""}backend be-service
  balance roundrobin
  cookie SERVERID insert indirect nocache httponly secure
  option httpchk
  http-check send meth GET uri ${backend_check} ver HTTP/1.1 hdr Host ${serviceName(config)}
  # A visitor's cookie names a server: add new ones at the end, or visitors change servers.
${backend_tls ? trust : ""}${servers.join("")}`;
}

function health(config: Config): string {
  const hostname = ownAddress(config, haproxyListener(config));
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
  // An IPv4 address in IPv6 spelling is IPv4 to everybody but HAProxy.
  return formatPeer({ ...backend, hostname: comparableAddress(backend.hostname) });
}

/** Within strong quotes HAProxy takes everything as it is. */
function word(path: string): string {
  return /^[A-Za-z0-9/._+:@-]+$/.test(path) ? path : `'${path}'`;
}
