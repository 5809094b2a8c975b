/** assemble-pem as an operator runs it, on files; what HAProxy makes of them is tested beside. */

import assert from "node:assert/strict";
import { issue, issueChain, type Issued } from "../cert/issue.ts";
import { acmeLb, type ProgramOptions } from "./program.ts";

interface Scene extends AsyncDisposable {
  directory: string;
  /** The path of a file below the directory. */
  path: (name: string) => string;
  write: (name: string, text: string) => Promise<string>;
  /** Names in `certs`, the lock's file left out. */
  installed: () => Promise<string[]>;
}

async function scene(): Promise<Scene> {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "assemble_pem_" }));
  const path = (name: string) => `${directory}/${name}`;
  await Deno.mkdir(path("certs"));
  return {
    directory,
    path,
    write: async (name, text) => {
      await Deno.mkdir(path(name).replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(path(name), text, { mode: 0o600 });
      return path(name);
    },
    installed: async () => {
      const entries = await Array.fromAsync(Deno.readDir(path("certs")), ({ name }) => name);
      return entries.filter((name) => name !== ".acme-lb.lock").sort();
    },
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

/** Key and full chain on disk, and the flags that name them. */
async function given(at: Scene, issued: Issued[]): Promise<string[]> {
  const key = await at.write("privkey.pem", issued[0]!.key.pem);
  const chain = await at.write("fullchain.pem", issued.map(({ pem }) => pem).join(""));
  return ["assemble-pem", "--key", key, "--fullchain", chain, "--out", at.path("certs/a.pem")];
}

async function modeOf(path: string): Promise<number> {
  return (await Deno.lstat(path)).mode! & 0o7777;
}

Deno.test("assemble-pem writes one file, reports it, and does not write it again the next time", async () => {
  await using at = await scene();
  const { leaf, lower, upper, root } = await issueChain();
  const args = await given(at, [leaf, lower, upper, root]);
  const first = await acmeLb(args);
  assert.deepEqual([first.code, first.stderr], [0, ""]);
  const out = at.path("certs/a.pem");
  assert.match(
    first.stdout,
    new RegExp(`^${out}: written: service.example \\(serial 40.*\\) until `),
  );
  assert.equal(await Deno.readTextFile(out), leaf.key.pem + leaf.pem + lower.pem + upper.pem);
  assert.equal(await modeOf(out), 0o600);
  const { ino } = await Deno.stat(out);
  assert.match((await acmeLb(args)).stdout, /: unchanged: /);
  assert.equal((await Deno.stat(out)).ino, ino);
  assert.deepEqual(await at.installed(), ["a.pem"]);
});

Deno.test("assemble-pem writes nothing and exits 1, with one line, when the input is wrong", async () => {
  await using at = await scene();
  const { leaf, lower, upper } = await issueChain();
  const args = await given(at, [leaf, lower, upper]);
  await at.write("privkey.pem", (await issue()).key.pem);
  const { code, stdout, stderr } = await acmeLb(args);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(
    stderr,
    /^acme-lb: .*a\.pem is not written: .*privkey.pem: the private key does not .*\n$/,
  );
  assert.deepEqual(await at.installed(), []);
});

Deno.test("assemble-pem names the file when an input is missing, no file, or too large", async () => {
  await using at = await scene();
  const args = await given(at, [await issue()]);
  await Deno.remove(at.path("privkey.pem"));
  const fail = async () => (await acmeLb(args)).stderr;
  assert.match(await fail(), /^acme-lb: cannot read .*privkey.pem: there is no such file\n$/);
  await Deno.mkdir(at.path("privkey.pem"));
  assert.match(await fail(), /privkey.pem: it is not a regular file/);
  await Deno.remove(at.path("privkey.pem"));
  await new Deno.Command("mkfifo", { args: [at.path("privkey.pem")] }).output();
  assert.match(await fail(), /privkey.pem: it is not a regular file/);
  await Deno.remove(at.path("privkey.pem"));
  await at.write("privkey.pem", "x".repeat(2 ** 20 + 1));
  assert.match(await fail(), /privkey.pem: it is larger than 1 MiB/);
});

Deno.test("assemble-pem keeps mode and owner of the old file, takes others' rights, or does as told", async () => {
  await using at = await scene();
  const out = at.path("certs/a.pem");
  const root = await issue({ commonName: "Root", ca: true });
  const renew = async () => await given(at, [await issue({ issuer: root })]);
  await acmeLb(await renew());
  await Deno.chmod(out, 0o644);
  if (Deno.uid() === 0) await Deno.chown(out, 65534, 12345);
  await acmeLb(await renew());
  assert.equal(await modeOf(out), 0o640);
  if (Deno.uid() === 0) {
    const { uid, gid } = await Deno.stat(out);
    assert.deepEqual([uid, gid], [65534, 12345]);
    await acmeLb([...await renew(), "--owner", "root:0", "--mode", "0400"]);
    const told = await Deno.stat(out);
    assert.deepEqual([told.uid, told.gid, await modeOf(out)], [0, 0, 0o400]);
  }
});

Deno.test("assemble-pem corrects the mode of a file whose content is unchanged", async () => {
  await using at = await scene();
  const args = await given(at, [await issue()]);
  await acmeLb(args);
  await Deno.chmod(at.path("certs/a.pem"), 0o644);
  assert.match((await acmeLb(args)).stdout, /: unchanged: /);
  assert.equal(await modeOf(at.path("certs/a.pem")), 0o640);
});

Deno.test("assemble-pem follows a symlink and writes beside what it leads to", async () => {
  await using at = await scene();
  await Deno.mkdir(at.path("real"));
  await Deno.symlink("../real/key.pem", at.path("certs/a.pem"));
  assert.equal((await acmeLb(await given(at, [await issue()]))).code, 0);
  assert.ok((await Deno.lstat(at.path("certs/a.pem"))).isSymlink);
  assert.match(await Deno.readTextFile(at.path("real/key.pem")), /BEGIN PRIVATE KEY/);
  assert.deepEqual(await at.installed(), ["a.pem"]);
});

Deno.test("assemble-pem refuses to overwrite its own input under any name", async () => {
  await using at = await scene();
  const args = (await given(at, [await issue()])).slice(0, -1);
  await Deno.symlink("../fullchain.pem", at.path("certs/link.pem"));
  for (const out of ["privkey.pem", "certs/../fullchain.pem", "certs/link.pem"]) {
    const { code, stderr } = await acmeLb([...args, at.path(out)]);
    assert.equal(code, 1, out);
    assert.match(stderr, /is not written: it is the same file as /);
  }
});

Deno.test("assemble-pem replaces a newer or unrelated certificate only with --force", async () => {
  await using at = await scene();
  const root = await issue({ commonName: "Root", ca: true });
  const old = await given(at, [
    await issue({ issuer: root, notBefore: new Date(Date.now() - 7200_000) }),
  ]);
  await acmeLb(await given(at, [await issue({ issuer: root })]));
  const newer = await Deno.readTextFile(at.path("certs/a.pem"));
  await given(at, [await issue({ issuer: root, notBefore: new Date(Date.now() - 7200_000) })]);
  const refused = await acmeLb(old);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /is older than the installed .* \(--force overrides this\)\n$/);
  assert.equal(await Deno.readTextFile(at.path("certs/a.pem")), newer);
  const forced = await acmeLb([...old, "--force"]);
  assert.equal(forced.code, 0);
  assert.match(forced.stderr, /event=warning reason=".* is older than/);
  assert.notEqual(await Deno.readTextFile(at.path("certs/a.pem")), newer);
});

Deno.test("assemble-pem warns when every user could replace the file", async () => {
  await using at = await scene();
  const args = await given(at, [await issue()]);
  await Deno.chmod(at.path("certs"), 0o777);
  const { code, stderr } = await acmeLb(args);
  assert.equal(code, 0);
  assert.match(stderr, /event=warning reason="every user may write to /);
});

Deno.test("assemble-pem takes a relative target and finds it where it was started", async () => {
  await using at = await scene();
  const args = (await given(at, [await issue()])).slice(0, -1);
  const { stdout } = await acmeLb([...args, "certs//./a.pem"], { cwd: at.directory });
  assert.match(stdout, new RegExp(`^${at.path("certs/a.pem")}: written`));
});

Deno.test("assemble-pem refuses incomplete flags with 64, and says which to give", async () => {
  const [k, c] = [["--key", "k"], ["--cert", "c"]];
  const table: [string[], RegExp][] = [
    [[], /--key FILE is missing \(or --hook CLIENT, or --from-haproxy\)/],
    [[...k], /give either --fullchain FILE, or --cert FILE/],
    [[...k, ...c], /give either --out FILE, or --out-dir DIR/],
    [[...k, ...c, "--fullchain", "f", "--out", "o"], /give either --fullchain/],
    [[...k, "--chain", "i", "--fullchain", "f", "--out", "o"], /--chain needs --cert/],
    [[...k, ...c, "--out", "o", "--out-dir", "d"], /--out-dir needs --hook/],
    [[...k, ...c, "--out", "o", "live-updated"], /"live-updated" is only allowed with --hook/],
    [["--hook", "certbot", "--out-dir", "d", ...k], /--key cannot be used with --hook/],
    [["--hook", "certbot", "--out-dir", "d"], /RENEWED_LINEAGE is not set/],
    [["--from-haproxy", "--out", "o"], /--from-haproxy needs --haproxy-socket/],
    [["--from-haproxy", ...k, "--out", "o"], /--key cannot be used with --from-haproxy/],
    [["--from-haproxy", "--hook", "certbot", "--out", "o"], /cannot be used with --hook/],
    [["--hook", "certbott"], /allowed choices are acmetool, certbot/],
    [[...k, ...c, "--out", "o", "--mode", "644"], /others must have no rights/],
    [[...k, ...c, "--out", "o", "--mode", "9"], /three octal digits/],
    [[...k, ...c, "--out", "o", "--owner", "no-such-user"], /there is no user no-such-user/],
    [[...k, ...c, "--out", "o", "--haproxy-socket", "admin"], /path of a socket, HOST:PORT/],
    [[...k, ...c, "--out", "o", "--haproxy-socket", "abns@x"], /path of a socket, HOST:PORT/],
    [
      [...k, ...c, "--out", "o", "--haproxy-socket", "/s,mode,600"],
      /without options behind a comma/,
    ],
    [
      [...k, ...c, "--out", "a b", "--haproxy-socket", "/s"],
      /a b cannot be a name in HAProxy.s command: /,
    ],
    [[...k, ...c, "--out", "a.key", "--haproxy-socket", "/s"], /ends in \.key/],
    [[...k, ...c, "--out", "o", "--forse"], /--force/],
  ];
  for (const [args, reason] of table) {
    const { code, stdout, stderr } = await acmeLb(["assemble-pem", ...args]);
    assert.deepEqual([code, stdout], [64, ""], args.join(" "));
    assert.match(stderr, reason, args.join(" "));
    assert.match(stderr, /^acme-lb: [^\n]+\n$/, args.join(" "));
  }
});

Deno.test("assemble-pem --hook installs what each client says, under the certificate's name", async () => {
  await using at = await scene();
  const issued = await issue();
  const write = (name: string) =>
    Promise.all([
      at.write(`${name}/privkey.pem`, issued.key.pem),
      at.write(`${name}/privkey`, issued.key.pem),
      at.write(`${name}/fullchain.pem`, issued.pem),
      at.write(`${name}/fullchain`, issued.pem),
    ]);
  for (const name of ["live/a.example", "live/*.b.example", "deep/c.example"]) await write(name);
  const certs = at.path("certs");
  const c = at.path("deep/c.example");
  const table: [client: string, files: string[], ProgramOptions, args?: string[]][] = [
    [
      "acmetool",
      ["_.b.example.pem", "a.example.pem"],
      { env: { ACME_STATE_DIR: at.directory }, stdin: "a.example\n*.b.example\n" },
      ["live-updated"],
    ],
    ["certbot", ["c.example.pem"], { env: { RENEWED_LINEAGE: c } }],
    ["lego", ["l.example.pem"], {
      env: {
        LEGO_CERT_DOMAIN: "l.example",
        LEGO_CERT_PATH: `${c}/fullchain.pem`,
        LEGO_CERT_KEY_PATH: `${c}/privkey.pem`,
      },
    }],
    ["lego", ["l5.pem"], {
      env: {
        LEGO_HOOK_CERT_NAME: "l5",
        LEGO_HOOK_CERT_PATH: `${c}/fullchain.pem`,
        LEGO_HOOK_CERT_KEY_PATH: `${c}/privkey.pem`,
      },
    }],
    ["dehydrated", ["c.example.pem"], {}, [
      ...["deploy_cert", "c.example", `${c}/privkey.pem`, `${c}/cert.pem`],
      ...[`${c}/fullchain.pem`, `${c}/chain.pem`, "1"],
    ]],
    ["acme.sh", ["s.example.pem"], {
      env: {
        Le_Domain: "s.example",
        CERT_KEY_PATH: `${c}/privkey.pem`,
        CERT_FULLCHAIN_PATH: `${c}/fullchain.pem`,
      },
    }],
  ];
  for (const [client, files, options, args = []] of table) {
    const flags = ["assemble-pem", "--hook", client, "--out-dir", certs, "--", ...args];
    const { code, stderr } = await acmeLb(flags, options);
    assert.deepEqual([code, stderr], [0, ""], client);
    assert.deepEqual(await at.installed(), files, client);
    for (const file of files) {
      assert.equal(await Deno.readTextFile(`${certs}/${file}`), issued.key.pem + issued.pem);
      await Deno.remove(`${certs}/${file}`);
    }
  }
});

Deno.test("assemble-pem --hook is quiet for events that are not for it, with the client's exit code", async () => {
  await using at = await scene();
  const table: [client: string, event: string, code: number][] = [
    ["acmetool", "challenge-http-start", 42],
    ["acmetool", "some-later-event", 42],
    ["dehydrated", "startup_hook", 0],
    ["dehydrated", "generate_csr", 0],
    ["dehydrated", "deploy_challenge", 0],
  ];
  for (const [client, event, expected] of table) {
    const flags = ["assemble-pem", "--hook", client, "--out-dir", at.path("certs")];
    const rest = ["--", event, "a.example", "-token", "--value"];
    const { code, stdout, stderr } = await acmeLb([...flags, ...rest], { stdin: "token.key" });
    assert.deepEqual([code, stdout, stderr], [expected, "", ""], event);
  }
  assert.deepEqual(await at.installed(), []);
});

Deno.test("assemble-pem --hook installs the other certificates when one is wrong", async () => {
  await using at = await scene();
  const issued = await issue();
  for (const name of ["a.example", "b.example", "c.example"]) {
    await at.write(`live/${name}/privkey`, name === "b.example" ? "" : issued.key.pem);
    await at.write(`live/${name}/fullchain`, issued.pem);
  }
  const flags = ["assemble-pem", "--hook", "acmetool", "--out-dir", at.path("certs")];
  const { code, stdout, stderr } = await acmeLb([...flags, "--", "live-updated"], {
    env: { ACME_STATE_DIR: at.directory },
    stdin: "a.example\nb.example\nc.example\n",
  });
  assert.equal(code, 1);
  assert.match(stderr, /^acme-lb: .*b.example.pem is not written: .*privkey: is empty\n$/);
  assert.equal(stdout.split("\n").length, 3);
  assert.deepEqual(await at.installed(), ["a.example.pem", "c.example.pem"]);
});

Deno.test("assemble-pem --hook installs the other names when one makes no file", async () => {
  await using at = await scene();
  const issued = await issue();
  for (const name of ["a.example", "c.example", "*.d.example", "bücher.example"]) {
    await at.write(`live/${name}/privkey`, issued.key.pem);
    await at.write(`live/${name}/fullchain`, issued.pem);
  }
  const flags = ["assemble-pem", "--hook", "acmetool", "--out-dir", at.path("certs")];
  const odd = ["..", "x/y", ".hidden", "-dash", "a".repeat(300)];
  for (const name of odd) {
    const { code, stdout, stderr } = await acmeLb([...flags, "--", "live-updated"], {
      env: { ACME_STATE_DIR: at.directory },
      stdin: `a.example\n${name}\n*.d.example\nc.example\nbücher.example\n`,
    });
    assert.equal(code, 1, name);
    assert.match(stderr, /^acme-lb: ".*" cannot be part of a file name\n$/, name);
    assert.equal(stdout.trim().split("\n").length, 4, name);
  }
  assert.deepEqual(await at.installed(), [
    ...["_.d.example.pem", "a.example.pem", "c.example.pem", "xn--bcher-kva.example.pem"],
  ]);
});

Deno.test("assemble-pem --hook dehydrated installs a missing file at unchanged_cert, and prints nothing when it is there", async () => {
  await using at = await scene();
  const issued = await issue();
  const paths = ["privkey", "cert", "fullchain", "chain"].map((name) =>
    at.path(`d/a.example/${name}.pem`)
  );
  for (const path of paths) {
    const text = path.endsWith("privkey.pem") ? issued.key.pem : issued.pem;
    await at.write(path.slice(at.directory.length + 1), text);
  }
  const call = (event: string) =>
    acmeLb([
      ...["assemble-pem", "--hook", "dehydrated", "--out-dir", at.path("certs"), "--"],
      ...[event, "a.example", ...paths],
    ]);
  const target = at.path("certs/a.example.pem");
  const stale = await issue({ notBefore: new Date(Date.now() - 86_400_000) });
  const before: [what: string, text: string | undefined][] = [
    ["nothing there", undefined],
    ["an empty file", ""],
    ["an older one", stale.key.pem + stale.pem],
    ["the same behind a line", `# x\n${issued.key.pem}${issued.pem}`],
    ["a damaged one", issued.key.pem + issued.pem.slice(0, 200)],
    ["the same, with another key", stale.key.pem + issued.pem],
  ];
  for (const [what, text] of before) {
    await Deno.remove(target).catch(() => {});
    if (text !== undefined) await at.write("certs/a.example.pem", text);
    const made = await call("unchanged_cert");
    assert.equal(made.code, 0, `${what}: ${made.stderr}`);
    assert.match(made.stdout, /a\.example\.pem: written: /, what);
    assert.equal(await Deno.readTextFile(target), issued.key.pem + issued.pem, what);
    const quiet = await call("unchanged_cert");
    assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, "", ""], what);
  }
  assert.match((await call("deploy_cert")).stdout, /: unchanged: /);
});

Deno.test("assemble-pem reports when it removes rights of others, and needs no name with --out", async () => {
  await using at = await scene();
  const issued = await issue();
  const args = await given(at, [issued]);
  const target = at.path("certs/a.pem");
  const table: [mode: number, flags: string[], after: number, told: boolean][] = [
    [0o644, [], 0o640, true],
    [0o604, [], 0o600, true],
    [0o666, [], 0o660, true],
    [0o640, [], 0o640, false],
    [0o600, [], 0o600, false],
    [0o644, ["--mode", "0600"], 0o600, false],
  ];
  for (const [mode, flags, after, told] of table) {
    await at.write("certs/a.pem", "");
    await Deno.chmod(target, mode);
    const { code, stderr } = await acmeLb([...args, ...flags]);
    assert.equal(code, 0, stderr);
    assert.equal((await Deno.stat(target)).mode! & 0o777, after, mode.toString(8));
    assert.equal(/every user could read the key \(mode 06\d\d\)/.test(stderr), told, stderr);
  }
  for (const name of ["bücher example/x", "..", "a b", "\u202e", "x".repeat(500)]) {
    const env = { Le_Domain: name, CERT_KEY_PATH: args[2]!, CERT_FULLCHAIN_PATH: args[4]! };
    const out = at.path("certs/o.pem");
    const { code, stderr } = await acmeLb(["assemble-pem", "--hook", "acme.sh", "--out", out], {
      env,
    });
    assert.deepEqual([code, stderr], [0, ""], name);
  }
});

Deno.test("assemble-pem prints no byte of the key in any failure", async () => {
  await using at = await scene();
  const { leaf, lower, upper } = await issueChain();
  const args = await given(at, [leaf, lower, upper]);
  const secret = leaf.key.pkcs8.toBase64().slice(40, 64);
  const whole = leaf.key.pem;
  const damaged = [
    whole.replace("\n-----END", ""),
    whole.replace("-----BEGIN PRIVATE KEY-----\n", ""),
    whole.replaceAll("PRIVATE KEY", "RSA PRIVATE KEY"),
    whole.replaceAll("PRIVATE KEY", "NO KEY"),
    whole.replace(secret, `${secret}\n\n${secret}`),
    whole.replace(secret, `${secret}:`),
    whole + whole.replace(secret, secret.toLowerCase()),
  ];
  for (const key of damaged) {
    await at.write("privkey.pem", key);
    for (const level of ["info", "debug"]) {
      const { code, stdout, stderr } = await acmeLb([...args, "--log-level", level]);
      assert.equal(code, 1, key);
      for (let i = 0; i + 6 <= secret.length; i++) {
        assert.ok(!(stdout + stderr).includes(secret.slice(i, i + 6)), stderr);
      }
    }
  }
});

Deno.test("assemble-pem by twenty processes at once leaves one whole file", async () => {
  await using at = await scene();
  const root = await issue({ commonName: "Root", ca: true });
  const expected = new Set<string>();
  const commands = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
    const issued = await issue({ issuer: root });
    expected.add(issued.key.pem + issued.pem);
    const key = await at.write(`${i}.key`, issued.key.pem);
    const chain = await at.write(`${i}.crt`, issued.pem);
    return ["assemble-pem", "--key", key, "--cert", chain, "--out", at.path("certs/a.pem")];
  }));
  const results = await Promise.all(commands.map((args) => acmeLb(args)));
  for (const { code, stderr } of results) {
    assert.equal(code, 0, stderr);
  }
  assert.ok(expected.has(await Deno.readTextFile(at.path("certs/a.pem"))));
  assert.deepEqual(await at.installed(), ["a.pem"]);
});

