/** acmetool's files, beyond what examples/article shows. Whether acmetool obeys is in tests/e2e. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { acmetoolFiles } from "../../lib/render/acmetool_setup.ts";
import { parseYaml } from "../../lib/yaml.ts";

function files(yaml: string): Map<string, string> {
  const config = parseConfig(`${yaml}\ncluster: {names: [a.example, b.example]}`, "config.yaml");
  return new Map(acmetoolFiles(config).map(({ path, text }) => [path.split("/").at(-1)!, text]));
}

Deno.test("acmetool writes to the first webroot, and its unit allows that", () => {
  const given = files('webroot: ["/srv/a b%c", /srv/other]');
  const target = parseYaml(given.get("target")!).value as {
    request: { challenge: Record<string, string[]> };
  };
  assert.deepEqual(target.request.challenge["webroot-paths"], ["/srv/a b%c"]);
  assert.match(given.get("acme-lb.conf")!, /^ReadWritePaths="-\/srv\/a b%%c"$/m);
  assert.doesNotMatch(files("").get("acme-lb.conf")!, /^ReadWritePaths=.*run/m);
  // Where the hook leaves its outcome, in the directory of the server's user.
  const writable = (yaml: string) =>
    files(yaml).get("acme-lb.conf")!.match(/^(?:ReadWritePaths|CapabilityBoundingSet)=.*$/gm);
  assert.deepEqual(writable("state: /srv/state"), [
    "ReadWritePaths=-/etc/haproxy/certs",
    "ReadWritePaths=-/srv/state",
    "CapabilityBoundingSet=CAP_DAC_OVERRIDE",
  ]);
  // What a hook that failed has left is made good after the next run.
  assert.match(given.get("acme-lb.conf")!, /^ExecStartPost=.*live-updated'$/m);
});

Deno.test("acmetool orders one certificate for all names, and its hook updates each of HAProxy's sockets", () => {
  const given = files(`haproxy: {sockets: [/run/a.sock, "/run/it's b"]}`);
  assert.deepEqual(parseYaml(given.get("a.example")!).value, {
    satisfy: { names: ["a.example", "b.example"] },
  });
  const hook = given.get("acme-lb")!;
  assert.match(hook, /^#!\/bin\/sh\n/);
  assert.match(
    hook,
    / --haproxy-socket \/run\/a\.sock \\\n {2}--haproxy-socket '\/run\/it'\\''s b' /,
  );
});
