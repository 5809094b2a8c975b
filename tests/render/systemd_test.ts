/**
 * What systemd itself says of the units: that it understands every line, and how far they are
 * confined. Whether the confined programs work is in tests/e2e.
 */

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { parseConfig } from "../../lib/config/parse_config.ts";
import type { RenderedFile } from "../../lib/render/rendered_file.ts";
import { hiddenPaths } from "../../lib/render/server_unit.ts";
import { systemdFiles } from "../../lib/render/systemd.ts";
import { argumentWord, unitWord } from "../../lib/render/systemd_escape.ts";
import { run } from "../install_script.ts";
import { works } from "../works.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const EXAMPLES = `${ROOT}examples/systemd`;

/** Every kind of unit that a configuration can lead to, each with the exposure it may have. */
const CONFIGURATIONS = [
  { name: "the defaults", yaml: "", exposure: 1.6 },
  { name: "unprivileged ports", yaml: 'public: { listen: ["[::]:8080"] }', exposure: 1.4 },
  { name: "a webroot beside keys", yaml: "webroot: /etc/haproxy/webroot", exposure: 1.6 },
  { name: "a path of odd characters", yaml: `webroot: '/run/a b%h$c"d\\e/f'`, exposure: 1.6 },
  { name: "large limits", yaml: "limits: { connections: 100000 }", exposure: 1.6 },
  // Less can be hidden where the webroot itself would be.
  { name: "a webroot in a home", yaml: "webroot: /home/acme/webroot", exposure: 1.7 },
  { name: "a webroot in /tmp", yaml: "webroot: /tmp/webroot", exposure: 1.8 },
];

const analyze = await works("systemd-analyze", { args: ["--version"] });
if (!analyze) skipped("what it says of the units: no systemd-analyze");

const helpers = Deno.uid() === 0 && await works("systemd-sysusers", { args: ["--version"] });
if (!helpers) skipped("making users and webroots: needs root and systemd-sysusers");

for (const { name, yaml, exposure } of CONFIGURATIONS) {
  const files = systemdFiles(parseConfig(yaml, "config.yaml"), { executable: "/bin/true" });

  Deno.test({
    name: `systemd finds nothing wrong with the units for ${name}`,
    ignore: !analyze,
    fn: async () => {
      await using room = await temporaryFolder();
      const units = await write(room.path, files);
      const { code, stdout, stderr } = await run([
        "systemd-analyze",
        "verify",
        "--man=no",
        ...units,
      ]);
      assert.deepEqual([stdout, stderr, code], ["", "", 0]);
    },
  });

  Deno.test({
    name: `systemd-analyze security gives at most ${exposure} to the units for ${name}`,
    ignore: !analyze,
    fn: async () => {
      await using room = await temporaryFolder();
      for (const unit of await write(room.path, files)) {
        if (!unit.endsWith(".service")) continue;
        const { code, stdout } = await run([
          ...[
            "systemd-analyze",
            "security",
            "--offline=true",
            `--threshold=${exposure * 10}`,
            unit,
          ],
        ]);
        assert.match(stdout, /Overall exposure level for acme-lb.*: \d/);
        assert.equal(code, 0, stdout);
      }
    },
  });
}

Deno.test("examples/systemd holds the files for the defaults", async () => {
  const expected = systemdFiles(parseConfig("", "config.yaml"));
  const found = await Promise.all(expected.map(async ({ path }) => ({
    path,
    text: await Deno.readTextFile(EXAMPLES + path),
  })));
  assert.deepEqual(found, expected);
});

Deno.test("the capability for low ports is there when a port is low, and only then", () => {
  const service = (yaml: string) => text(yaml, "acme-lb.service");
  const low =
    /^AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE$/m;
  const none = /^AmbientCapabilities=\nCapabilityBoundingSet=\nPrivateUsers=yes$/m;
  assert.match(service(""), low);
  assert.match(
    service('public: { listen: ["[::]:8080"] }\nmetrics: { listen: ["[::1]:81"] }'),
    low,
  );
  assert.match(service('public: { listen: ["[::]:8080"] }'), none);
});

