/** check-config as an operator runs it: before a reload, or to see the values in use. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

async function checkConfig(
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", MAIN, "check-config", ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

Deno.test("check-config prints the configuration in use as a file with the same meaning", async () => {
  const dir = await Deno.makeTempDir();
  const path = `${dir}/config.yaml`;
  const source = `
webroot: ${dir}
peers: ["[::1]:31080", "[2001:DB8:0::f002]:31080", "dns:LB2.example:31080"]
lookup: {timeout: 1500ms}
redirect:
`;
  try {
    await Deno.writeTextFile(path, source);
    const { code, stdout, stderr } = await checkConfig("--config", path);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.deepEqual(stdout.split("\n").filter((line) => line.startsWith("#")), [
      `# ${path}`,
      "# this balancer: [::1]:31080",
    ]);
    assert.match(stdout, /^ {2}- "\[2001:db8::f002\]:31080"$/m);
    assert.match(stdout, /^ {2}timeout: 1500ms$/m);
    assert.match(stdout, /^ {2}https_port: 443$/m);
    const expected = parseConfig(source, "config.yaml");
    assert.deepEqual(parseConfig(stdout, "config.yaml"), expected);

    // Its own output, warnings and all, is a configuration that prints the same.
    await Deno.writeTextFile(path, stdout);
    assert.deepEqual((await checkConfig("--config", path)).stdout, stdout);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("check-config puts its warnings above the configuration, and still exits 0", async () => {
  await using folder = await temporaryFolder();
  const dir = folder.path;
  const path = `${dir}/config.yaml`;
  await Deno.chmod(dir, 0o777);
  await Deno.writeTextFile(
    path,
    `webroot: ${dir}\npeers: ["[::1]:80", "[::1]:80"]\nlookup: {timeout: 20s}\n`,
  );
  const { code, stdout, stderr } = await checkConfig("--config", path);
  assert.deepEqual([code, stderr], [0, ""]);
  const subjects = [...stdout.matchAll(/^# warning: ([^:]+):/gm)].map((found) => found[1]);
  assert.deepEqual(subjects, ["peers[0]", "peers[1]", "peers[1]", "lookup.timeout", "webroot"]);
  assert.match(stdout, /peers\[0\]: \[::1\]:80 is a public address of this balancer/);
  assert.match(stdout, /may be written by others \(mode 777\)/);
  assert.ok(parseConfig(stdout, "config.yaml"));
});

Deno.test("check-config keeps a line end in a path within its comment", async () => {
  await using folder = await temporaryFolder();
  const dir = folder.path;
  const path = `${dir}/config.yaml`;
  await Deno.writeTextFile(path, `webroot: "${dir}/none\\npeers: []"\n`);
  const { code, stdout } = await checkConfig("--config", path);
  assert.deepEqual(code, 0);
  assert.match(stdout, /^# warning: webroot: .*none\\x0apeers: \[\] does not exist yet/m);
  assert.deepEqual(parseConfig(stdout, "config.yaml").webroot, [`${dir}/none\npeers: []`]);
});

Deno.test("check-config prints every mistake on stderr, nothing on stdout, and exits 78", async () => {
  await using folder = await temporaryFolder();
  const dir = folder.path;
  const path = `${dir}/config.yaml`;
  await Deno.writeTextFile(path, 'peers:\n  - "lb1\\x1b[31m"\nlimits: {fanouts: 4, queue: 1}\n');
  assert.deepEqual(await checkConfig("--config", path), {
    code: 78,
    stdout: "",
    stderr: [
      `acme-lb: ${path}:2:5: peers[0]: expected [IPv6]:port, IPv4:port or dns:name:port, got "lb1\\x1b[31m"`,
      `acme-lb: ${path}:3:10: limits.fanouts: unknown key; did you mean fan_outs?`,
      `acme-lb: ${path}:3:22: limits.queue: unknown key; the keys here are connections, per_source, fan_outs, per_peer, per_suspect_peer`,
      "",
    ].join("\n"),
  });
});
