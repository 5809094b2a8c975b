/**
 * assemble-pem with a HAProxy that runs: disk, memory and handshakes agree afterwards, whatever
 * happens in between.
 */

import assert from "node:assert/strict";
import { issue, type Issued, type IssueOptions } from "../cert/issue.ts";
import {
  hasHaproxy,
  pemOf,
  type RealHaproxy,
  serialOf,
  startHaproxy,
} from "../haproxy/real_haproxy.ts";
import { acmeLb, type ProgramOptions } from "./program.ts";

const ignore = !hasHaproxy;
const hasStrace = await new Deno.Command("strace", { args: ["-V"], stdout: "null" }).output()
  .then(({ success }) => success, () => false);
// deno-lint-ignore no-console
if (!hasStrace) console.warn("assemble_pem_swap_test: skipping a test: no strace");

const NAMES = { names: ["default.example"] };

interface Run {
  args: string[];
  issued: Issued;
}

/** A new certificate on disk, and the command that installs it as certs/default.pem. */
async function renewal(haproxy: RealHaproxy, options: IssueOptions = {}): Promise<Run> {
  const issued = await issue({ ...NAMES, ...options });
  const id = crypto.randomUUID();
  const key = await haproxy.write(`${id}.key`, issued.key.pem);
  const cert = await haproxy.write(`${id}.crt`, issued.pem);
  const out = haproxy.path("certs/default.pem");
  const args = ["assemble-pem", "--key", key, "--cert", cert, "--out", out, "--haproxy-socket"];
  return { issued, args: [...args, haproxy.worker] };
}

/** The serial that disk, memory and a handshake agree on. */
async function agreedSerial(haproxy: RealHaproxy, name = "default"): Promise<string> {
  const path = haproxy.path(`certs/${name}.pem`);
  const shown = await haproxy.ask(`show ssl cert ${path}`);
  const memory = /^Serial: ([0-9A-F]+)$/m.exec(shown)?.[1];
  const served = await haproxy.servedSerial(`${name}.example`);
  assert.equal(served.replace(/^0+/, ""), memory?.replace(/^0+/, ""), "handshake and memory");
  const { stdout } = await new Deno.Command("openssl", {
    args: ["x509", "-noout", "-serial", "-in", path],
  }).output();
  const disk = new TextDecoder().decode(stdout).trim().replace("serial=", "");
  assert.equal(disk, memory, "disk and memory");
  return disk;
}

async function assertNoTransaction(haproxy: RealHaproxy): Promise<void> {
  assert.doesNotMatch(await haproxy.ask("show ssl cert"), /^\*/m);
}

Deno.test({
  name: "assemble-pem brings a renewed certificate into HAProxy without a reload",
  ignore,
  async fn() {
    await using haproxy = await startHaproxy();
    const pid = await haproxy.workerPid();
    for (const socket of [haproxy.worker, haproxy.master]) {
      const { args, issued } = await renewal(haproxy);
      const { code, stdout, stderr } = await acmeLb([...args.slice(0, -1), socket]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /: written: .*\n.*\.sock: swapped: .*default\.pem\n$/);
      assert.equal(await agreedSerial(haproxy), serialOf(issued));
      assert.match((await acmeLb(args)).stdout, /: unchanged: .*\n.*worker\.sock: current: /);
    }
    assert.equal(await haproxy.workerPid(), pid);
  },
});

Deno.test({
  name: "assemble-pem adds a certificate that HAProxy has not known, by its directory",
  ignore,
  async fn() {
    await using haproxy = await startHaproxy();
    const { args, issued } = await renewal(haproxy, { names: ["second.example"] });
    const out = haproxy.path("certs/second.pem");
    const { code, stdout, stderr } = await acmeLb(args.with(args.indexOf("--out") + 1, out));
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /worker\.sock: added/);
    assert.equal(await agreedSerial(haproxy, "second"), serialOf(issued));
  },
});

Deno.test({
  name: "assemble-pem takes sockets from the configuration, and HAProxy's own name for the file",
  ignore,
  async fn() {
    await using haproxy = await startHaproxy();
    const config = await haproxy.write(
      "config.yaml",
      `haproxy: { sockets: [${haproxy.worker}] }\n`,
    );
    await Deno.symlink("certs", haproxy.path("link"));
    const { args, issued } = await renewal(haproxy);
    const plain = args.slice(0, args.indexOf("--out"));
    const out = haproxy.path("link/default.pem");
    // The file is the same one, so it is found by itself, and by HAProxy's name for it.
    const found = await acmeLb([...plain, "--config", config, "--out", out]);
    assert.deepEqual([found.code, found.stderr], [0, ""]);
    assert.equal(await agreedSerial(haproxy), serialOf(issued));
    const name = haproxy.path("certs/default.pem");
    const known = await acmeLb([
      ...plain,
      "--config",
      config,
      "--out",
      out,
      "--haproxy-name",
      name,
    ]);
    assert.deepEqual([known.code, known.stderr], [0, ""]);
    assert.match(known.stdout, /worker\.sock: current: /);
    assert.equal(await agreedSerial(haproxy), serialOf(issued));
  },
});

