/** render as an operator runs it: what it prints, writes and does not change. */

import assert from "node:assert/strict";
import { acmeLb } from "./program.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const CONFIG = new URL("../../examples/article/config.yaml", import.meta.url).pathname;

const render = (...args: string[]) => acmeLb(["render", ...args, "--config", CONFIG]);

Deno.test("render prints a single file unchanged, and several below their paths", async () => {
  const keepalived = await render("keepalived", "--node", "lb1");
  assert.deepEqual([keepalived.code, keepalived.stderr], [0, ""]);
  assert.match(keepalived.stdout, /^# keepalived on lb1,/);
  assert.match(keepalived.stdout, /\n}\n$/);

  const { stdout } = await render("acmetool");
  assert.deepEqual([...stdout.matchAll(/^# (\/\S+)$/gm)].map((found) => found[1]), [
    "/var/lib/acme/conf/target",
    "/var/lib/acme/desired/service.example",
    "/etc/acme/hooks/acme-lb",
    "/etc/acme-lb/clients/acmetool",
    "/etc/systemd/system/acmetool.service.d/acme-lb.conf",
  ]);
});

Deno.test("render --root writes each file to its place, and again changes nothing", async () => {
  await using directory = await temporaryFolder();
  const root = `${directory.path}/not/yet/`;
  const hook = `${directory.path}/not/yet/etc/acme/hooks/acme-lb`;
  const first = await render("acmetool", "--root", root);
  assert.deepEqual([first.code, first.stderr], [0, ""]);
  assert.match(first.stdout, new RegExp(`^${hook}: written$`, "m"));
  assert.deepEqual((await Deno.stat(hook)).mode! & 0o777, 0o755);
  const target = `${directory.path}/not/yet/var/lib/acme/conf/target`;
  assert.deepEqual((await Deno.stat(target)).mode! & 0o777, 0o644);
  assert.deepEqual(
    await Deno.readTextFile(hook),
    await Deno.readTextFile(CONFIG.replace("config.yaml", "all/etc/acme/hooks/acme-lb")),
  );
  const again = await render("acmetool", "--root", root);
  assert.deepEqual(again.stdout, first.stdout.replaceAll(": written", ": unchanged"));
});

Deno.test("render --root writes nothing when one file differs, unless --force is given", async () => {
  await using directory = await temporaryFolder();
  const root = directory.path;
  const target = `${root}/var/lib/acme/conf/target`;
  await Deno.mkdir(`${root}/var/lib/acme/conf`, { recursive: true });
  await Deno.writeTextFile(target, "by hand\n");
  const refused = await render("acmetool", "--root", root);
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.deepEqual(
    refused.stderr,
    `acme-lb: ${target}: exists with other content; nothing was written; compare with --diff, then ` +
      "add --force\n",
  );
  assert.deepEqual(await Deno.readTextFile(target), "by hand\n");
  assert.deepEqual(await Array.fromAsync(Deno.readDir(root), ({ name }) => name), ["var"]);

  const forced = await render("acmetool", "--root", root, "--force");
  assert.deepEqual([forced.code, forced.stderr], [0, ""]);
  assert.match(await Deno.readTextFile(target), /^request:$/m);
});

/** Names beside a file that begin with a dot. */
const copiesIn = async (directory: string) =>
  (await Array.fromAsync(Deno.readDir(directory), ({ name }) => name))
    .filter((name) => name.startsWith("."));

Deno.test("render --force keeps a complete copy of each file that it replaces", async () => {
  await using directory = await temporaryFolder();
  const root = directory.path;
  const places = [
    ["haproxy", "etc/haproxy/haproxy.cfg", 0o600],
    ["acmetool", "etc/acme/hooks/acme-lb", 0o755],
    ["acmetool", "var/lib/acme/desired/service.example", 0o644],
    ["systemd", "etc/systemd/system/acme-lb.service", 0o644],
    ["systemd", "etc/tmpfiles.d/acme-lb.conf", 0o640],
  ] as const;
  for (const [kind, path, mode] of places) {
    const place = `${root}/${path}`;
    const folder = place.replace(/[^/]*$/, "");
    await Deno.mkdir(folder, { recursive: true });
    const mine = `# of ${kind}, by hand\n\xff\n`;
    await Deno.writeTextFile(place, mine);
    await Deno.chmod(place, mode);
    const forced = await render(kind, "--root", root, "--force");
    assert.deepEqual([forced.code, forced.stderr], [0, ""]);
    const [copy, ...more] = await copiesIn(folder);
    assert.deepEqual(more, []);
    assert.match(copy!, new RegExp(`^\\.${path.split("/").at(-1)}\\.old-\\d{8}T\\d{9}Z$`));
    assert.deepEqual(await Deno.readTextFile(folder + copy), mine);
    // A program that runs every file of a folder must not run this one.
    assert.deepEqual((await Deno.stat(folder + copy)).mode! & 0o777, mode & 0o666);
    assert.match(forced.stdout, new RegExp(`^${folder}${copy}: copy of the replaced file$`, "m"));
    // Nothing differs any more, so nothing is kept.
    await render(kind, "--root", root, "--force");
    assert.deepEqual(await copiesIn(folder), [copy]);
    await Deno.remove(folder + copy);
  }
});

Deno.test("render --diff shows what would change, and changes nothing", async () => {
  await using directory = await temporaryFolder();
  const place = `${directory.path}/etc/haproxy/haproxy.cfg`;
  const diff = () => render("haproxy", "--diff", "--root", directory.path);
  const fresh = await diff();
  assert.deepEqual([fresh.code, fresh.stderr], [0, ""]);
  assert.match(fresh.stdout, new RegExp(`^--- /dev/null\n\\+\\+\\+ ${place} \\(rendered\\)\n@@ `));
  await render("haproxy", "--root", directory.path);
  assert.deepEqual((await diff()).stdout, "");
  const whole = await Deno.readTextFile(place);
  const mine = whole.replace("timeout client 60s", "timeout client 90s") + "# mine\n";
  await Deno.writeTextFile(place, mine);
  const { stdout } = await diff();
  assert.deepEqual(stdout.split("\n").filter((line) => /^[+-][^+-]/.test(line)), [
    "-  timeout client 90s",
    "+  timeout client 60s",
    "-# mine",
  ]);
  assert.deepEqual(await Deno.readTextFile(place), mine);
});

Deno.test("render names each router id that would change, and changes it only with --force", async () => {
  await using directory = await temporaryFolder();
  const place = `${directory.path}/etc/keepalived/keepalived.conf`;
  const keepalived = (...args: string[]) =>
    render("keepalived", "--node", "lb0", "--root", directory.path, ...args);
  await keepalived();
  const shifted = (await Deno.readTextFile(place))
    .replace(/virtual_router_id (?=2$)/gm, "virtual_router_id 5");
  await Deno.writeTextFile(place, shifted);
  const refused = await keepalived();
  assert.deepEqual(refused.code, 1);
  for (const address of ["2001:db8::2", "192.0.2.2"]) {
    const said = `the router id of ${address} would change from 52 to 2`;
    assert.match(refused.stderr, new RegExp(said));
    assert.match((await keepalived("--diff")).stdout, new RegExp(`^# ${said}$`, "m"));
  }
  assert.deepEqual(await Deno.readTextFile(place), shifted);
  assert.deepEqual((await keepalived("--force")).code, 0);
});

Deno.test("render refuses a target that it cannot write to, with one line", async () => {
  await using directory = await temporaryFolder();
  const file = `${directory.path}/file`;
  await Deno.writeTextFile(file, "");
  const { code, stderr } = await render("haproxy", "--root", file);
  assert.deepEqual(code, 1);
  assert.match(
    stderr,
    /^acme-lb: .*\/file\/etc\/haproxy.*: a part of its path is not a directory \(ENOTDIR\)\n$/,
  );
});

Deno.test("render names the nearest kind and node, and the keys that are missing", async () => {
  await using directory = await temporaryFolder();
  const empty = `${directory.path}/config.yaml`;
  await Deno.writeTextFile(empty, "cluster: {virtual_addresses: ['2001:db8::1']}\n");
  const table: [string[], number, string][] = [
    [["keepalive", "--node", "lb0"], 64, '"keepalive" is no kind; did you mean keepalived?'],
    [
      ["nginx", "--node", "lb0"],
      64,
      '"nginx" is no kind; there are keepalived, haproxy, systemd, acmetool, certbot, lego, ' +
      "dehydrated, acme.sh",
    ],
    [
      ["keepalived", "--node", "lb-1"],
      64,
      '--node: "lb-1" is no node of the cluster; did you mean lb1?',
    ],
    [
      ["haproxy", "--node", "frontend"],
      64,
      '--node: "frontend" is no node of the cluster; there are lb0, lb1, lb2',
    ],
    [
      ["keepalived"],
      64,
      "keepalived differs from balancer to balancer, and this machine has no address of " +
      "cluster.nodes: give --node NAME",
    ],
    [["haproxy", "--force"], 64, "--force is only allowed with --root"],
    [["keepalived", "--acme"], 64, "--acme is only for haproxy"],
    [["systemd", "--staging"], 64, "--staging is for ACME clients, and for haproxy --acme"],
    [["haproxy", "--staging"], 64, "--staging is for ACME clients, and for haproxy --acme"],
    [["haproxy", "--force", "--diff"], 64, "--diff writes nothing: leave out --force"],
  ];
  for (const [args, code, line] of table) {
    const result = await render(...args);
    assert.deepEqual([result.code, result.stderr, result.stdout], [code, `acme-lb: ${line}\n`, ""]);
  }
  // A balancer knows itself by its addresses.
  const here = `${directory.path}/here.yaml`;
  await Deno.writeTextFile(
    here,
    "cluster: {nodes: {lb0: ['192.0.2.11'], lb1: ['127.0.0.1']}, virtual_addresses: ['192.0.2.1']}\n",
  );
  assert.match(
    (await acmeLb(["render", "keepalived", "--config", here])).stdout,
    /^# keepalived on lb1,/,
  );

  const result = await acmeLb(["render", "haproxy", "--config", empty]);
  assert.deepEqual([result.code, result.stdout], [78, ""]);
  assert.deepEqual(result.stderr.split("\n").map((line) => line.split(" such as")[0]), [
    `acme-lb: ${empty}: cluster.names: empty; add the names of the service,`,
    `acme-lb: ${empty}: cluster.backends: empty; add where HAProxy passes requests on to,`,
    "",
  ]);
});
