import assert from "node:assert/strict";
import { DAY, issue, issueChain, makeKey, NOW } from "../cert/issue.ts";
import { runExecutable } from "../executable.ts";
import { works } from "../works.ts";
import { check } from "./expiry_report.ts";
import { acmeLb } from "./program.ts";
import { temporaryFolder } from "../temporary_folder.ts";

async function inDirectory(
  files: Record<string, string | Uint8Array>,
  job: (directory: string, at: (name: string) => string) => Promise<void>,
): Promise<void> {
  await using folder = await temporaryFolder();
  const directory = folder.path;
  const at = (name: string) => `${directory}/${name}`;
  for (const [name, content] of Object.entries(files)) {
    if (typeof content === "string") await Deno.writeTextFile(at(name), content);
    else await Deno.writeFile(at(name), content);
  }
  await job(directory, at);
}

/** A certificate of 90 days with so many of them left. */
async function withDaysLeft(days: number) {
  const end = NOW.getTime() + days * DAY;
  const issued = await issue({
    notBefore: new Date(end - 90 * DAY),
    notAfter: new Date(end),
  });
  return issued.key.pem + issued.pem;
}

Deno.test("check-expiry ends with the code of the worst record, where UNKNOWN is never OK", async () => {
  const files = {
    "ok.pem": await withDaysLeft(60),
    "warning.pem": await withDaysLeft(20),
    "critical.pem": await withDaysLeft(5),
    "unknown.pem": "global\n",
  };
  await inDirectory(files, async (_, at) => {
    const table: [names: string[], code: number][] = [
      [["ok"], 0],
      [["ok", "warning"], 1],
      [["warning", "critical", "ok"], 2],
      [["ok", "unknown"], 3],
      [["unknown", "warning"], 1],
      [["unknown", "critical"], 2],
    ];
    for (const [names, expected] of table) {
      const paths = names.map((name) => at(`${name}.pem`));
      const { code, stderr } = await acmeLb(["check-expiry", ...paths]);
      assert.deepEqual([code, stderr], [expected, ""], names.join(" "));
    }
    const flags = ["--warning", "30d", "--critical", "48h"];
    assert.equal((await acmeLb(["check-expiry", at("critical.pem"), ...flags])).code, 1);
  });
});

