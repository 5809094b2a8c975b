import assert from "node:assert/strict";
import { readCertificate } from "../../lib/cert/certificate.ts";
import { parsePem } from "../../lib/cert/pem.ts";
import { issue } from "../cert/issue.ts";
import { acmeLb } from "./program.ts";
import { temporaryFolder } from "../temporary_folder.ts";

async function withTarget(job: (out: string) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder();
  const directory = folder.path;
  await job(`${directory}/a.pem`);
}

async function certificateAt(path: string) {
  return readCertificate(parsePem(await Deno.readFile(path))[1]!.der);
}

Deno.test("self-signed writes a placeholder for the given names, and renews only placeholders", async () => {
  await withTarget(async (out) => {
    const names = ["--name", "Service.Example", "--name", "192.0.2.1", "--name", "[2001:db8::1]"];
    const first = await acmeLb(["self-signed", ...names, "--out", out]);
    assert.deepEqual([first.code, first.stderr], [0, ""]);
    assert.match(
      first.stdout,
      /a\.pem: written: placeholder for service\.example \(serial .*\) until /,
    );
    const made = await certificateAt(out);
    assert.equal(made.placeholder, true);
    assert.deepEqual(made.names.map(({ value }) => value), [
      "service.example",
      "192.0.2.1",
      "2001:db8::1",
    ]);
    assert.equal((await Deno.stat(out)).mode! & 0o777, 0o600);
    const again = await acmeLb(["self-signed", "--name", "b.example", "--out", out, "--days", "7"]);
    assert.equal(again.code, 0);
    const next = await certificateAt(out);
    assert.notEqual(next.serial, made.serial);
    const days = (next.notAfter.getTime() - Date.now()) / 86_400_000;
    assert.ok(days > 6.9 && days <= 7, String(days));
  });
});

Deno.test("self-signed refuses to replace anything that is not a placeholder, and leaves it", async () => {
  const issued = await issue();
  const own = issued.key.pem + issued.pem;
  const table: [what: string, content: string, reason: RegExp][] = [
    ["a certificate", own, /left alone: it holds a certificate for service\.example/],
    ["a lone certificate", issued.pem, /it holds a certificate for/],
    ["a lone key", issued.key.pem, /it is no placeholder; remove it first/],
    ["a damaged file", own.slice(0, -20), /it is damaged \(line \d+: CERTIFICATE has no END\)/],
    ["another file", "global\n", /it is no placeholder; remove it first/],
  ];
  for (const [what, content, reason] of table) {
    await withTarget(async (out) => {
      await Deno.writeTextFile(out, content);
      const { code, stdout, stderr } = await acmeLb([
        "self-signed",
        "--name",
        "a.example",
        "--out",
        out,
      ]);
      assert.deepEqual([code, stdout], [1, ""], what);
      assert.match(stderr, reason, what);
      assert.equal(await Deno.readTextFile(out), content, what);
      const spared = await acmeLb([
        "self-signed",
        "--name",
        "a.example",
        "--out",
        out,
        "--if-missing",
      ]);
      assert.deepEqual([spared.code, spared.stderr], [0, ""], what);
      assert.equal(await Deno.readTextFile(out), content, what);
    });
  }
});

Deno.test("self-signed --if-missing makes the file when there is none", async () => {
  await withTarget(async (out) => {
    const args = ["self-signed", "--name", "a.example", "--out", out, "--if-missing"];
    assert.match((await acmeLb(args)).stdout, /: written: /);
    const { serial } = await certificateAt(out);
    assert.match((await acmeLb(args)).stdout, /: left as it is\n$/);
    assert.equal((await certificateAt(out)).serial, serial);
  });
});

Deno.test("self-signed --if-missing counts an empty file as missing, and uses each name once", async () => {
  await withTarget(async (out) => {
    const names = ["--name", "a.example", "--name", "A.example", "--name", "a.example."];
    const args = ["self-signed", ...names, "--out", out, "--if-missing"];
    for (const blank of ["", "\n", " \n\t\r\n", "\n".repeat(4096), "\v\f"]) {
      await Deno.writeTextFile(out, blank);
      assert.match((await acmeLb(args)).stdout, /: written: /, JSON.stringify(blank));
      const { names: made } = await certificateAt(out);
      assert.deepEqual(made.map(({ value }) => value), ["a.example"]);
    }
    for (const content of ["x", "# later\n", "\0", "-----BEGIN PRIVATE KEY-----\n"]) {
      await Deno.writeTextFile(out, content);
      assert.match((await acmeLb(args)).stdout, /: left as it is\n$/, JSON.stringify(content));
      assert.equal(await Deno.readTextFile(out), content);
    }
  });
});

Deno.test("a placeholder of self-signed is replaced by assemble-pem with any dates, and never the reverse", async () => {
  await withTarget(async (out) => {
    await acmeLb(["self-signed", "--name", "placeholder.example", "--out", out, "--days", "3650"]);
    const issued = await issue();
    await Deno.writeTextFile(`${out}.key`, issued.key.pem);
    await Deno.writeTextFile(`${out}.crt`, issued.pem);
    const args = ["assemble-pem", "--key", `${out}.key`, "--cert", `${out}.crt`, "--out", out];
    const { code, stderr } = await acmeLb(args);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal((await acmeLb(["self-signed", "--name", "a.example", "--out", out])).code, 1);
  });
});

Deno.test("self-signed refuses a wrong command line with 64", async () => {
  const table: [string[], RegExp][] = [
    [["--out", "x"], /required option '--name/],
    [["--name", "a.example"], /required option '--out/],
    [["--name", "a b", "--out", "x"], /expected a DNS name or an IP address/],
    [["--name", "a.example", "--out", "x", "--days", "0"], /from 1 to 3650/],
    [["--name", "a.example", "--out", "x", "--mode", "0666"], /others must have no rights/],
    [["--name", "a.example", "--out", "x", "y"], /too many arguments/],
  ];
  for (const [args, reason] of table) {
    const { code, stderr } = await acmeLb(["self-signed", ...args]);
    assert.equal(code, 64, args.join(" "));
    assert.match(stderr, reason);
  }
});
