/**
 * `acme-lb serve` with what its unit leaves it, where the unit itself cannot be started: a user of its
 * own with the one capability for port 80, no new privileges, a /proc with only its own processes,
 * a
 * file system that is read-only. The unit under systemd is in fresh_debian_test.ts.
 */

import assert from "node:assert/strict";
import { executablePath } from "../executable.ts";
import { logged, startDaemon } from "./daemon.ts";
import { execute } from "./network.ts";
import { lacking } from "./requirements.ts";

const PROGRAMS = ["unshare", "mount", "setpriv", "ip", "nsenter", "curl", "chown"];
const UID = 65533;

const CONFINE = `
folder=$1 capabilities=$2; shift 2
ip link set lo up
mount -t proc -o subset=pid,hidepid=invisible proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/acme/acme-challenge
echo Hello >/run/acme/acme-challenge/token
ln -s "$folder/key.pem" /run/acme/acme-challenge/link
mount --bind "$folder/cache" "$folder/cache"
mount -o remount,bind,ro /
mount -o remount,ro /run
exec setpriv --reuid=${UID} --regid=${UID} --clear-groups --no-new-privs \\
  --inh-caps="-all$capabilities" --ambient-caps="-all$capabilities" \\
  --bounding-set="-all$capabilities" "$@"
`;

interface Confined extends AsyncDisposable {
  log: string;
  command: string[];
}

/** The command line of a confined server, in a folder that holds a key and its log. */
async function confined(capabilities: string): Promise<Confined> {
  const folder = await Deno.makeTempDir({ prefix: "acme-lb-e2e-" });
  await Deno.chmod(folder, 0o755);
  await Deno.writeTextFile(`${folder}/key.pem`, "a key\n", { mode: 0o600 });
  // A checkout may lie where that user cannot go.
  await Deno.copyFile(await executablePath(), `${folder}/acme-lb`);
  await Deno.mkdir(`${folder}/cache`);
  await Deno.chown(`${folder}/cache`, UID, UID);
  const namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child"];
  return {
    log: `${folder}/log`,
    command: [
      ...["unshare", ...namespaces, "sh", "-ec", CONFINE, "sh", folder, capabilities],
      ...["env", `ACME_LB_CACHE=${folder}/cache`, `${folder}/acme-lb`, "serve"],
    ],
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

const ignore = lacking({ for: "a confined server", root: true, programs: PROGRAMS });

Deno.test({
  name: "serve needs no more than a user with the capability for port 80",
  ignore,
  fn: async () => {
    await using server = await confined(",+net_bind_service");
    const daemon = await startDaemon(server.command, { log: server.log });
    try {
      await logged(daemon, /event=listening role=challenge/, { deadline: 300_000 });
      const get = (path: string) =>
        execute([
          ...["nsenter", "--target", String(daemon.pid), "--net"],
          ...["curl", "-sS", "-o", "-", "-w", "%{http_code}", `http://127.0.0.1${path}`],
        ]);
      const base = "/.well-known/acme-challenge";
      assert.equal((await get(`${base}/token`)).stdout, "Hello\n200");
      assert.match((await get(`${base}/link`)).stdout, /404$/);
      assert.match((await get("/")).stdout, /301$/);
    } finally {
      // The server itself: unshare ignores SIGTERM, and a change of user undoes its --kill-child.
      const children = `/proc/${daemon.pid}/task/${daemon.pid}/children`;
      for (const [pid] of (await Deno.readTextFile(children).catch(() => "")).matchAll(/\d+/g)) {
        Deno.kill(Number(pid), "SIGTERM");
      }
      await daemon.stop();
    }
  },
});

Deno.test({
  name: "serve without it says what it lacks, in one line",
  ignore,
  fn: async () => {
    await using server = await confined("");
    const { code, stderr } = await execute(server.command);
    assert.match(
      stderr,
      /^acme-lb: cannot listen on \[::\]:80: not permitted; .*CAP_NET_BIND_SERVICE.*\n$/,
    );
    assert.equal(code, 1);
  },
});
