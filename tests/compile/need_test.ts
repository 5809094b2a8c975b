/**
 * Every permission of the executable is needed: a job that works with all of them, and does not
 * with all but one. A permission, a variable or a kind that no job here needs has to go.
 */

import assert from "node:assert/strict";
import type { Permissions } from "../../compile/permissions.ts";
import { type Answer, ask, type AskOptions, bundled, PERMISSIONS } from "./modules.ts";

const folder = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
const main = await bundled(folder);

Deno.test.afterAll(() => Deno.remove(folder, { recursive: true }));

interface Job extends AskOptions {
  args: string[];
  /** The permission, and the values of its list, that the job is to show the need for. */
  needs: [permission: string, ...values: string[]];
  /** Instead of acme-lb. */
  program?: string;
  works(answer: Answer): boolean;
}

const out = `${folder}/out.pem`;
const done = ({ code }: Answer) => code === 0;

// A key and a certificate, under the names that each client gives them.
const pem = `${folder}/some.pem`;
await ask(main, ["self-signed", "--name", "a.example", "--out", pem]);
for (const client of ["certbot", "acmetool"]) {
  const live = `${folder}/${client}/live/a.example`;
  await Deno.mkdir(live, { recursive: true });
  for (const name of ["privkey", "cert", "chain", "fullchain"]) {
    await Deno.copyFile(pem, client === "certbot" ? `${live}/${name}.pem` : `${live}/${name}`);
  }
}
await Deno.writeTextFile(`${folder}/config.yaml`, "peers: []\n");
await Deno.writeTextFile(
  `${folder}/notify.js`,
  `console.log((await Deno.permissions.query({ name: "env", variable: "NOTIFY_SOCKET" })).state);`,
);
await Deno.writeTextFile(
  `${folder}/import.js`,
  `console.log((await Deno.permissions.query({ name: "import", host: "jsr.io" })).state);`,
);

interface Hook {
  env: Record<string, string>;
  args?: string[];
  stdin?: string;
}

function hook(client: string, { env, args = [], stdin }: Hook): Omit<Job, "needs"> {
  const words = args.length > 0 ? ["--", ...args] : [];
  return {
    args: ["assemble-pem", "--hook", client, "--out", out, ...words],
    env,
    stdin,
    works: done,
  };
}

const JOBS: Job[] = [
  {
    needs: ["read"],
    args: ["check-config", "--config", `${folder}/config.yaml`],
    works: done,
  },
  {
    needs: ["write"],
    args: ["self-signed", "--name", "a.example", "--out", out],
    works: done,
  },
  {
    // An address that this machine does not have. Without the permission, the error is another one.
    needs: ["net"],
    args: ["challenge-server", "--listen", "192.0.2.1:0", "--webroot", folder],
    works: ({ stderr }) => /the address is not on this machine/.test(stderr),
  },
  {
    needs: ["sys"],
    args: ["check-config", "--config", `${folder}/config.yaml`],
    works: done,
  },
  {
    needs: ["env", "ACME_LB_SELF"],
    args: ["render", "systemd"],
    env: { ACME_LB_SELF: "/opt/some/acme-lb" },
    works: ({ stdout }) => stdout.includes("ExecStart=/opt/some/acme-lb serve"),
  },
  {
    needs: ["env", "RUNTIME_DIRECTORY"],
    args: ["check-config", "--running", "--config", `${folder}/config.yaml`],
    env: { RUNTIME_DIRECTORY: `${folder}/run` },
    works: ({ stderr }) => stderr.includes(`cannot read ${folder}/run/state.json: it is missing`),
  },
  {
    // What needs it serves until it is ended.
    needs: ["env", "NOTIFY_SOCKET"],
    program: `${folder}/notify.js`,
    args: [],
    works: ({ stdout }) => stdout === "granted\n",
  },
  {
    needs: ["env", "RENEWED_LINEAGE"],
    ...hook("certbot", { env: { RENEWED_LINEAGE: `${folder}/certbot/live/a.example` } }),
  },
  {
    needs: ["env", "ACME_STATE_DIR"],
    ...hook("acmetool", {
      env: { ACME_STATE_DIR: `${folder}/acmetool` },
      args: ["live-updated"],
      stdin: "a.example\n",
    }),
  },
  {
    needs: [
      "env",
      "LEGO_CERT_DOMAIN",
      "LEGO_CERT_PATH",
      "LEGO_CERT_KEY_PATH",
      "LEGO_ISSUER_CERT_PATH",
    ],
    ...hook("lego", {
      env: { LEGO_CERT_DOMAIN: "a.example", LEGO_CERT_PATH: pem, LEGO_CERT_KEY_PATH: pem },
    }),
  },
  {
    needs: [
      "env",
      "LEGO_HOOK_CERT_NAME",
      "LEGO_HOOK_CERT_PATH",
      "LEGO_HOOK_CERT_KEY_PATH",
      "LEGO_HOOK_ISSUER_CERT_PATH",
    ],
    ...hook("lego", {
      env: {
        LEGO_HOOK_CERT_NAME: "a.example",
        LEGO_HOOK_CERT_PATH: pem,
        LEGO_HOOK_CERT_KEY_PATH: pem,
      },
    }),
  },
  {
    needs: ["env", "CERT_KEY_PATH", "CERT_FULLCHAIN_PATH", "Le_Domain"],
    ...hook("acme.sh", {
      env: { CERT_KEY_PATH: pem, CERT_FULLCHAIN_PATH: pem, Le_Domain: "a.example" },
    }),
  },
  {
    // A denied permission. Without it Deno would fetch code from its default hosts, of which this
    // is one.
    needs: ["import"],
    program: `${folder}/import.js`,
    args: [],
    works: ({ stdout }) => stdout === "denied\n",
  },
];

/** The permissions without one of them, or without one value of its list. */
function without(permission: string, value?: string): Permissions {
  const { [permission]: grant, ...rest } = PERMISSIONS;
  if (value === undefined) return rest;
  const values = (grant as string[]).filter((other) => other !== value);
  assert.equal(values.length, (grant as string[]).length - 1, `${value} is in deno.json`);
  return { ...rest, [permission]: values };
}

for (const job of JOBS) {
  const [permission, ...values] = job.needs;
  const { program = main, args, works } = job;
  const what = args.filter((word) => !word.startsWith(folder)).join(" ") || "no foreign code";
  Deno.test(`acme-lb needs ${job.needs.join(", ")} for ${what}`, async () => {
    // Remove the output of an earlier run, because an existing file is not written again.
    await Deno.remove(out).catch(() => {});
    const answer = await ask(program, args, job);
    assert.ok(works(answer), `with all permissions: ${JSON.stringify(answer)}`);
    for (const value of values.length > 0 ? values : [undefined]) {
      await Deno.remove(out).catch(() => {});
      const denied = await ask(program, args, { ...job, permissions: without(permission, value) });
      assert.ok(!works(denied), `without ${value ?? permission}: ${JSON.stringify(denied)}`);
    }
  });
}

Deno.test("each permission in deno.json is tested above, and all others are refused", () => {
  const needed = (name: string) => JOBS.filter(({ needs }) => needs[0] === name);
  for (const [name, grant] of Object.entries(PERMISSIONS)) {
    if (grant === false) continue;
    assert.ok(needed(name).length > 0, name);
    const values = needed(name).flatMap(({ needs }) => needs.slice(1)).toSorted();
    if (Array.isArray(grant)) assert.deepEqual(values, grant.toSorted(), name);
  }
  assert.deepEqual([PERMISSIONS["run"], PERMISSIONS["ffi"]], [false, false]);
});
