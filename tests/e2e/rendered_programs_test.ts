/**
 * Rendered files are loaded by their programs: keepalived and HAProxy read and check them, for the
 * examples and for clusters of any size.
 *
 * In a network namespace with the cluster's interface, and with a directory of ours as /etc/haproxy.
 * keepalived runs as process 1 of a new namespace: up to 2.2.7 (Debian 12) its -t ends itself with
 * a signal when a file has a script, because it assumes that its parent has died unless the parent
 * has the id 0.
 */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { haproxyFiles } from "../../lib/render/haproxy.ts";
import { keepalivedFiles } from "../../lib/render/keepalived.ts";
import { issue } from "../cert/issue.ts";
import { clusterYaml } from "../render/cluster_yaml.ts";
import { haproxyLacksAcme } from "./haproxy_version.ts";
import { execute } from "./network.ts";
import { lacking } from "./requirements.ts";
import { inTemporaryFolder } from "../temporary_folder.ts";

const EXAMPLES = new URL("../../examples/article/", import.meta.url).pathname;

const noKeepalived = lacking({
  for: "keepalived's view of what is rendered",
  root: true,
  programs: ["keepalived", "ip", "unshare"],
});
const noHaproxy = lacking({
  for: "HAProxy's view of what is rendered",
  root: true,
  programs: ["haproxy", "unshare"],
});

/** Prints `FILE: STATUS` for each file, and the output of the program. */
const CHECK_KEEPALIVED = `
ip link add eth0 type veth peer name cable
for file; do
  unshare --pid --fork keepalived --log-console --no-syslog --config-test -f "$file" 2>&1
  echo "$file: $?"
done`;
const CHECK_HAPROXY = `
mount --bind "$1" /etc/haproxy; shift
for file; do haproxy -c -q -dW -f "$file" 2>&1; echo "$file: $?"; done`;

async function assertLoads(
  files: Map<string, string>,
  { check, directory }: { check: string; directory: string },
): Promise<void> {
  const paths = await Promise.all(
    files.entries().map(async ([name, text]) => {
      const path = `${directory}/${name}`;
      await Deno.writeTextFile(path, text);
      return path;
    }),
  );
  const words = check === CHECK_HAPROXY ? [`${directory}/haproxy`, ...paths] : paths;
  const { stdout, stderr } = await execute([
    ...["unshare", "--net", "--mount", "sh", "-c", check, "sh", ...words],
  ], { deadline: 300_000 });
  assert.deepEqual(stdout.trimEnd().split("\n"), paths.map((path) => `${path}: 0`), stderr);
}

/** Something for HAProxy's `crt` and `ca-file`. */
async function haproxyDirectory(directory: string): Promise<void> {
  for (const name of ["certs", "acme"]) {
    await Deno.mkdir(`${directory}/haproxy/${name}`, { recursive: true });
  }
  const { key, pem } = await issue({ names: ["service.example"] });
  await Deno.writeTextFile(`${directory}/haproxy/certs/service.example.pem`, key.pem + pem);
  await Deno.writeTextFile(`${directory}/haproxy/backend-ca.pem`, pem);
}

/** Every configuration of the examples, and clusters of 1 to 5 balancers with 1 to 8 addresses. */
async function configurations(): Promise<Map<string, string>> {
  const all = new Map<string, string>();
  for (const name of ["config", "ipv4-only", "ipv6-only"]) {
    all.set(name, await Deno.readTextFile(`${EXAMPLES}${name}.yaml`));
  }
  for (let nodes = 1; nodes <= 5; nodes++) {
    for (let addresses = 1; addresses <= 8; addresses++) {
      all.set(`${nodes}-${addresses}`, clusterYaml({ nodes, addresses }));
    }
  }
  const more = "  unicast: true\n  preempt_delay: 30s\n  hsts: true\n  backend_name: false\n";
  for (const nodes of [1, 2, 4]) {
    all.set(`unicast-${nodes}`, clusterYaml({ nodes, addresses: 4 }) + more);
  }
  // As many as can be, in names as long as they can be.
  const long = clusterYaml({ nodes: 50, addresses: 100 })
    .replaceAll(/^ {4}lb(\d+):/gm, (_, i) => `    ${i.padEnd(63, "x")}:`);
  all.set("largest", `${long}  virtual_router_id: 156\n`);
  return all;
}

Deno.test({
  name: "keepalived takes what is rendered, for every balancer, without a word",
  ignore: noKeepalived,
  fn: () =>
    inTemporaryFolder(async (directory) => {
      const files = new Map<string, string>();
      for (const [name, yaml] of await configurations()) {
        const config = parseConfig(yaml, name);
        for (const node of Object.keys(config.cluster.nodes).slice(0, 5)) {
          files.set(`${name}-${node}`, keepalivedFiles(config, { node })[0]!.text);
        }
      }
      await assertLoads(files, { check: CHECK_KEEPALIVED, directory });
    }),
});

Deno.test({
  name: "keepalived does refuse a file with a mistake here",
  ignore: noKeepalived,
  fn: () =>
    inTemporaryFolder(async (directory) => {
      const [file] = keepalivedFiles(
        parseConfig(clusterYaml({ nodes: 1, addresses: 1 }), "config.yaml"),
        { node: "lb0" },
      );
      const broken = file!.text.replace("priority 150", "priority 301");
      const files = new Map([["broken", broken]]);
      await assert.rejects(assertLoads(files, { check: CHECK_KEEPALIVED, directory }), /outside/);
    }),
});

const oldHaproxy = noHaproxy || await haproxyLacksAcme();

Deno.test({
  name: "HAProxy that orders by itself takes what is rendered for it without a warning",
  ignore: oldHaproxy,
  fn: () =>
    inTemporaryFolder(async (directory) => {
      await haproxyDirectory(directory);
      const files = new Map<string, string>();
      const all = [
        ...["config", "ipv4-only", "ipv6-only"].map(async (name): Promise<[string, string]> => [
          name,
          await Deno.readTextFile(`${EXAMPLES}${name}.yaml`),
        ]),
        ["email", `${clusterYaml({ nodes: 1, addresses: 1 })}  email: ops@service.example\n`],
      ] as (Promise<[string, string]> | [string, string])[];
      for (const [name, yaml] of await Promise.all(all)) {
        const options = { acme: true, staging: name === "email" };
        files.set(name, haproxyFiles(parseConfig(yaml, name), options)[0]!.text);
      }
      await assertLoads(files, { check: CHECK_HAPROXY, directory });
    }),
});

Deno.test({
  name: "HAProxy takes what is rendered without a warning",
  ignore: noHaproxy,
  fn: () =>
    inTemporaryFolder(async (directory) => {
      await haproxyDirectory(directory);
      const files = new Map<string, string>();
      const odd = clusterYaml({ nodes: 1, addresses: 1 });
      const all = [
        ...await configurations(),
        ["odd", `${odd}  backend_tls: false\nhaproxy: {sockets: ["/run/a b$c\\"d#"]}\n`],
        ["mapped", odd.replace("192.0.2.201", "[::ffff:192.0.2.201]")],
      ] as [string, string][];
      for (const [name, yaml] of all) {
        files.set(name, haproxyFiles(parseConfig(yaml, name))[0]!.text);
      }
      await assertLoads(files, { check: CHECK_HAPROXY, directory });
    }),
});
