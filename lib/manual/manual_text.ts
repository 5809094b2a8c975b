/**
 * The texts of the man page beside the command line: purpose, files, environment, exit codes,
 * signals, examples.
 */

import { CLIENTS } from "../clients/clients.ts";

type Entries = [name: string, text: string][];

export const STORY = [
  "Several balancers share a name, and each runs an ACME client of its own with a key and a certificate of its own. The CA's request for /.well-known/acme-challenge/TOKEN reaches any of them. acme-lb runs on every balancer with the same configuration. On port 80 it answers from its own webroot or from whichever peer holds the token, and redirects everything else to HTTPS. There is no shared storage, no leader and no state.",
  "The same executable assembles the PEM files that HAProxy reads, puts them into running HAProxy without a reload, and checks configurations and certificates.",
  "Nothing needs to be configured on a single machine. Where there is a configuration file, flags on the command line win over it.",
];

export const FILES: Entries = [
  [
    "/etc/acme-lb/config.yaml",
    "The configuration, the same on every balancer; read when it exists. A mistake in it is reported with line and column: acme-lb check-config.",
  ],
  [
    "/run/acme/acme-challenge",
    "The webroot where the configuration names none: the ACME client puts its token files there.",
  ],
  [
    "/var/cache/acme-lb",
    "Where the form of the executable that carries its runtime unpacks it once, unless ACME_LB_CACHE or CACHE_DIRECTORY names another place. It may be removed at any time.",
  ],
];

export const ENVIRONMENT: Entries = [
  ["NO_COLOR", "When set, what check-expiry shows on a terminal is not coloured."],
  ...Object.entries(CLIENTS).filter(([, { variables }]) => variables.length > 0)
    .map(([name, { variables, setBy }]): [string, string] => [
      variables.join(", "),
      `${setBy} Read by assemble-pem --hook ${name}.`,
    ]),
  [
    "ACME_LB_CACHE, CACHE_DIRECTORY, XDG_CACHE_HOME, HOME, TMPDIR",
    "Where the form of the executable that carries its runtime unpacks it: below the first that is set and will do. With none, /var/cache/acme-lb or /tmp.",
  ],
];

export const EXIT_STATUS: Entries = [
  ["0", "Done."],
  ["1", "The job failed. One line on standard error says what, where and what to do."],
  ["64", "The command line is wrong."],
  ["78", "The configuration is wrong."],
  [
    "0, 1, 2, 3",
    "Only of check-expiry: OK, WARNING, CRITICAL, UNKNOWN; 3 also where other commands have 64 or 78.",
  ],
];

export const SIGNALS: Entries = [
  [
    "SIGTERM, SIGINT",
    "A server stops accepting, finishes what is in flight within 3 s, and ends with 0. A second one does not wait.",
  ],
  [
    "SIGHUP",
    "A server reads the configuration again. It keeps the old one, and its ports, when the new one is wrong.",
  ],
  [
    "SIGUSR1",
    "Never send it: the runtime would open a port for a debugger on loopback.",
  ],
];

export const EXAMPLES: Entries = [
  [
    "A balancer, by hand: what it would do, then doing it.",
    "acme-lb check-config --config /etc/acme-lb/config.yaml\nacme-lb serve --config /etc/acme-lb/config.yaml",
  ],
  [
    "A placeholder before HAProxy's first start, then the real certificate, in place without a reload.",
    "acme-lb self-signed --name service.example \\\n    --out /etc/haproxy/certs/service.example.pem --if-missing\nacme-lb assemble-pem --key privkey.pem --fullchain fullchain.pem \\\n    --out /etc/haproxy/certs/service.example.pem \\\n    --haproxy-socket /run/haproxy/admin.sock",
  ],
];

export const SEE_ALSO =
  "haproxy(1), keepalived(8), certbot(1), systemd.service(5); RFC 8555 section 8.3 for the challenge.";