Deno.test("descriptors and memory follow the limits", () => {
  const limits = (yaml: string) => settings(yaml, ["LimitNOFILE", "MemoryMax"]);
  assert.deepEqual(limits(""), ["65536", "512M"]);
  assert.deepEqual(limits("limits: { connections: 100000 }"), ["201024", "3509M"]);
  const peers = 'peers: ["192.0.2.1:31080", "192.0.2.2:31080"]';
  assert.deepEqual(
    limits(`limits: { connections: 100000, per_peer: 1000 }\n${peers}`)[0],
    "203024",
  );
});

Deno.test("keys, homes and /tmp are hidden, but no directory that a webroot lies in", () => {
  const hidden = (webroot: string) => {
    const values = settings(`webroot: ${webroot}`, [
      "InaccessiblePaths",
      "ProtectHome",
      "PrivateTmp",
    ]);
    return [values[0]!.split(" ").includes("-/etc/haproxy"), ...values.slice(1)];
  };
  assert.deepEqual(hidden("/run/acme/acme-challenge"), [true, "yes", "yes"]);
  assert.deepEqual(hidden("/etc/haproxy/webroot"), [false, "yes", "yes"]);
  assert.deepEqual(hidden("/etc/haproxy-webroot"), [true, "yes", "yes"]);
  assert.deepEqual(hidden("/home/acme"), [true, "read-only", "yes"]);
  assert.deepEqual(hidden("/run/user/1000/webroot"), [true, "read-only", "yes"]);
  assert.deepEqual(hidden("/homes/acme"), [true, "yes", "yes"]);
  assert.deepEqual(hidden("/var/tmp/acme"), [true, "yes", "no"]);
});

Deno.test("another path of executable or configuration is in every command line", () => {
  const options = { executable: "/opt/a%b/bin/acme-lb", configFile: "/srv/my $lb.yaml" };
  const lines = systemdFiles(parseConfig("", "config.yaml"), options)
    .flatMap(({ text }) => text.replaceAll("\\\n ", "").split("\n"))
    .filter((line) => /^Exec\w+=/.test(line) && !line.includes("/bin/kill"));
  assert.equal(lines.length, 5);
  for (const line of lines) {
    assert.match(
      line,
      /\/opt\/a%%b\/bin\/acme-lb [a-z-]+( --running)? --config "\/srv\/my \$\$lb\.yaml"/,
    );
  }
});

Deno.test("start, restart and reload fail when the server does not serve", () => {
  const service = text("", "acme-lb.service");
  assert.match(service, /^Type=notify$/m);
  assert.match(service, /^RuntimeDirectory=acme-lb$/m);
  assert.match(service, /^RestrictAddressFamilies=.* AF_UNIX$/m);
  const steps = [...service.matchAll(/^ExecReload=(.*)$/gm)].map(([, step]) => step);
  assert.deepEqual(steps, [
    "/usr/local/bin/acme-lb check-config",
    "/bin/kill -HUP $MAINPID",
    "/usr/local/bin/acme-lb check-config --running",
  ]);
});

Deno.test("the port of the runtime's debugger is denied, unless it is one of the server's own", () => {
  assert.match(text("", "acme-lb.service"), /^SocketBindDeny=tcp:9229$/m);
  const own = text('metrics: { listen: ["[::1]:9229"] }', "acme-lb.service");
  assert.doesNotMatch(own, /SocketBindDeny/);
});

