/**
 * The scripts that ACME clients are given, run with the client replaced: when they renew, and that a
 * later run installs what a hook could not.
 */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { KINDS } from "../../lib/render/kinds.ts";
import { issue, NOW } from "../cert/issue.ts";
import { temporaryFolder } from "../temporary_folder.ts";

function rendered(kind: string, end: string): string {
  const config = parseConfig("cluster: {names: [a.test, b.test], email: me@a.test}\n", "c");
  const files = KINDS[kind]!.files(config, { node: "", staging: false });
  return files.find(({ path }) => path.endsWith(end))!.text;
}

/** Standard output of a shell script, which must succeed. */
async function shell(script: string, env: Record<string, string>): Promise<string> {
  const { stdout, stderr, code } = await new Deno.Command("bash", {
    args: ["-euo", "pipefail", "-c", script],
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", ...env },
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

async function withFolder(
  test: (folder: string, write: (name: string, text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  await using temporary = await temporaryFolder();
  const folder = temporary.path;
  await test(folder, async (name, text) => {
    await Deno.mkdir(`${folder}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${folder}/${name}`, text, { mode: 0o755 });
  });
}

/** Lifetimes in days, and what dehydrated (below) and lego (at most) compare the days left with. */
const LIFETIMES: [days: number, dehydrated: number, lego: number][] = [
  [6, 3, 2],
  [9, 4, 3],
  [10, 3, 2],
  [45, 15, 14],
  [64, 21, 20],
  [90, 30, 29],
  [365, 121, 120],
];

Deno.test("lego and dehydrated renew by the share of the lifetime that is left", () =>
  withFolder(async (folder, write) => {
    const certificate = `${folder}/certs/a/cert.pem`;
    const lego = rendered("lego", "/clients/lego").match(/^due\(\) \{\n[^]*?^\}\n/m)![0] + "due";
    await write("acme-lb.sh", rendered("dehydrated", "/acme-lb.sh"));
    const asked = () => shell(`. ${folder}/acme-lb.sh; echo $RENEW_DAYS`, { BASEDIR: folder });
    assert.equal(await asked(), "30", "before the first certificate");
    for (const [days, dehydrated, atMost] of LIFETIMES) {
      const notBefore = new Date(NOW.getTime() - 3600_000);
      const notAfter = new Date(notBefore.getTime() + days * 86_400_000);
      await write("certs/a/cert.pem", (await issue({ notBefore, notAfter })).pem);
      assert.equal(await asked(), String(dehydrated), `dehydrated: ${days} days`);
      assert.equal(await shell(lego, { certificate }), String(atMost), `lego: ${days} days`);
    }
    await write("certs/b/cert.pem", (await issue()).pem);
    assert.equal(await asked(), "29", "of two, the one with the shorter lifetime");
  }));

Deno.test("certbot's unit installs every lineage again, also after one that fails", () =>
  withFolder(async (folder, write) => {
    const [unit, script] = ["certbot.service.d/acme-lb.conf", "/hooks/certbot"].map((end) =>
      rendered("certbot", end)
    );
    assert.match(unit!, /^ExecStartPost=\/etc\/acme-lb\/hooks\/certbot$/m);
    for (const name of ["a.test", "b.test-0001"]) await write(`live/${name}/fullchain.pem`, "");
    await write("live/README", "");
    await write("live/left_over/x", "");
    const fails = '[ "${RENEWED_LINEAGE#*/a.t}" = "$RENEWED_LINEAGE" ]';
    await write("acme-lb", `#!/bin/sh\necho "$RENEWED_LINEAGE"\n${fails}\n`);
    await write("certbot", script!.replaceAll("/etc/letsencrypt/live", `${folder}/live`));
    const env = { PATH: `${folder}:/usr/bin:/bin` };
    const said = await shell(`${folder}/certbot || echo "code $?"`, env);
    assert.deepEqual(said.split("\n"), [
      ...[`${folder}/live/a.test/`, `${folder}/live/b.test-0001/`, "code 1"],
    ]);
    assert.equal(await shell(`${folder}/certbot`, { ...env, RENEWED_LINEAGE: "/one" }), "/one");
    const failed = await shell(`${folder}/certbot || echo "code $?"`, {
      ...env,
      RENEWED_LINEAGE: "/live/a.test",
    });
    assert.equal(failed, "/live/a.test\ncode 1");
  }));

Deno.test("lego's script orders or renews, and installs each time", () =>
  withFolder(async (folder, write) => {
    const script = rendered("lego", "/clients/lego").replaceAll("/var/lib/lego", `${folder}/state`)
      .replaceAll("/etc/acme-lb/hooks/lego", `${folder}/hook`);
    await write("client", script);
    await write(
      "hook",
      '#!/bin/sh\necho "$LEGO_CERT_DOMAIN $LEGO_CERT_PATH $LEGO_CERT_KEY_PATH"\n',
    );
    await write("bin/lego", '#!/bin/sh\nfor word; do :; done\necho "$word"\n');
    const env = { PATH: `${folder}/bin:/usr/bin:/bin` };
    const stem = `${folder}/state/certificates/a.test`;
    const installed = `a.test ${stem}.crt ${stem}.key`;
    assert.equal(await shell(`${folder}/client`, env), `run\n${installed}`);
    await write("state/certificates/a.test.crt", (await issue()).pem);
    assert.equal(await shell(`${folder}/client`, env), `28\n${installed}`);
    await write(
      "bin/lego",
      '#!/bin/sh\n[ "$*" != "renew --help" ] || echo "--dynamic  reckons"\n' +
        'for word; do :; done\necho "$word"\n',
    );
    assert.equal(await shell(`${folder}/client`, env), `--dynamic\n${installed}`);
    await write("bin/lego", "#!/bin/sh\nexit 1\n");
    assert.equal(await shell(`${folder}/client || echo failed`, env), "failed");
  }));

Deno.test("acme.sh's script orders, and installs also when nothing is due", () =>
  withFolder(async (folder, write) => {
    await write("client", rendered("acme.sh", "/clients/acme.sh"));
    const run = async (code: number) => {
      await write("acme.sh", `#!/bin/sh\necho "$1"\n[ "$1" != --issue ] || exit ${code}\n`);
      return await shell(`${folder}/client || echo failed`, { PATH: `${folder}:/usr/bin:/bin` });
    };
    assert.equal(await run(0), "--issue\n--install-cert");
    assert.equal(await run(2), "--issue\n--install-cert");
    assert.equal(await run(1), "--issue\nfailed");
  }));

Deno.test("acme.sh's script makes it renew by the share of the lifetime that is left", () =>
  withFolder(async (folder, write) => {
    await write("client", rendered("acme.sh", "/clients/acme.sh"));
    await write("acme.sh", '#!/bin/sh\n[ "$1" != --issue ] || echo "$HOME $2"\n');
    const hour = 3600_000;
    const table: [lifetimeHours: number, leftHours: number, forced: boolean][] = [
      [160, 81, false],
      [160, 79, true],
      [45 * 24, 15 * 24 + 1, false],
      [45 * 24, 15 * 24 - 1, true],
      [90 * 24, 31 * 24, false],
    ];
    for (const [lifetime, left, forced] of table) {
      const notAfter = new Date(Date.now() + left * hour);
      const notBefore = new Date(notAfter.getTime() - lifetime * hour);
      const { pem } = await issue({ notBefore, notAfter });
      await write(".acme.sh/a.test_ecc/a.test.cer", pem);
      const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder };
      const said = `${folder} ${forced ? "--force" : "--server"}`;
      assert.equal(await shell(`${folder}/client`, env), said, `${lifetime} ${left}`);
    }
    const env = { PATH: `${folder}:/usr/bin:/bin` };
    assert.equal(await shell(`${folder}/client`, env), "/root --server", "of a unit of systemd");
  }));