Deno.test("check-expiry has exactly one record for each invalid file, and none of them is OK", async () => {
  const { leaf, lower } = await issueChain();
  const good = leaf.key.pem + leaf.pem + lower.pem;
  const files = {
    "good.pem": good,
    "good.der": leaf.certificate.der,
    "bom-crlf.pem": `\ufeff${good.replaceAll("\n", "\r\n")}`,
    "a\n\x1b[31m|b.pem": leaf.pem,
    "empty.pem": "",
    "blank.pem": "\n \n",
    "text.pem": "global\n  daemon\n",
    "binary.pem": crypto.getRandomValues(new Uint8Array(3000)),
    "cut.pem": good.slice(0, -100),
    "cut.der": leaf.certificate.der.slice(0, 200),
    "damaged.pem": good.replace(leaf.pem.slice(100, 110), "##########"),
    "wrong-key.pem": (await makeKey()).pem + leaf.pem + lower.pem,
    "no-chain-order.pem": leaf.key.pem + leaf.pem + (await issue()).pem,
    "key.pem": leaf.key.pem,
    ".hidden.pem": good,
    ".acme-lb.lock": "",
    "good.pem~": good,
    "#good.pem#": good,
    "good.pem.swp": good,
    "good.pem.bak": good,
    "good.pem.tmp": good,
    "good.pem.dpkg-old": good,
    "expired.pem.orig": await withDaysLeft(-3),
    "chain.pem.bak": leaf.pem + lower.pem,
    "key.pem.orig": leaf.key.pem,
    "cut.pem.rej": good.slice(0, 500),
    "good.pem.ocsp": "x",
    "good.pem.issuer": "x",
    "good.pem.sctl": "x",
    "README": "x",
  };
  await inDirectory(files, async (directory, at) => {
    await Deno.truncate(at("empty.pem"));
    await Deno.writeTextFile(at("large.pem"), good);
    await Deno.truncate(at("large.pem"), 2 * 1024 * 1024);
    await Deno.symlink("good.pem", at("link.pem"));
    await Deno.symlink("missing", at("dangling.pem"));
    await Deno.symlink("loop.pem", at("loop.pem"));
    await Deno.symlink(".", at("itself"));
    await Deno.symlink("/dev/zero", at("device.pem"));
    for (const command of [`mkfifo pipe.pem`, `cp good.pem "$(printf 'caf\\351.pem')"`]) {
      assert.ok(await works("sh", { args: ["-c", command], cwd: directory }));
    }
    const { code, stderr, report, summaries } = await check(directory, [directory]);
    assert.deepEqual([code, stderr], [2, ""]);
    assert.deepEqual(summaries, {
      "good.pem": "OK",
      "good.der": "OK",
      "bom-crlf.pem": "OK",
      "link.pem": "OK",
      "good.pem~": "OK",
      "#good.pem#": "OK",
      "good.pem.swp": "OK",
      "good.pem.bak": "OK",
      "good.pem.tmp": "OK",
      "good.pem.dpkg-old": "OK",
      "expired.pem.orig": "CRITICAL expired",
      "a\n\x1b[31m|b.pem": "OK",
      "empty.pem": "UNKNOWN unreadable",
      "blank.pem": "UNKNOWN unreadable",
      "text.pem": "UNKNOWN no_certificate",
      "binary.pem": "UNKNOWN no_certificate",
      "cut.pem": "UNKNOWN unreadable",
      "cut.der": "UNKNOWN unreadable",
      "damaged.pem": "UNKNOWN unreadable",
      "large.pem": "UNKNOWN unreadable",
      "dangling.pem": "UNKNOWN unreadable",
      "loop.pem": "UNKNOWN unreadable",
      "device.pem": "UNKNOWN unreadable",
      "pipe.pem": "UNKNOWN unreadable",
      "caf\ufffd.pem": "UNKNOWN unreadable",
      "wrong-key.pem": "CRITICAL key_mismatch",
      "no-chain-order.pem": "CRITICAL chain_broken",
    });
    assert.equal(report.records.length, Object.keys(summaries).length);
    const left = "left behind by an editor or a package";
    assert.deepEqual(report.notes.map((note) => note.slice(directory.length + 1)), [
      `#good.pem#: ${left}; HAProxy loads it nevertheless`,
      ".hidden.pem: hidden",
      "README: a text for people",
      `chain.pem.bak: ${left}`,
      `cut.pem.rej: ${left}`,
      `expired.pem.orig: ${left}; HAProxy loads it nevertheless`,
      `good.pem.bak: ${left}; HAProxy loads it nevertheless`,
      `good.pem.dpkg-old: ${left}; HAProxy loads it nevertheless`,
      "good.pem.issuer: a side file of HAProxy",
      "good.pem.ocsp: a side file of HAProxy",
      "good.pem.sctl: a side file of HAProxy",
      `good.pem.swp: ${left}; HAProxy loads it nevertheless`,
      `good.pem.tmp: ${left}; HAProxy loads it nevertheless`,
      `good.pem~: ${left}; HAProxy loads it nevertheless`,
      "itself: leads to a directory that is checked already",
      `key.pem.orig: ${left}`,
      "key.pem: holds only a private key",
    ]);
    // Each of them, given as the only argument, has its record and its code.
    const codes: Record<string, number> = { OK: 0, CRITICAL: 2, UNKNOWN: 3 };
    for (const [name, summary] of Object.entries(summaries)) {
      const alone = await check(directory, [at(name)]);
      assert.deepEqual(alone.summaries, { [name]: summary }, name);
      assert.equal(alone.code, codes[summary.split(" ")[0]!], name);
    }
    for (const name of ["key.pem", "missing", "missing/x", "*.crt", ".hidden.pem"]) {
      const { code, report } = await check(directory, [at(name)]);
      assert.deepEqual([code, report.records.length], [name === ".hidden.pem" ? 0 : 3, 1], name);
    }
    await Deno.mkdir(at("nothing"));
    assert.deepEqual((await check(directory, [at("nothing")])).summaries, {
      "nothing": "UNKNOWN unreadable",
    });
  });
});