Deno.test("hiddenPaths() lists the paths that the server's unit hides", () => {
  const config = (yaml: string) => parseConfig(yaml, "config.yaml");
  const paths = [
    "/etc/haproxy/certs",
    "/etc/haproxy",
    "/etc/haproxy-certs",
    "/srv/x",
    "/etc/letsencrypt/live/*/*.pem",
  ];
  assert.deepEqual(hiddenPaths(paths, config("")), [paths[0], paths[1], paths[4]]);
  const beside = config("webroot: /etc/haproxy/webroot");
  assert.deepEqual(hiddenPaths(paths, beside), [paths[4]]);
});

Deno.test("words of a unit are quoted where they must be", () => {
  assert.equal(unitWord("/run/acme/acme-challenge"), "/run/acme/acme-challenge");
  assert.equal(unitWord("/a b"), '"/a b"');
  assert.equal(unitWord("100%"), "100%%");
  assert.equal(unitWord('a"b\\c\nd'), String.raw`"a\"b\\c\x0ad"`);
  assert.equal(unitWord("$HOME"), "$HOME");
  assert.equal(argumentWord("$HOME"), "$$HOME");
  assert.equal(unitWord("é"), '"é"');
  assert.equal(unitWord(""), '""');
});

Deno.test({
  name: "systemd makes the users and the webroot as they are described",
  ignore: !helpers,
  fn: async () => {
    await using room = await temporaryFolder();
    const root = `--root=${room.path}`;
    const files = systemdFiles(parseConfig("webroot: [/var/run/a b%/c, /srv/www]", "config.yaml"));
    await write(room.path, files);
    const made = await run(["systemd-sysusers", root]);
    assert.equal(made.code, 0, made.stderr);
    const users = await Deno.readTextFile(`${room.path}/etc/passwd`);
    assert.match(users, /^acme-lb:x:\d+:\d+:acme-lb, challenges on port 80:\/:\S+\/nologin$/m);
    const group = /^acme-challenge:x:(\d+):$/m.exec(
      await Deno.readTextFile(`${room.path}/etc/group`),
    )?.[1];
    const { code, stderr } = await run(["systemd-tmpfiles", "--create", root]);
    assert.deepEqual([stderr, code], ["", 0]);
    const { mode, uid, gid } = await Deno.stat(`${room.path}/run/a b%/c`);
    assert.deepEqual([mode! & 0o7777, uid, gid], [0o2775, 0, Number(group)]);
    await assert.rejects(Deno.stat(`${room.path}/srv`), Deno.errors.NotFound);
  },
});

Deno.test("the check of expiry has a network when a socket of HAProxy's runtime API needs it", () => {
  const access = (sockets: string) =>
    text(`haproxy: { sockets: [${sockets}] }`, "acme-lb-check-expiry.service")
      .match(/^(?:PrivateNetwork|RestrictAddressFamilies)=.*$/gm);
  const none = ["PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX"];
  assert.deepEqual(access(""), none);
  assert.deepEqual(access("/run/haproxy/admin.sock"), none);
  assert.deepEqual(access("/run/haproxy/admin.sock, '[::1]:9999'"), [
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
  ]);
});

function text(yaml: string, name: string): string {
  const files = systemdFiles(parseConfig(yaml, "config.yaml"));
  return files.find(({ path }) => path.endsWith(`/${name}`))!.text;
}

/** Values of keys in the server's unit. */
function settings(yaml: string, keys: string[]): (string | undefined)[] {
  const service = text(yaml, "acme-lb.service");
  return keys.map((key) => new RegExp(`^${key}=(.*)$`, "m").exec(service)?.[1]);
}

/** Writes the files below a folder; the paths of the units. */
async function write(root: string, files: RenderedFile[]): Promise<string[]> {
  for (const { path, text } of files) {
    await Deno.mkdir(dirname(root + path), { recursive: true });
    await Deno.writeTextFile(root + path, text);
  }
  return files.filter(({ path }) => path.startsWith("/etc/systemd/")).map(({ path }) =>
    root + path
  );
}

function skipped(reason: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`skipped: systemd: ${reason}\n`));
}