Deno.test({
  name: "assemble-pem --hook with --out-dir takes --haproxy-name for the directory",
  ignore,
  async fn() {
    await using haproxy = await startHaproxy();
    await Deno.symlink("certs", haproxy.path("link"));
    const issued = await issue(NAMES);
    await Deno.mkdir(haproxy.path("live/default"), { recursive: true });
    await haproxy.write("live/default/privkey.pem", issued.key.pem);
    await haproxy.write("live/default/fullchain.pem", issued.pem);
    const flags = ["--hook", "certbot", "--out-dir", haproxy.path("link/")];
    const told = ["--haproxy-socket", haproxy.worker, "--haproxy-name", haproxy.path("certs/")];
    const { code, stderr } = await acmeLb(["assemble-pem", ...flags, ...told], {
      env: { RENEWED_LINEAGE: haproxy.path("live/default") },
    });
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(await agreedSerial(haproxy), serialOf(issued));
  },
});

Deno.test({
  name: "assemble-pem puts the old file back and exits 1 when HAProxy does not take the new one",
  ignore,
  async fn() {
    await using haproxy = await startHaproxy();
    const before = await agreedSerial(haproxy);
    const { args } = await renewal(haproxy);
    const { code, stdout, stderr } = await acmeLb([...args.slice(0, -1), haproxy.operator]);
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(
      stderr,
      /^acme-lb: .*default\.pem: the old file is back: .*operator\.sock: denied/,
    );
    assert.equal(await agreedSerial(haproxy), before);
    const out = haproxy.path("certs/fresh.pem");
    const fresh = args.with(args.indexOf("--out") + 1, out).with(-1, haproxy.operator);
    assert.equal((await acmeLb(fresh)).code, 1);
    await assert.rejects(Deno.stat(out), Deno.errors.NotFound);
    await assertNoTransaction(haproxy);
  },
});

Deno.test({
  name: "assemble-pem keeps the new file but exits 1 when no HAProxy answers at the socket",
  ignore,
  async fn() {
    await using haproxy = await startHaproxy();
    const { args, issued } = await renewal(haproxy);
    const { code, stderr } = await acmeLb([...args.slice(0, -1), haproxy.path("nobody.sock")]);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^acme-lb: HAProxy does not answer \(.*nobody\.sock: .*\); it will load .*\.pem when it starts$/m,
    );
    assert.equal(await Deno.readTextFile(haproxy.path("certs/default.pem")), pemOf(issued));
  },
});

Deno.test({
  name: "assemble-pem sends no command that its input hides after a blank line",
  ignore,
  async fn() {
    await using haproxy = await startHaproxy();
    const issued = await issue(NAMES);
    const commands = [
      "shutdown frontend directory",
      "set server x/y state maint",
      "@1 shutdown frontend directory",
      "del ssl crt-list certs default.pem",
    ];
    const poison = (pem: string, at: number, command: string) => {
      const lines = pem.split("\n");
      return lines.toSpliced(at, 0, "", command, "").join("\n");
    };
    let written = 0;
    for (const command of commands) {
      for (let at = 0; at <= issued.pem.split("\n").length; at += 2) {
        const key = await haproxy.write("k", poison(issued.key.pem, at % 5, command));
        const cert = await haproxy.write("c", poison(issued.pem, at, command));
        const out = haproxy.path("certs/default.pem");
        const args = [
          "--key",
          key,
          "--cert",
          cert,
          "--out",
          out,
          "--haproxy-socket",
          haproxy.worker,
        ];
        const { code } = await acmeLb(["assemble-pem", ...args]);
        const text = await Deno.readTextFile(out);
        assert.doesNotMatch(text, /^$(?!\n*$)|shutdown|set server|del ssl|^.*\n\n/m);
        if (code === 0) written++;
      }
    }
    assert.ok(written > 0, "every poisoned input was refused: nothing reached HAProxy");
    // Frontends stay open and the certificate listed: nothing was carried out.
    assert.equal(await agreedSerial(haproxy), serialOf(issued));
    assert.doesNotMatch(await haproxy.log(), /Proxy directory stopped/);
  },
});

