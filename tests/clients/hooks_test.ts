import assert from "node:assert/strict";
import fc from "fast-check";
import { UsageError } from "../../lib/errors.ts";
import { fileStem, type HookCall } from "../../lib/clients/hook.ts";
import { type ClientName, HOOKS } from "../../lib/clients/hooks.ts";

function call(
  { args = [], env = {}, stdin }: { args?: string[]; env?: Record<string, string>; stdin?: string },
): HookCall {
  return {
    args,
    env: (name) => env[name],
    stdin: () => {
      assert.ok(stdin !== undefined, "standard input was read although the client sends none");
      return Promise.resolve(stdin);
    },
  };
}

Deno.test("acmetoolHook gives the files of each changed name when the event is live-updated", async () => {
  const outcome = await HOOKS.acmetool(call({
    args: ["live-updated"],
    env: { ACME_STATE_DIR: "/srv/acme" },
    stdin: "a.example\n\n*.b.example\na.example\n",
  }));
  assert.deepEqual(outcome, {
    kind: "issued",
    certificates: [
      {
        stem: "a.example",
        key: "/srv/acme/live/a.example/privkey",
        certificates: ["/srv/acme/live/a.example/fullchain"],
      },
      {
        stem: "_.b.example",
        key: "/srv/acme/live/*.b.example/privkey",
        certificates: ["/srv/acme/live/*.b.example/fullchain"],
      },
    ],
  });
});

Deno.test("acmetoolHook answers 42 for events that it does not handle, without reading them", async () => {
  for (
    const event of ["challenge-http-start", "challenge-http-stop", "challenge-dns-start", "x", ""]
  ) {
    const outcome = await HOOKS.acmetool(call({ args: [event, "a.example", "file", "token"] }));
    assert.deepEqual(outcome, { kind: "ignored", exitCode: 42 }, event);
  }
});

Deno.test("acmetoolHook installs nothing when nothing changed, and has acmetool's default directory", async () => {
  const none = await HOOKS.acmetool(call({ args: ["live-updated"], stdin: "\n" }));
  assert.deepEqual(none, { kind: "issued", certificates: [] });
  const one = await HOOKS.acmetool(call({ args: ["live-updated"], stdin: "a.example" }));
  assert.match(JSON.stringify(one), /"\/var\/lib\/acme\/live\/a.example\/privkey"/);
});

Deno.test("certbotHook takes the lineage when RENEWED_LINEAGE is set", async () => {
  for (
    const lineage of [
      "/etc/letsencrypt/live/a.example-0001",
      "/etc/letsencrypt/live/a.example-0001/",
    ]
  ) {
    assert.deepEqual(await HOOKS.certbot(call({ env: { RENEWED_LINEAGE: lineage } })), {
      kind: "issued",
      certificates: [{
        stem: "a.example-0001",
        key: "/etc/letsencrypt/live/a.example-0001/privkey.pem",
        certificates: ["/etc/letsencrypt/live/a.example-0001/fullchain.pem"],
      }],
    });
  }
});

Deno.test("legoHook reads the variables of version 4, with and without the issuer's", async () => {
  const env = {
    LEGO_ACCOUNT_EMAIL: "ops@a.example",
    LEGO_CERT_DOMAIN: "*.a.example",
    LEGO_CERT_PATH: "/l/_.a.example.crt",
    LEGO_CERT_KEY_PATH: "/l/_.a.example.key",
  };
  const expected = {
    stem: "_.a.example",
    key: "/l/_.a.example.key",
    certificates: ["/l/_.a.example.crt"],
    issuer: "/l/_.a.example.issuer.crt",
  };
  assert.deepEqual(await HOOKS.lego(call({ env })), { kind: "issued", certificates: [expected] });
  const named = { ...env, LEGO_ISSUER_CERT_PATH: "/l/i.crt" };
  assert.deepEqual(await HOOKS.lego(call({ env: named })), {
    kind: "issued",
    certificates: [{ ...expected, issuer: "/l/i.crt" }],
  });
});

Deno.test("legoHook reads the variables of version 5, and prefers them", async () => {
  const env = {
    LEGO_HOOK_CERT_NAME: "shop",
    LEGO_HOOK_CERT_PATH: "/l/shop.crt",
    LEGO_HOOK_CERT_KEY_PATH: "/l/shop.key",
    LEGO_HOOK_ISSUER_CERT_PATH: "/l/shop.issuer.crt",
    LEGO_CERT_PATH: "/old.crt",
  };
  assert.deepEqual(await HOOKS.lego(call({ env })), {
    kind: "issued",
    certificates: [{
      stem: "shop",
      key: "/l/shop.key",
      certificates: ["/l/shop.crt"],
      issuer: "/l/shop.issuer.crt",
    }],
  });
});