Deno.test({
  name: "check-expiry has a record for each file that its user cannot read",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    await inDirectory({ "shut.pem": await withDaysLeft(60) }, async (directory, at) => {
      await Deno.chmod(directory, 0o755);
      await Deno.chmod(at("shut.pem"), 0o600);
      await Deno.mkdir(at("shut"), { mode: 0o700 });
      const args = ["check-expiry", "--format", "nagios", "-vv", directory, at("shut/*.pem")];
      const { code, stdout } = await runExecutable(args, { uid: 65_534, env: { HOME: directory } });
      assert.equal(code, 3, stdout);
      assert.match(
        stdout,
        /^UNKNOWN \S+\/shut\.pem: cannot be read: permission denied \(EACCES\)$/m,
      );
      assert.match(stdout, /^UNKNOWN \S+\/shut: the directory cannot be read: permission denied/m);
      assert.match(stdout, /^UNKNOWN \S+\/shut\/?: the directory cannot be read/m);
    });
  },
});

Deno.test("check-expiry reports a wrong command line or configuration in one line, with code 3", async () => {
  await inDirectory({ "bad.yaml": "certificates: 7\n", "empty.yaml": "" }, async (_, at) => {
    const table: [args: string[], reason: RegExp][] = [
      [["--bogus"], /unknown option '--bogus'; see acme-lb check-expiry --help/],
      [["x", "--warning", "20"], /--warning .*'20' is invalid: expected a share of the lifetime/],
      [["x", "--critical", "0%"], /a share of the lifetime is above 0%/],
      [
        ["x", "--warning", "5%"],
        /CRITICAL with 12\.5% left would come before WARNING with 5% left/,
      ],
      [["x", "--format", "xml"], /--format .*'xml' is invalid: allowed choices/],
      [["--connect", "a.example"], /expected HOST:PORT or \[IPv6\]:PORT/],
      [["--connect", "2001:db8::1:443"], /expected HOST:PORT or \[IPv6\]:PORT/],
      [["--connect", "a.example:0"], /nothing listens on port 0/],
      [["--connect", "a.example:65536"], /port 65536 is not between/],
      [["--connect", "bücher.example:443"], /xn--/],
      ...["8", "0s", "99ms", "61m", "-1s", "8 s", ""].map((span): [string[], RegExp] => [
        ["x", `--timeout=${span}`],
        /--timeout .* is invalid: expected a (time from 100ms to 1h|duration)/,
      ]),
      [["x", "-4", "-6"], /'-4, --ipv4' cannot be used with .*'-6, --ipv6'/],
      [["x", "--name", "a b"], /expected a DNS name or an IP address/],
      [["--config", at("missing.yaml")], /missing\.yaml: no such file/],
      [["--config", at("bad.yaml")], /bad\.yaml:1:15: certificates: expected a list/],
      [["--config", at("empty.yaml")], /nothing to check: give a path or --connect HOST:PORT, or /],
      [["x", "--output", at("missing/x.prom")], /cannot write .*x\.prom: its directory does not/],
    ];
    for (const [args, reason] of table) {
      const { code, stdout, stderr } = await acmeLb(["check-expiry", ...args]);
      assert.deepEqual([code, stdout], [3, ""], `${args}: ${stderr}`);
      assert.match(stderr, /^acme-lb: [^\n]+\n$/, args.join(" "));
      assert.match(stderr, reason, args.join(" "));
    }
  });
});

Deno.test("check-expiry without arguments checks the files and sockets in the configuration", async () => {
  await inDirectory({ "a.pem": await withDaysLeft(60), "b.pem": "x" }, async (directory, at) => {
    await Deno.writeTextFile(
      at("config.yaml"),
      `certificates: ["${at("a.pem")}", "${at("b*")}"]\nhaproxy: {sockets: ["${at("no.sock")}"]}\n`,
    );
    const config = ["--config", at("config.yaml")];
    const { code, summaries } = await check(directory, config);
    assert.equal(code, 3);
    assert.deepEqual(summaries, {
      "a.pem": "OK",
      "b.pem": "UNKNOWN no_certificate",
      "no.sock": "UNKNOWN unreachable",
    });
    assert.deepEqual((await check(directory, [...config, at("a.pem")])).summaries, {
      "a.pem": "OK",
    });
  });
});

