/**
 * The executable as an operator has it: what both of its forms do alike. Each test's name says
 * which form it was that passed. The carrying form's first start is in compile/carry_sh_test.ts.
 */

import assert from "node:assert/strict";
import denoJson from "../deno.json" with { type: "json" };
import { permissionFlags } from "../compile/permissions.ts";
import { PERMISSIONS } from "../compile/run_flags.ts";
import {
  entries,
  executableCommand,
  executableForm,
  executablePath,
  runExecutable,
} from "./executable.ts";

const form = await executableForm();
const cache = await Deno.makeTempDir({ prefix: "acme-lb-test-" });
const env = { ACME_LB_CACHE: cache };

Deno.test.afterAll(() => Deno.remove(cache, { recursive: true }));

Deno.test(`${form} form: --version tells version, form, runtime and target`, async () => {
  const { code, stdout, stderr } = await runExecutable(["--version"], { env });
  assert.equal(stderr, "");
  assert.equal(
    stdout,
    `acme-lb ${denoJson.version} (${form} form, Deno ${Deno.version.deno}, ${Deno.build.target})\n`,
  );
  assert.equal(code, 0);
});

Deno.test(`${form} form: --help names every command without any environment`, async () => {
  const { code, stdout, stderr } = await runExecutable(["--help"], { env });
  assert.equal(stderr, "");
  for (const command of ["serve", "challenge-server", "proxy", "redirect", "check-config"]) {
    assert.match(stdout, new RegExp(`^ +${command}\\b`, "m"));
  }
  assert.equal(code, 0);
});

Deno.test(`${form} form: an unknown command is refused with the nearest name`, async () => {
  const { code, stdout, stderr } = await runExecutable(["serv"], { env });
  assert.equal(stdout, "");
  assert.match(stderr, /^acme-lb: .*serv.*serve.*\n$/);
  assert.equal(code, 64);
});

Deno.test(`${form} form: the caller's Deno, Node and npm settings change nothing`, async () => {
  const home = await Deno.makeTempDir();
  await Deno.writeTextFile(`${home}/.npmrc`, "registry=not an address\n");
  await Deno.writeTextFile(`${home}/preload.cjs`, "console.log('preloaded');\n");
  const { code, stdout, stderr } = await runExecutable(["--version"], {
    env: {
      ...env,
      HOME: home,
      DENO_DIR: `${home}/preload.cjs/not-a-directory`,
      DENO_SERVE_ADDRESS: "nonsense",
      NODE_OPTIONS: `--require ${home}/preload.cjs`,
    },
  });
  await Deno.remove(home, { recursive: true });
  assert.equal(stderr, "");
  assert.match(stdout, /^acme-lb .*\n$/);
  assert.equal(code, 0);
});

Deno.test(`${form} form: serve is the process that was started and ends on SIGTERM`, async () => {
  const listen = ["--public-listen", "127.0.0.1:0", "--challenge-listen", "127.0.0.1:0"];
  const command = await executableCommand(["serve", ...listen, "--webroot", cache], { env });
  await using process = command.spawn();
  await waitFor(process.stderr, /event=listening role=challenge/);
  const children = await Deno.readTextFile(`/proc/${process.pid}/task/${process.pid}/children`);
  assert.equal(children, "", "no shell or helper stays beside it");
  assert.equal((await Deno.readTextFile(`/proc/${process.pid}/comm`)).trim(), "acme-lb");
  process.kill("SIGTERM");
  const { code, signal } = await process.status;
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

Deno.test("deno.json gives each permission of the executable a reason", () => {
  assert.deepEqual(
    Object.keys(denoJson["//compile.permissions"]),
    Object.keys(denoJson.compile.permissions),
  );
});

Deno.test(`${form} form: its permissions are those of deno.json and the variables of lib/clients`, async () => {
  const bytes = await Deno.readFile(await executablePath());
  const text = new TextDecoder("latin1").decode(bytes);
  if (form === "carrying") {
    const [, start] = /^# gzip-compressed, from byte (\d+) on/m.exec(text)!;
    const flags = text.slice(0, Number(start)).match(
      /^ *become "\$home" run (.*) "\$home\/main\.js" "\$@"$/m,
    );
    const permissions = flags![1]!.split(" ").filter((flag) => /^--(allow|deny)-/.test(flag));
    assert.deepEqual(permissions, permissionFlags(PERMISSIONS));
    return;
  }
  const embedded = JSON.parse(text.match(/"permissions":(\{[^{}]*\})/)![1]!);
  assert.equal(embedded.prompt, false);
  assert.equal(embedded.allow_run, null);
  assert.equal(embedded.allow_ffi, null);
  assert.deepEqual(embedded.deny_import, []);
  assert.deepEqual(embedded.allow_env, PERMISSIONS.env);
  // An empty list is what the runtime calls all of a kind.
  assert.deepEqual(embedded.allow_sys, []);
});

Deno.test({
  name: "carrying form: under its own flags no program, library or variable is to be had",
  ignore: form !== "carrying",
  fn: async () => {
    await runExecutable(["--version"], { env });
    const [unpacked] = await entries(cache, "carried-");
    const runtime = `${cache}/${unpacked}/acme-lb`;
    const attempts: Record<string, string> = {
      run: `new Deno.Command("true").outputSync()`,
      ffi: `Deno.dlopen("libc.so.6", {})`,
      env: `Deno.env.get("PATH")`,
    };
    for (const [permission, attempt] of Object.entries(attempts)) {
      const probe = `${cache}/probe.js`;
      await Deno.writeTextFile(probe, `${attempt};`);
      const { code, stderr } = await new Deno.Command(runtime, {
        args: ["run", "--no-prompt", ...permissionFlags(PERMISSIONS), probe],
      }).output();
      assert.equal(code, 1, attempt);
      assert.match(new TextDecoder().decode(stderr), new RegExp(`--allow-${permission}`), attempt);
    }
  },
});

/** Reads a stream until a line matches, and leaves the rest of it unread. */
async function waitFor(stream: ReadableStream<Uint8Array>, pattern: RegExp): Promise<void> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (pattern.test(text)) return;
  }
  assert.fail(`ended before ${pattern}: ${text}`);
}