Deno.test("dehydratedHook takes deploy_cert, filed under the directory of the alias", async () => {
  const directory = "/var/lib/dehydrated/certs/a.example_ecdsa";
  const files = ["privkey", "cert", "fullchain", "chain"].map((name) => `${directory}/${name}.pem`);
  const outcome = await HOOKS.dehydrated(
    call({ args: ["deploy_cert", "a.example", ...files, "17"] }),
  );
  assert.deepEqual(outcome, {
    kind: "issued",
    certificates: [{
      stem: "a.example_ecdsa",
      key: `${directory}/privkey.pem`,
      certificates: [`${directory}/fullchain.pem`],
    }],
  });
});

Deno.test("dehydratedHook succeeds and does nothing for every event that is not deploy_cert", async () => {
  const events = [
    ...["startup_hook", "exit_hook", "deploy_challenge", "clean_challenge", "unchanged_cert"],
    ...["sync_cert", "deploy_ocsp", "invalid_challenge", "request_failure", "generate_csr"],
    "this_hookscript_is_broken__dehydrated_is_working_fine__please_ignore_unknown_hooks_in_your_script",
  ];
  for (const event of events) {
    const args = [event, "a.example", "-token", "value"];
    assert.deepEqual(
      await HOOKS.dehydrated(call({ args })),
      { kind: "ignored", exitCode: 0 },
      event,
    );
  }
});

Deno.test("acmeShHook takes the variables that acme.sh exports around --reloadcmd", async () => {
  const home = "/root/.acme.sh/a.example_ecc";
  const env = {
    CERT_PATH: `${home}/a.example.cer`,
    CERT_KEY_PATH: `${home}/a.example.key`,
    CA_CERT_PATH: `${home}/ca.cer`,
    CERT_FULLCHAIN_PATH: `${home}/fullchain.cer`,
    Le_Domain: "a.example",
  };
  assert.deepEqual(await HOOKS["acme.sh"](call({ env })), {
    kind: "issued",
    certificates: [{
      stem: "a.example",
      key: `${home}/a.example.key`,
      certificates: [`${home}/fullchain.cer`],
    }],
  });
});

Deno.test("every hook says what is missing when it is not called by its client", async () => {
  const table: Record<ClientName, RegExp> = {
    "acmetool": /event is missing; .* -- "\$@"/,
    "certbot": /RENEWED_LINEAGE is not set; is this called as certbot's --deploy-hook\?/,
    "lego": /LEGO_CERT_PATH is not set/,
    "dehydrated": /event is missing; .* -- "\$@"/,
    "acme.sh": /Le_Domain is not set; is this called as acme.sh's --reloadcmd\?/,
  };
  for (const [client, reason] of Object.entries(table)) {
    const hook = HOOKS[client as ClientName];
    await assert.rejects(async () => await hook(call({})), (error: Error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, reason);
      return true;
    });
  }
  assert.throws(() => HOOKS.dehydrated(call({ args: ["deploy_cert", "a"] })), UsageError);
});

Deno.test("fileStem keeps names, maps wildcards and IPv6, and refuses what is special in a path", () => {
  const good: Record<string, string> = {
    "a.example": "a.example",
    "*.a.example": "_.a.example",
    "a.example-0001": "a.example-0001",
    "2001:db8::1": "2001-db8--1",
    "_x.a.example": "_x.a.example",
  };
  for (const [name, stem] of Object.entries(good)) assert.equal(fileStem(name), stem);
  for (
    const bad of [
      "",
      ".",
      "..",
      ".a",
      "-a",
      "a/b",
      "/a",
      "a b",
      "a\n",
      "*",
      "a*",
      "é",
      "a\0",
      "a".repeat(201),
    ]
  ) {
    assert.throws(() => fileStem(bad), UsageError, JSON.stringify(bad));
  }
});

Deno.test("fileStem never gives a name that leaves its directory or hides in it", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (name) => {
    try {
      const stem = fileStem(name);
      assert.ok(
        !stem.includes("/") && !stem.startsWith(".") && !stem.startsWith("-") && stem !== "",
      );
    } catch (error) {
      assert.ok(error instanceof UsageError);
      assert.ok(!/[\n\r]/.test(error.message));
    }
  }));
});