Deno.test("check-expiry reports each --name that a certificate does not cover", async () => {
  const { pem } = await issue({ names: ["a.example", "*.b.example"] });
  await inDirectory({ "a.pem": pem }, async (directory, at) => {
    const good = ["--name", "A.example", "--name", "x.b.example"];
    assert.equal((await check(directory, [at("a.pem"), ...good])).code, 0);
    const { code, summaries } = await check(directory, [
      at("a.pem"),
      ...good,
      "--name",
      "b.example",
    ]);
    assert.deepEqual([code, summaries], [2, { "a.pem": "CRITICAL name_missing" }]);
  });
});

Deno.test("check-expiry writes --output whole, for others to read, and nothing on standard output", async () => {
  await inDirectory({ "a.pem": await withDaysLeft(5) }, async (directory, at) => {
    const args = ["check-expiry", at("a.pem"), "--format", "prometheus", "--output", at("a.prom")];
    const first = await acmeLb(args);
    assert.deepEqual([first.code, first.stdout, first.stderr], [2, "", ""]);
    const info = await Deno.stat(at("a.prom"));
    assert.equal(info.mode! & 0o777, 0o644);
    const text = await Deno.readTextFile(at("a.prom"));
    assert.match(text, /^acme_lb_certificate_state\{source="file",place="[^"]*a\.pem"\} 2$/m);
    assert.ok(text.endsWith("\n"));
    // Others who have the old file open keep it, and nothing is left beside the new one.
    await Deno.writeTextFile(at("a.pem"), await withDaysLeft(60));
    assert.equal((await acmeLb(args)).code, 0);
    assert.notEqual((await Deno.stat(at("a.prom"))).ino, info.ino);
    const names = await Array.fromAsync(Deno.readDir(directory), ({ name }) => name);
    assert.deepEqual(names.sort(), ["a.pem", "a.prom"]);
    const colour = await acmeLb(["check-expiry", at("a.pem"), "--output", at("a.txt")], {
      env: { FORCE_COLOR: "1" },
    });
    assert.equal(colour.code, 0);
    assert.ok(!(await Deno.readTextFile(at("a.txt"))).includes("\x1b"));
  });
});

Deno.test("check-expiry never writes its report over what it has checked", async () => {
  const pem = await withDaysLeft(60);
  await inDirectory({ "a.pem": pem }, async (directory, at) => {
    await Deno.symlink("a.pem", at("link"));
    for (const output of ["a.pem", "link"]) {
      const { code, stderr } = await acmeLb(["check-expiry", directory, "--output", at(output)]);
      assert.equal(code, 3);
      assert.match(stderr, /^acme-lb: \S+ is not written: it is the same file as \S+\n$/);
      assert.equal(await Deno.readTextFile(at("a.pem")), pem);
    }
  });
});

Deno.test("check-expiry reports in every format, the same each time but for the clock", async () => {
  const files = { "b.pem": await withDaysLeft(60), "a.pem": await withDaysLeft(20) };
  await inDirectory(files, async (directory, at) => {
    const run = async (...args: string[]) =>
      (await acmeLb(["check-expiry", directory, ...args])).stdout;
    assert.match(await run(), /^STATE .*\nWARNING .*\/a\.pem\nOK .*\/b\.pem\n\nWARNING: /);
    assert.match(
      await run("--format", "nagios"),
      /^SSL WARNING: [^|\n]*a\.pem[^|\n]*\| '\/\S+\/a\.pem'=\d+s;/,
    );
    assert.match(await run("--format", "nagios", "-v"), /^SSL WARNING: [^\n]*\n$/);
    assert.equal((await run("--format", "nagios", "-vv")).split("\n").length, 4);
    assert.ok((await run("--format", "nagios", "-vvv")).split("\n").length > 8);
    const order = async (...paths: string[]) =>
      (await check(directory, paths)).report.records.map(({ place }) => place);
    assert.deepEqual(await order(at("b.pem"), at("a.pem")), await order(directory));
  });
});
