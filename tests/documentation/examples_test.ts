/**
 * examples/ as a whole: each part of it is loaded by its own program in some test, its scripts are
 * scripts, and acme.sh, which is in no package registry, is at least called as it documents.
 */

import assert from "node:assert/strict";
import { issue, NOW } from "../cert/issue.ts";
import { works } from "../works.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Where each part is loaded, by a test that names it. */
const LOADED_IN: Record<string, string> = {
  "article": "tests/render/examples_test.ts",
  "clients": "docs/clients.md",
  "config.yaml": "tests/render/examples_test.ts",
  "demo.ts": "install.sh",
  "demo_fleet.ts": "tests/fleet_test.ts",
  "hooks": "tests/e2e/hooks.ts",
  "monitoring": "tests/monitoring_examples_test.ts",
  "nginx-migration": "tests/e2e/nginx.ts",
  "systemd": "tests/render/systemd_test.ts",
};

Deno.test("each part of examples/ is loaded in a test, or by the commands of a page", async () => {
  const parts = await Array.fromAsync(Deno.readDir(`${ROOT}examples`), ({ name }) => name);
  assert.deepEqual(parts.sort(), Object.keys(LOADED_IN).sort());
  for (const [part, test] of Object.entries(LOADED_IN)) {
    const text = await Deno.readTextFile(`${ROOT}${test}`);
    const named = text.includes(`examples/${part}`) ||
      (text.includes('examples/"') || text.includes("examples/`")) && text.includes(part);
    assert.ok(named, `${test} does not name examples/${part}`);
  }
});

Deno.test("each file for an ACME client is named on the page whose commands are run", async () => {
  const page = await Deno.readTextFile(`${ROOT}docs/clients.md`);
  for (const path of await filesBelow("examples/clients")) {
    const folder = path.replace(/[^/]*$/, "");
    assert.ok(page.includes(path) || page.includes(`${folder}*`), path);
  }
  for (const path of await filesBelow("examples/hooks")) assert.ok(page.includes(path), path);
});

const scripts = [...await filesBelow("examples/hooks"), ...await filesBelow("examples/clients")];

Deno.test("what may be run there is a shell script that a shell can read, and the rest is not", async () => {
  for (const path of scripts) {
    const file = `${ROOT}${path}`;
    const script = (await Deno.readTextFile(file)).startsWith("#!/bin/sh\n");
    assert.equal(((await Deno.stat(file)).mode! & 0o111) !== 0, script, path);
    if (script) assert.ok(await works("sh", { args: ["-n", file] }), path);
  }
});

const shellcheck = await works("shellcheck", { args: ["--version"] });
// deno-lint-ignore no-console -- the reason belongs beside the test's "ignored" line
if (!shellcheck) console.error("skipped: scripts of examples/ under shellcheck: not installed");

Deno.test({
  name: "the scripts there are clean under shellcheck",
  ignore: !shellcheck,
  async fn() {
    const shell = [];
    for (const path of scripts) {
      if ((await Deno.readTextFile(`${ROOT}${path}`)).startsWith("#!/bin/sh\n")) shell.push(path);
    }
    const { stdout } = await new Deno.Command("shellcheck", { args: shell, cwd: ROOT }).output();
    assert.equal(new TextDecoder().decode(stdout), "");
  },
});

