import assert from "node:assert/strict";
import fc from "fast-check";
import { UsageError } from "../../lib/errors.ts";
import { fileStem, type HookCall } from "../../lib/clients/hook.ts";
import { type ClientName, CLIENTS } from "../../lib/clients/clients.ts";

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
  const outcome = await CLIENTS.acmetool.hook(call({
    args: ["live-updated"],
    env: { ACME_STATE_DIR: "/srv/acme" },
    stdin: "a.example\n\n*.b.example\na.example\n",
  }));
  assert.deepEqual(outcome, {
    kind: "issued",
    certificates: [
      {
        name: "a.example",
        key: "/srv/acme/live/a.example/privkey",
        certificates: ["/srv/acme/live/a.example/fullchain"],
      },
      {
        name: "*.b.example",
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
    const outcome = await CLIENTS.acmetool.hook(
      call({ args: [event, "a.example", "file", "token"] }),
    );
    assert.deepEqual(outcome, { kind: "ignored", exitCode: 42 }, event);
  }
});

Deno.test("acmetoolHook installs nothing when nothing changed, and has acmetool's default directory", async () => {
  const none = await CLIENTS.acmetool.hook(call({ args: ["live-updated"], stdin: "\n" }));
  assert.deepEqual(none, { kind: "issued", certificates: [] });
  const one = await CLIENTS.acmetool.hook(call({ args: ["live-updated"], stdin: "a.example" }));
  assert.match(JSON.stringify(one), /"\/var\/lib\/acme\/live\/a.example\/privkey"/);
});

Deno.test("certbotHook takes the lineage when RENEWED_LINEAGE is set", async () => {
  for (
    const lineage of [
      "/etc/letsencrypt/live/a.example-0001",
      "/etc/letsencrypt/live/a.example-0001/",
    ]
  ) {
    assert.deepEqual(await CLIENTS.certbot.hook(call({ env: { RENEWED_LINEAGE: lineage } })), {
      kind: "issued",
      certificates: [{
        name: "a.example-0001",
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
    name: "*.a.example",
    key: "/l/_.a.example.key",
    certificates: ["/l/_.a.example.crt"],
    issuer: "/l/_.a.example.issuer.crt",
  };
  assert.deepEqual(await CLIENTS.lego.hook(call({ env })), {
    kind: "issued",
    certificates: [expected],
  });
  const named = { ...env, LEGO_ISSUER_CERT_PATH: "/l/i.crt" };
  assert.deepEqual(await CLIENTS.lego.hook(call({ env: named })), {
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
  assert.deepEqual(await CLIENTS.lego.hook(call({ env })), {
    kind: "issued",
    certificates: [{
      name: "shop",
      key: "/l/shop.key",
      certificates: ["/l/shop.crt"],
      issuer: "/l/shop.issuer.crt",
    }],
  });
});

Deno.test("dehydratedHook takes deploy_cert, and unchanged_cert again, by the directory of the alias", async () => {
  const directory = "/var/lib/dehydrated/certs/a.example_ecdsa";
  const files = ["privkey", "cert", "fullchain", "chain"].map((name) => `${directory}/${name}.pem`);
  for (const [event, again] of [["deploy_cert", false], ["unchanged_cert", true]] as const) {
    const outcome = await CLIENTS.dehydrated.hook(
      call({ args: [event, "a.example", ...files, "17"] }),
    );
    assert.deepEqual(outcome, {
      kind: "issued",
      certificates: [{
        name: "a.example_ecdsa",
        key: `${directory}/privkey.pem`,
        certificates: [`${directory}/fullchain.pem`],
      }],
      again,
    });
  }
});

Deno.test("dehydratedHook succeeds and does nothing for every event of another kind", async () => {
  const events = [
    ...["startup_hook", "exit_hook", "deploy_challenge", "clean_challenge"],
    ...["sync_cert", "deploy_ocsp", "invalid_challenge", "request_failure", "generate_csr"],
    "this_hookscript_is_broken__dehydrated_is_working_fine__please_ignore_unknown_hooks_in_your_script",
  ];
  for (const event of events) {
    const args = [event, "a.example", "-token", "value"];
    assert.deepEqual(
      await CLIENTS.dehydrated.hook(call({ args })),
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
  assert.deepEqual(await CLIENTS["acme.sh"].hook(call({ env })), {
    kind: "issued",
    certificates: [{
      name: "a.example",
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
    const hook = CLIENTS[client as ClientName].hook;
    await assert.rejects(async () => await hook(call({})), (error: Error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, reason);
      return true;
    });
  }
  assert.throws(() => CLIENTS.dehydrated.hook(call({ args: ["deploy_cert", "a"] })), UsageError);
});

Deno.test("fileStem keeps names, maps wildcards and IPv6, and refuses what is special in a path", () => {
  const good: Record<string, string> = {
    "a.example": "a.example",
    "*.a.example": "_.a.example",
    "a.example-0001": "a.example-0001",
    "2001:db8::1": "2001-db8--1",
    "_x.a.example": "_x.a.example",
    // certbot's --cert-name, acme.sh's names as they were typed, dehydrated's aliases.
    "my site": "my_site",
    "Büro 2": "xn--bro_2-kva",
    "bücher.example": "xn--bcher-kva.example",
    "BÜCHER.example": "xn--bcher-kva.example",
    "*.bücher.example": "_.xn--bcher-kva.example",
    "xn--bcher-kva.example": "xn--bcher-kva.example",
    "例え.テスト": "xn--r8jz45g.xn--zckzah",
    "straße.example": "xn--strae-oqa.example",
    "a.example_ecc": "a.example_ecc",
    "ops@a.example": "ops_a.example",
    "*": "_",
    "a*": "a_",
    "é": "xn--9ca",
  };
  for (const [name, stem] of Object.entries(good)) assert.equal(fileStem(name), stem, name);
  for (
    const bad of [
      "",
      ".",
      "..",
      ".a",
      "-a",
      "a/b",
      "/a",
      "ü/b",
      "bücher example/x",
      ".ü",
      "a\n",
      "ü\n",
      "a\0",
      "ü\u202e",
      "\ud800",
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

Deno.test("each client names the variables that its hook reads, and no more", async () => {
  for (const [name, { hook, variables, setBy }] of Object.entries(CLIENTS)) {
    const asked = new Set<string>();
    for (const set of [variables, []]) {
      const env = (variable: string) => {
        asked.add(variable);
        return set.includes(variable) ? `/${variable}` : undefined;
      };
      const stdin = () => Promise.resolve("");
      await (async () => await hook({ args: ["live-updated"], env, stdin }))().catch(() => {});
    }
    assert.deepEqual([...asked].filter((one) => !variables.includes(one)), [], name);
    assert.equal(setBy !== "", variables.length > 0, name);
  }
  const all = Object.values(CLIENTS).flatMap(({ variables }) => variables);
  assert.equal(new Set(all).size, all.length);
});
