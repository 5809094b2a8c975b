/**
 * A machine for install.sh to be root on: scratch directories laid over /etc, /usr/local, /opt,
 * /var/cache and /run in a separate mount namespace, independent of this machine's files.
 */

import { type Result, ROOT, run } from "./install_script.ts";
import { works } from "./works.ts";
import { temporaryFolder } from "./temporary_folder.ts";

const LAY = `
for name in etc local opt cache run; do mkdir "$1/$name"; chmod 755 "$1/$name"; done
for file in passwd group shadow gshadow nsswitch.conf login.defs ld.so.cache alternatives pam.d security; do
  if [ -e "/etc/$file" ]; then cp -a "/etc/$file" "$1/etc/"; fi
done
mkdir -p "$1/etc/systemd/system"
mount --bind "$1/etc" /etc
mount --bind "$1/local" /usr/local
mount --bind "$1/opt" /opt
mount --bind "$1/cache" /var/cache
mount --bind "$1/run" /run
userdel acme-lb 2>/dev/null || :
groupdel acme-challenge 2>/dev/null || :
cd "$1"
chmod 755 .
`;

/** In place of the executable: what install.sh asks of it, without a runtime to unpack. */
export const STAND_IN = `#!/bin/sh
case $1 in
  --version) echo acme-lb 0.0.0 ;;
  generate) echo "$2 of 0.0.0" ;;
  render) cp -R RENDERED/. "$4" ;;
  check-config) { [ -x /etc/acme-lb ] || [ ! -d /etc/acme-lb ]; } &&
    { [ ! -e /etc/acme-lb/config.yaml ] || cat /etc/acme-lb/config.yaml; } || { echo "acme-lb: /etc/acme-lb/config.yaml: permission denied" >&2; exit 78; } ;;
  challenge-server) echo "event=listening role=challenge address=$3" >&2; exec sleep 30 ;;
esac
`;

/** Why no such machine can be had here; undefined when it can. */
export async function lacksMachine(): Promise<string | undefined> {
  if (Deno.uid() !== 0) return "it takes root";
  if (!await works("unshare", { args: ["--mount", "true"] })) return "no mount namespaces";
  for (const tool of ["systemctl", "systemd-sysusers", "systemd-tmpfiles"]) {
    if (!await works(tool, { args: ["--version"] })) return `no ${tool}`;
  }
  return await works("setpriv", { args: ["--version"] }) ? undefined : "no setpriv";
}

/**
 * Runs lines of shell there, with install.sh and acme-lb (a stand-in, RENDERED being the units) in
 * the working directory. What they print is one text.
 */
export async function onMachine(lines: string, standIn = STAND_IN): Promise<Result> {
  await using temporary = await temporaryFolder();
  const folder = temporary.path;
  await Deno.copyFile(`${ROOT}install.sh`, `${folder}/install.sh`);
  await run(["cp", "-R", `${ROOT}examples/systemd`, `${folder}/rendered`]);
  const text = standIn.replaceAll("RENDERED", `${folder}/rendered`);
  await Deno.writeTextFile(`${folder}/acme-lb`, text, { mode: 0o755 });
  const script = `exec 2>&1; set -e; ${LAY}\nset +e\n${lines}`;
  return await run(["unshare", "--mount", "sh", "-c", script, "sh", folder], {
    PATH: "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    cwd: folder,
    env: { TMPDIR: folder },
  });
}