Deno.test("acme.sh's order is one for the webroot, and one that remembers the hook", async () => {
  const folder = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
  try {
    const order = async (code: number) => {
      const text = `#!/bin/sh\necho "$@"\n[ "$1" != --issue ] || exit ${code}\n`;
      await Deno.writeTextFile(`${folder}/acme.sh`, text, { mode: 0o755 });
      const { stdout } = await new Deno.Command(`${ROOT}examples/clients/acme.sh/order`, {
        clearEnv: true,
        env: { PATH: `${folder}:/usr/bin:/bin` },
      }).output();
      return new TextDecoder().decode(stdout).trim().split("\n");
    };
    const issue = "--issue --server letsencrypt -d service.example -w /run/acme/acme-challenge";
    const install = "--install-cert -d service.example --reloadcmd /etc/acme-lb/hooks/acme.sh";
    // 2 when nothing is due: then too, what a hook that failed has left is installed.
    for (const code of [0, 2]) assert.deepEqual(await order(code), [issue, install]);
    assert.deepEqual(await order(1), [issue]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Runs a piece of shell with the examples' commands replaced; its standard output. */
async function shell(script: string, env: Record<string, string>): Promise<string> {
  const { stdout, stderr, code } = await new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", script],
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", ...env },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

/** Lifetimes in days, and the days left at which each client's file renews them. */
const LIFETIMES: [days: number, dehydrated: number, lego: number][] = [
  [6, 3, 2],
  [9, 4, 3],
  [10, 3, 2],
  [45, 15, 14],
  [64, 21, 20],
  [90, 30, 29],
  [365, 121, 120],
];

Deno.test("the files for lego and dehydrated renew by the share of the lifetime that is left", async () => {
  const folder = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
  try {
    await Deno.mkdir(`${folder}/certs/a`, { recursive: true });
    const certificate = `${folder}/certs/a/cert.pem`;
    const lego = (await Deno.readTextFile(`${ROOT}examples/clients/lego/renew`))
      .match(/^due\(\) \{\n[^]*?^\}\n/m)![0];
    const config = `${ROOT}examples/clients/dehydrated/acme-lb.sh`;
    const asked = () => shell(`. ${config}; echo $RENEW_DAYS`, { BASEDIR: folder });
    assert.equal(await asked(), "30", "before the first certificate");
    for (const [days, dehydrated, ours] of LIFETIMES) {
      const notBefore = new Date(NOW.getTime() - 3600_000);
      const notAfter = new Date(notBefore.getTime() + days * 86_400_000);
      await Deno.writeTextFile(certificate, (await issue({ notBefore, notAfter })).pem);
      assert.equal(await asked(), String(dehydrated), `dehydrated: ${days} days`);
      const said = await shell(`${lego}due`, { certificate });
      assert.equal(said, String(ours), `lego: ${days} days`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what a hook could not install is installed by the next run of certbot and of lego", async () => {
  const folder = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
  try {
    const write = (name: string, text: string) =>
      Deno.writeTextFile(`${folder}/${name}`, text, { mode: 0o755 });
    const moved = async (path: string) =>
      (await Deno.readTextFile(`${ROOT}examples/${path}`))
        .replaceAll("/etc/letsencrypt/live", `${folder}/live`)
        .replaceAll("/var/lib/lego", `${folder}/lego`)
        .replaceAll("/etc/acme-lb/hooks", folder);
    for (const name of ["a.example", "b.example-0001"]) {
      await Deno.mkdir(`${folder}/live/${name}`, { recursive: true });
      await write(`live/${name}/fullchain.pem`, "");
    }
    await write("live/README", "");
    // The hook of a.example fails, and b.example is installed all the same.
    await write(
      "acme-lb",
      '#!/bin/sh\necho "$RENEWED_LINEAGE"\n[ "${RENEWED_LINEAGE#*/a.ex}" = "$RENEWED_LINEAGE" ]\n',
    );
    await write("certbot", await moved("hooks/certbot"));
    const path = `${folder}:/usr/bin:/bin`;
    const all = await shell(`${folder}/certbot || echo "code $?"`, { PATH: path });
    assert.deepEqual(all.split("\n"), [
      `${folder}/live/a.example/`,
      `${folder}/live/b.example-0001/`,
      "code 1",
    ]);
    const one = { PATH: path, RENEWED_LINEAGE: "/only" };
    assert.equal(await shell(`${folder}/certbot`, one), "/only");

    await Deno.mkdir(`${folder}/lego/certificates`, { recursive: true });
    await write("lego/certificates/service.example.crt", (await issue()).pem);
    const client = await moved("clients/lego/renew");
    await write("client", client.replace(`exec ${folder}/lego\n`, `exec ${folder}/hook\n`));
    await Deno.mkdir(`${folder}/bin`);
    await write("bin/lego", '#!/bin/sh\ncase "$*" in *"renew --days "*) echo renewed ;; esac\n');
    await write(
      "hook",
      '#!/bin/sh\necho "$LEGO_CERT_DOMAIN $LEGO_CERT_PATH $LEGO_CERT_KEY_PATH"\n',
    );
    const said = await shell(`${folder}/client`, { PATH: `${folder}/bin:/usr/bin:/bin` });
    const stem = `${folder}/lego/certificates/service.example`;
    assert.equal(said, `renewed\nservice.example ${stem}.crt ${stem}.key`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Paths from the checkout. */
async function filesBelow(folder: string): Promise<string[]> {
  const paths = [];
  for await (const { name, isDirectory } of Deno.readDir(`${ROOT}${folder}`)) {
    const path = `${folder}/${name}`;
    paths.push(...isDirectory ? await filesBelow(path) : [path]);
  }
  return paths.sort();
}
