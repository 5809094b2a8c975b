/**
 * The files for systemd: users, webroot, the server's unit, the hourly check of expiry. Pure text
 * from the configuration.
 *
 * Units hold only the limits and rights that follow from the configuration, so that most changes of
 * it need no new unit.
 */

import type { Config } from "../config/schema.ts";
import { expiryTimer, expiryUnit } from "./expiry_unit.ts";
import { EXECUTABLE, type RenderedFile } from "./rendered_file.ts";
import { serverUnit } from "./server_unit.ts";
import { invocationOf, unitWord } from "./systemd_escape.ts";

export interface SystemdOptions {
  /** Absolute. @default EXECUTABLE */
  executable?: string | undefined;
  /** Absolute. @default what acme-lb itself looks for */
  configFile?: string | undefined;
}

/** The server's own user. */
const USER = "acme-lb";
/** Its members may write to the webroot. */
const GROUP = "acme-challenge";

/** All files, in the order in which they are needed. */
export function systemdFiles(
  config: Config,
  { executable = EXECUTABLE, configFile }: SystemdOptions = {},
): RenderedFile[] {
  const invocation = invocationOf({ executable, configFile });
  const unit = (name: string, text: string) => ({ path: `/etc/systemd/system/${name}`, text });
  return [
    { path: "/etc/sysusers.d/acme-lb.conf", text: users() },
    { path: "/etc/tmpfiles.d/acme-lb.conf", text: webroots(config) },
    unit("acme-lb.service", serverUnit(config, { user: USER, invocation })),
    unit("acme-lb-check-expiry.service", expiryUnit(invocation, config.haproxy)),
    unit("acme-lb-check-expiry.timer", expiryTimer()),
  ];
}

function users(): string {
  return `# The server only reads the webroot, so its user is not in the group that may write there. For
# an ACME client that does not run as root: usermod -aG ${GROUP} USER
g ${GROUP} -
u ${USER} - "acme-lb, challenges on port 80"
`;
}

/** Only a directory that is gone after a boot: any other webroot exists with an owner. */
function webroots({ webroot }: Config): string {
  const fleeting = webroot.map((path) => path.replace(/^\/var\/run\//, "/run/"))
    .filter((path) => path.startsWith("/run/"));
  return `# Where ACME clients put tokens. Who may write here can obtain certificates; to read is no
# secret, for the world may ask. What is made within belongs to the group as well.
${fleeting.map((path) => `d ${unitWord(path)} 2775 root ${GROUP} -\n`).join("")}`;
}
