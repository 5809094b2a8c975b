/** What ACME clients are told: nobody else's names or addresses, and scripts that a shell can read. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { faultsOf, KINDS } from "../../lib/render/kinds.ts";
import { works } from "../works.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const CLIENTS = ["acmetool", "certbot", "lego", "dehydrated", "acme.sh"];

function files(kind: string, { more = "", staging = false, yaml = "" } = {}): Map<string, string> {
  const config = parseConfig(`cluster: {names: [a.test, b.test]${more}}\n${yaml}`, "c");
  const rendered = KINDS[kind]!.files(config, { node: "", staging });
  return new Map(rendered.map(({ path, text }) => [path, text]));
}

const all = (kind: string, options = {}) => [...files(kind, options).values()].join("\n");

for (const kind of CLIENTS) {
  Deno.test(`${kind} is told the cluster's own names, address and webroot, and nobody else's`, () => {
    const text = all(kind, { more: ", email: me@a.test", yaml: "webroot: /srv/acme" });
    for (const word of ["a.test", "b.test", "me@a.test", "/srv/acme"]) {
      assert.ok(text.includes(word) || word.includes("@") && kind === "acmetool", word);
    }
    assert.doesNotMatch(text, /service\.example|example\.(?:com|org)/);
    assert.doesNotMatch(all(kind), /@[a-z]/, "an address although there is none");
  });

  Deno.test(`${kind} orders from the staging CA when it is asked to, and only then`, () => {
    const options = { more: ", email: me@a.test" };
    const staging = /acme-staging-v02|letsencrypt_test/;
    assert.match(all(kind, { ...options, staging: true }), staging);
    assert.doesNotMatch(all(kind, options), staging);
  });

  Deno.test(`${kind}'s scripts can be read by a shell, whatever the values`, async () => {
    const yaml = `webroot: "/srv/it's a $(webroot)"\nhaproxy: {sockets: ["/run/a b;c"]}`;
    await using folder = await temporaryFolder();
    const directory = folder.path;
    let scripts = 0;
    for (const [path, text] of files(kind, { more: ", email: a+b@a.test", yaml })) {
      if (!text.startsWith("#!/bin/sh\n") && !path.endsWith(".sh")) continue;
      await Deno.writeTextFile(`${directory}/script`, text);
      assert.ok(await works("sh", { args: ["-n", `${directory}/script`] }), `${path}\n${text}`);
      scripts++;
    }
    assert.ok(scripts > 0);
  });

  Deno.test(`${kind}'s hook is assemble-pem for each of HAProxy's sockets`, () => {
    const text = all(kind, { yaml: "haproxy: {sockets: [/run/a.sock, /run/b.sock]}" });
    assert.match(
      text,
      new RegExp(
        `acme-lb assemble-pem --hook ${kind} --out-dir /etc/haproxy/certs \\\\\n` +
          "  --haproxy-socket /run/a\\.sock \\\\\n  --haproxy-socket /run/b\\.sock",
      ),
    );
  });

  Deno.test(`${kind} is not asked for what HTTP-01 cannot have`, () => {
    const config = parseConfig('cluster: {names: [a.test, "*.a.test"], email: me@a.test}', "c");
    assert.deepEqual(faultsOf(KINDS[kind]!, config), [
      "cluster.names[1]: *.a.test needs DNS-01; acme-lb is for HTTP-01",
    ]);
  });
}

Deno.test("lego has no account without an address, and says which key is missing", () => {
  const config = parseConfig("cluster: {names: [a.test]}", "c");
  assert.match(
    faultsOf(KINDS["lego"]!, config).join(),
    /^cluster\.email: missing; add the address/,
  );
});

Deno.test("HAProxy that orders has an acme section, a solver on loopback and a store", () => {
  const config = (names: string, more = "") =>
    parseConfig(
      `challenge: {solvers: ["127.0.0.1:31081"]}\n` +
        `cluster: {names: [${names}], virtual_addresses: ["192.0.2.1"], backends: ["192.0.2.9:443"]${more}}`,
      "c",
    );
  const render = (names: string, { more = "", staging = false } = {}) =>
    KINDS["haproxy"]!.files(config(names, more), { node: "", acme: true, staging });
  const [file, service, timer] = render("a.test, b.test", { more: ", email: me@a.test" });
  for (
    const line of [
      "  expose-experimental-directives",
      "  directory https://acme-v02.api.letsencrypt.org/directory",
      "  contact me@a.test",
      "  map virt@acme",
      "  load crt /etc/haproxy/certs/a.test.pem alias a.test acme letsencrypt domains a.test,b.test",
      "  bind 127.0.0.1:31081",
      "  bind 0.0.0.0:443 ssl crt @acme-lb/a.test alpn h2,http/1.1",
    ]
  ) assert.ok(file!.text.split("\n").includes(line), line);
  // Never an answer to a token that is not in the map.
  const answers = file!.text.split("\n").filter((line) => /return status 200/.test(line));
  assert.equal(answers.length, 1);
  assert.match(
    answers[0]!,
    / if \{ path_beg \S+ \} \{ path,field\(-1,\/\),map\(virt@acme\) -m found \}$/,
  );
  assert.match(
    service!.text.replaceAll("\\\n ", ""),
    /^ExecStart=\S+ assemble-pem --from-haproxy --out \/etc\/haproxy\/certs\/a\.test\.pem {2}--haproxy-socket \/run\/haproxy\/admin\.sock --haproxy-name @acme-lb\/a\.test$/m,
  );
  assert.match(timer!.path, /\/acme-lb-save-haproxy\.timer$/);

  const [staging] = render("a.test", { staging: true });
  assert.match(staging!.text, /directory https:\/\/acme-staging-v02/);
  assert.doesNotMatch(staging!.text, /contact/);
  assert.equal(KINDS["haproxy"]!.files(config("a.test"), { node: "" }).length, 1);
  const faults = (names: string) =>
    faultsOf(KINDS["haproxy"]!, config(names), { node: "", acme: true }).map((line) =>
      line.split(":")[0]
    );
  const unasked = parseConfig("cluster: {names: [a.test]}", "c");
  assert.match(
    faultsOf(KINDS["haproxy"]!, unasked, { node: "", acme: true }).join("\n"),
    /^challenge\.solvers: add "127\.0\.0\.1:31081"/m,
  );
  assert.deepEqual(faults('a.test, "*.a.test", "192.0.2.1", "[2001:db8::1]"'), [
    "cluster.names[1]",
    "cluster.names[2]",
    "cluster.names[3]",
  ]);
});
