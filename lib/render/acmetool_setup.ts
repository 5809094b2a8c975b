/**
 * acmetool on one balancer, as Debian packages it: what to obtain, through acme-lb's webroot, and
 * the hook that loads it into HAProxy. acmetool's own timer runs it.
 *
 * Every balancer has an account, a key and a certificate of its own; nothing here is shared. The
 * responses file is not rendered: a person has to agree to the CA's terms, and runs a script for it
 * once.
 */

import type { Config } from "../config/schema.ts";
import { formatYaml } from "../yaml.ts";
import { by, type ClientOptions, CLIENTS_DIRECTORY, hookScript } from "./client_setups.ts";
import { CERTIFICATES } from "./haproxy.ts";
import { caDirectory } from "./haproxy_acme.ts";
import type { RenderedFile } from "./rendered_file.ts";
import { shellWord } from "../shell_quote.ts";
import { unitWord } from "./systemd_escape.ts";

const STATE = "/var/lib/acme";
const AGREE = `${CLIENTS_DIRECTORY}/acmetool`;
/** What Debian's unit lets acmetool write to, beside its state. */
const WRITABLE_WEBROOTS = "/run/acme/";

/** The same on every balancer. */
export function acmetoolFiles(
  config: Config,
  { staging }: ClientOptions = {},
): RenderedFile[] {
  const { cluster, webroot: [webroot = ""] } = config;
  const request = {
    provider: caDirectory(staging),
    key: { type: "ecdsa" },
    challenge: { "webroot-paths": [webroot] },
  };
  return [
    { path: `${STATE}/conf/target`, text: `${FIRST_RUN}\n${formatYaml({ request })}` },
    {
      path: `${STATE}/desired/${cluster.names[0]}`,
      text: `${BY}\n${formatYaml({ satisfy: { names: cluster.names } })}`,
    },
    // acmetool ignores events whose hook ends with 42, as acme-lb does for all events but one.
    { path: "/etc/acme/hooks/acme-lb", text: hookScript("acmetool", config), mode: 0o755 },
    { path: AGREE, text: agree(cluster.email), mode: 0o755 },
    { path: "/etc/systemd/system/acmetool.service.d/acme-lb.conf", text: unit(config, webroot) },
  ];
}

const BY = by("acmetool");

const FIRST_RUN = `${BY}#
# Once, to agree to the CA's terms: ${AGREE}
# Then acmetool --batch reconcile, and from then on: systemctl enable --now acmetool.timer
`;

/** acmetool's responses: what its first run would ask on a terminal. */
function agree(email: string | null): string {
  return `#!/bin/sh
${BY}# Run once: it agrees to the CA's terms, which it prints, and gives the address for its warnings.
set -eu
state=\${ACME_STATE_DIR:-/var/lib/acme}
directory=$(sed -n 's/^ *provider: *//p' "$state/conf/target")
terms=$(curl -fsS "$directory" | grep -o '"termsOfService": *"[^"]*"' | cut -d '"' -f 4)
printf 'agreed to %s\\n' "$terms"
printf '"acme-enter-email": "%s"\\n"acme-agreement:%s": true\\n' ${
    shellWord(email ?? "")
  } "$terms" >"$state/conf/responses"
`;
}

/** Debian's unit may write to nothing but acmetool's own directories; the hook runs in it, and after it. */
function unit({ state }: Config, webroot: string): string {
  const paths = webroot.startsWith(WRITABLE_WEBROOTS) ? [] : [webroot];
  const writable = [CERTIFICATES, state, ...paths].map((path) =>
    `ReadWritePaths=${unitWord(`-${path}`)}\n`
  );
  return `${BY}# The hook writes there; without these lines Debian's unit refuses. Where the hook leaves how it ended,
# for acme-lb status to tell, the directory is the server's.
[Service]
${writable.join("")}CapabilityBoundingSet=CAP_DAC_OVERRIDE

# acmetool runs a hook once for each renewal, whether it succeeds or not; this makes good at the next
# run what it could not install. What is installed already is left alone.
ExecStartPost=/bin/sh -c 'find ${STATE}/live -mindepth 1 -maxdepth 1 -type l -printf "%%f\\n" | /etc/acme/hooks/acme-lb live-updated'
`;
}