const traceable = Deno.uid() === 0 &&
  await new Deno.Command("strace", { args: ["-V"], stdout: "null" }).output()
    .then(({ success }) => success, () => false);
// deno-lint-ignore no-console
if (!traceable) console.warn("assemble_pem_test: skipping a test: no strace, or not root");

Deno.test({
  name: "assemble-pem under umask 0 in a setgid directory opens nothing to others at any instant",
  ignore: !traceable,
  async fn() {
    await using at = await scene();
    const certs = at.path("certs");
    const issued = await issue();
    const assemble = await given(at, [issued]);
    const placeholder = ["self-signed", "--name", "a.example", "--out", at.path("certs/a.pem")];
    await Deno.chown(certs, 0, 12345);
    await Deno.chmod(certs, 0o2770);
    for (const args of [placeholder, assemble, [...assemble, "--mode", "0640"]]) {
      const log = at.path("strace");
      const script = 'umask 0; log=$1; shift; exec strace -f -y -qq -o "$log" "$@"';
      assert.equal((await acmeLb(args, { before: ["sh", "-c", script, "sh", log] })).code, 0);
      const calls = (await Deno.readTextFile(log)).split("\n")
        .filter((call) => call.includes(`${certs}/`) && !call.includes("execve("));
      const made = calls.flatMap((call) => /openat\(.*O_CREAT.*, (0\d+)/.exec(call)?.[1] ?? []);
      assert.ok(made.length > 0, "no file was made");
      assert.deepEqual([...new Set(made)], ["0600"]);
      const changed = calls.flatMap((call) => /f?chmod(?:at)?\(.*, (0\d+)/.exec(call)?.[1] ?? []);
      for (const mode of changed) assert.equal(parseInt(mode, 8) & 0o007, 0, mode);
      for (const name of [".acme-lb.lock", "a.pem"]) {
        assert.equal(await modeOf(`${certs}/${name}`) & 0o007, 0, name);
      }
      await Deno.remove(log);
    }
    assert.equal(await modeOf(at.path("certs/a.pem")), 0o640);
  },
});