Deno.test({
  name: "assemble-pem sends no command that the old file hides when it restores it",
  ignore,
  async fn() {
    await using haproxy = await startHaproxy();
    const out = haproxy.path("certs/default.pem");
    const old = await Deno.readTextFile(out);
    await Deno.writeTextFile(out, `${old}\n\nshutdown frontend directory\n\n`);
    const { args } = await renewal(haproxy);
    // The first takes the new certificate, the second refuses: the first has to go back.
    const both = [...args, "--haproxy-socket", haproxy.operator];
    const { code, stderr } = await acmeLb(both);
    assert.equal(code, 1);
    assert.match(stderr, /worker\.sock: (rolled_back|untouched).*operator\.sock: denied/);
    assert.match(await Deno.readTextFile(out), /shutdown frontend/);
    await agreedSerial(haproxy);
    assert.doesNotMatch(await haproxy.log(), /Proxy directory stopped/);
  },
});

Deno.test({
  name: "assemble-pem twenty times at once leaves disk, memory and handshake with one certificate",
  ignore,
  async fn() {
    await using haproxy = await startHaproxy();
    const runs = await Promise.all(Array.from({ length: 20 }, () => renewal(haproxy)));
    const results = await Promise.all(runs.map(({ args }) => acmeLb(args)));
    assert.deepEqual(results.map(({ code, stderr }) => `${code}${stderr}`), runs.map(() => "0"));
    const serial = await agreedSerial(haproxy);
    assert.ok(runs.some(({ issued }) => serialOf(issued) === serial));
    await assertNoTransaction(haproxy);
    const names = await Array.fromAsync(Deno.readDir(haproxy.path("certs")), ({ name }) => name);
    assert.deepEqual(names.filter((name) => !name.endsWith(".lock")), ["default.pem"]);
  },
});

Deno.test({
  name: "assemble-pem swaps each of ten targets that are written at the same time",
  ignore,
  async fn() {
    const files: Record<string, string> = {};
    for (let i = 0; i < 10; i++) {
      files[`certs/n${i}.pem`] = pemOf(await issue({ names: [`n${i}.example`] }));
    }
    await using haproxy = await startHaproxy({ files });
    const runs = await Promise.all(Array.from({ length: 10 }, async (_, i) => {
      const { args, issued } = await renewal(haproxy, { names: [`n${i}.example`] });
      return {
        name: `n${i}`,
        issued,
        args: args.with(args.indexOf("--out") + 1, haproxy.path(`certs/n${i}.pem`)),
      };
    }));
    const results = await Promise.all(runs.map(({ args }) => acmeLb(args)));
    assert.deepEqual(results.map(({ code, stderr }) => `${code}${stderr}`), runs.map(() => "0"));
    for (const { name, issued } of runs) {
      assert.equal(await agreedSerial(haproxy, name), serialOf(issued));
    }
  },
});

/** Runs it under strace and kills it at one system call; true when it got that far. */
async function killedAt(args: string[], inject: string[]): Promise<boolean> {
  const before = ["strace", "-f", "-qq", "-o", "/dev/null", ...inject];
  const options: ProgramOptions = { before };
  const { signal } = await acmeLb(args, options);
  return signal === "SIGKILL";
}

Deno.test({
  name: "assemble-pem killed at any command to HAProxy is repaired by the next run",
  ignore: ignore || !hasStrace,
  async fn() {
    await using haproxy = await startHaproxy();
    const old = await Deno.readTextFile(haproxy.path("certs/default.pem"));
    const kills: string[] = [];
    const states = new Set<string>();
    // The runtime itself makes none of these calls; the steps of the file are killed one by one
    // in atomic_write_test.ts.
    for (const call of ["flock", "rename", "connect"]) {
      for (let when = 1; when <= 30; when++) {
        const { args, issued } = await renewal(haproxy);
        const inject = ["-e", `trace=${call}`, "-e", `inject=${call}:signal=KILL:when=${when}`];
        const killed = await killedAt(args, inject);
        const text = await Deno.readTextFile(haproxy.path("certs/default.pem"));
        states.add(text === pemOf(issued) ? "new" : "old");
        assert.match(text, /^-----BEGIN PRIVATE KEY-----[^]*-----END CERTIFICATE-----\n$/);
        const next = await acmeLb(args);
        assert.deepEqual([next.code, next.stderr], [0, ""], `${call} ${when}`);
        assert.equal(await agreedSerial(haproxy), serialOf(issued), `${call} ${when}`);
        await assertNoTransaction(haproxy);
        if (!killed) break;
        kills.push(call);
      }
    }
    // Locks of the directory and of the socket; list, show, set, look, commit, look again.
    const count = (call: string) => kills.filter((kill) => kill === call).length;
    assert.ok(count("flock") >= 1 && count("rename") === 1 && count("connect") >= 6, kills.join());
    assert.deepEqual([...states].sort(), ["new", "old"], "kills on both sides of the rename");
    assert.notEqual(await Deno.readTextFile(haproxy.path("certs/default.pem")), old);
  },
});
