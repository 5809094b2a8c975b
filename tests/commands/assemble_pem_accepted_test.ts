/**
 * What HAProxy refuses to load, assemble-pem refuses to write; what assemble-pem writes, HAProxy
 * loads. Both are asked, HAProxy with `haproxy -c`, so that neither table can go stale.
 */

import assert from "node:assert/strict";
import { issue, issueChain, type Issued, type KeyName, makeKey, NOW } from "../cert/issue.ts";
import { openssl, opensslKey } from "../cert/openssl.ts";
import { hasHaproxy } from "../haproxy/real_haproxy.ts";
import { acmeLb } from "./program.ts";
import { temporaryFolder } from "../temporary_folder.ts";

/** One way to hand HAProxy a file, and assemble-pem its parts. */
interface Case {
  what: string;
  key: string;
  fullchain: string;
  /** What an operator's `cat` would have made of it. @default key, then fullchain */
  raw?: string;
  /** Not every version of HAProxy refuses it. */
  loadedBySome?: boolean;
}

async function withDirectory<T>(job: (directory: string) => Promise<T>): Promise<T> {
  await using folder = await temporaryFolder();
  const directory = folder.path;
  return await job(directory);
}

/** Whether HAProxy loads a directory that holds this file; undefined and its words when not. */
async function haproxyRefuses(directory: string): Promise<string | undefined> {
  const config = `${directory}/haproxy.cfg`;
  await Deno.writeTextFile(
    config,
    `defaults\n  mode http\n  timeout client 1s\n  timeout server 1s\n  timeout connect 1s\n` +
      `frontend f\n  bind ${directory}/tls.sock ssl crt ${directory}/certs/\n`,
  );
  const { code, stderr } = await new Deno.Command("haproxy", { args: ["-c", "-f", config] })
    .output();
  return code === 0 ? undefined : new TextDecoder().decode(stderr);
}

/** Runs assemble-pem on a case in an empty directory. */
async function assemble(directory: string, { key, fullchain }: Case) {
  await Deno.writeTextFile(`${directory}/key`, key);
  await Deno.writeTextFile(`${directory}/fullchain`, fullchain);
  await Deno.mkdir(`${directory}/certs`, { recursive: true });
  const out = `${directory}/certs/a.pem`;
  const flags = [
    "--key",
    `${directory}/key`,
    "--fullchain",
    `${directory}/fullchain`,
    "--out",
    out,
  ];
  const result = await acmeLb(["assemble-pem", ...flags]);
  const names = await Array.fromAsync(Deno.readDir(`${directory}/certs`), ({ name }) => name);
  return { ...result, written: names.includes("a.pem"), names };
}

const text = (issued: Issued[]) => issued.map(({ pem }) => pem).join("");

async function refusedCases(): Promise<Case[]> {
  const { leaf, lower, upper } = await issueChain();
  const other = await issueChain();
  const key = leaf.key.pem;
  const fullchain = text([leaf, lower, upper]);
  const good = { key, fullchain };
  const passphrase = await openssl(["pkcs8", "-topk8", "-passout", "pass:x"], key);
  const weak = await withDirectory(weakChains);
  return [
    { what: "empty", key: "", fullchain: "" },
    { what: "newline only", key: "\n", fullchain: "\n" },
    { ...good, what: "truncated in a certificate", fullchain: fullchain.slice(0, 500) },
    {
      ...good,
      what: "truncated in the key",
      key: key.slice(0, 150),
      raw: fullchain + key.slice(0, 150),
    },
    { ...good, what: "certificate without key", key: "" },
    { ...good, what: "key without certificate", fullchain: "" },
    { ...good, what: "foreign key", key: other.leaf.key.pem },
    { ...good, what: "intermediate before leaf", fullchain: text([lower, leaf, upper]) },
    {
      ...good,
      what: "no line break between blocks",
      fullchain: fullchain.replaceAll("-----\n-----", "----------"),
    },
    {
      what: "binary",
      key: "\x01\x02\x03\x7f".repeat(99),
      fullchain: "\x01\x02\x03\x7f".repeat(99),
    },
    { ...good, what: "README", key: "keep out", fullchain: "Put certificates here\n" },
    { ...good, what: "two keys, the wrong one first", key: other.leaf.key.pem + key },
    { ...good, what: "passphrase", key: passphrase },
    ...weak,
  ];
}

/** Chains that OpenSSL's security level 2 keeps HAProxy from loading. */
async function weakChains(directory: string): Promise<Case[]> {
  const make = async (name: string, options: { digest?: string; key: string; issuer?: string }) => {
    const at = (file: string, kind: string) => `${directory}/${file}.${kind}`;
    await Deno.writeTextFile(at(name, "key"), options.key);
    const { issuer, digest = "-sha256" } = options;
    const by = issuer ? ["-CA", at(issuer, "crt"), "-CAkey", at(issuer, "key")] : [];
    const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}.example`];
    const pem = await openssl([
      ...["req", "-x509", "-new", "-key", at(name, "key"), digest, ...subject, ...by],
    ]);
    await Deno.writeTextFile(at(name, "crt"), pem);
    return pem;
  };
  const ec = await opensslKey("EC", "ec_paramgen_curve:P-256");
  const short = await opensslKey("RSA", "rsa_keygen_bits:1024");
  await make("root", { key: await opensslKey("EC", "ec_paramgen_curve:P-384") });
  const sha1Leaf = await make("leaf", { key: ec, issuer: "root", digest: "-sha1" });
  const rsaLeaf = await make("short", { key: short, issuer: "root" });
  const sha1Ca = await make("sha1ca", {
    key: await opensslKey("EC", "ec_paramgen_curve:P-256"),
    issuer: "root",
    digest: "-sha1",
  });
  const below = await make("below", { key: ec, issuer: "sha1ca" });
  return [
    // HAProxy 3 loads SHA-1, and no client accepts it.
    { what: "SHA-1 leaf", key: ec, fullchain: sha1Leaf, loadedBySome: true },
    { what: "RSA 1024 leaf", key: short, fullchain: rsaLeaf },
    { what: "SHA-1 intermediate", key: ec, fullchain: below + sha1Ca, loadedBySome: true },
  ];
}

Deno.test({
  name: "assemble-pem refuses, with a reason, every file that HAProxy refuses to load",
  ignore: !hasHaproxy,
  async fn() {
    for (const one of await refusedCases()) {
      await withDirectory(async (directory) => {
        await Deno.mkdir(`${directory}/certs`);
        await Deno.writeTextFile(`${directory}/certs/a.pem`, one.raw ?? one.key + one.fullchain);
        const refused = await haproxyRefuses(directory);
        assert.ok(refused || one.loadedBySome, `HAProxy loads: ${one.what}`);
        await Deno.remove(`${directory}/certs/a.pem`);
        const { code, stderr, written } = await assemble(directory, one);
        assert.deepEqual([code, written], [1, false], one.what);
        assert.match(stderr, /^acme-lb: .*a\.pem is not written: .{10,}\n$/, one.what);
      });
    }
  },
});

Deno.test({
  name: "assemble-pem refuses certificates that HAProxy loads but no client accepts",
  ignore: !hasHaproxy,
  async fn() {
    const { leaf, lower, upper } = await issueChain();
    const expired = await issue({
      key: leaf.key,
      issuer: lower,
      notAfter: new Date(NOW.getTime() - 1000),
    });
    const stranger = await issue({ names: [], commonName: "Stranger", ca: true });
    const future = await issue({
      key: leaf.key,
      issuer: lower,
      notBefore: new Date(NOW.getTime() + 9e6),
    });
    const cases: Case[] = [
      { what: "expired leaf", key: leaf.key.pem, fullchain: text([expired, lower, upper]) },
      { what: "leaf of the future", key: leaf.key.pem, fullchain: text([future, lower, upper]) },
      {
        what: "unrelated root",
        key: leaf.key.pem,
        fullchain: text([leaf, lower, upper, stranger]),
      },
      { what: "link missing", key: leaf.key.pem, fullchain: text([leaf, upper]) },
    ];
    for (const one of cases) {
      await withDirectory(async (directory) => {
        await Deno.mkdir(`${directory}/certs`);
        await Deno.writeTextFile(`${directory}/certs/a.pem`, one.key + one.fullchain);
        assert.equal(await haproxyRefuses(directory), undefined, one.what);
        await Deno.remove(`${directory}/certs/a.pem`);
        const { code, written } = await assemble(directory, one);
        assert.deepEqual([code, written], [1, false], one.what);
      });
    }
  },
});

async function acceptedCases(): Promise<Case[]> {
  const cases: Case[] = [];
  for (const kind of ["P-256", "P-384", "Ed25519", "RSA"] as KeyName[]) {
    const { leaf, lower, upper } = await issueChain({ key: await makeKey(kind) });
    const fullchain = text([leaf, lower, upper]);
    const pkcs8 = leaf.key.pem;
    cases.push({ what: `${kind} PKCS#8`, key: pkcs8, fullchain });
    if (kind === "RSA") {
      cases.push({ what: "PKCS#1", key: await openssl(["rsa", "-traditional"], pkcs8), fullchain });
    }
    if (!kind.startsWith("P-")) continue;
    const sec1 = await openssl(["ec"], pkcs8);
    cases.push({ what: `${kind} SEC1`, key: sec1, fullchain });
    const parameters = await openssl(["ecparam", "-name", "prime256v1"]);
    cases.push({ what: `${kind} SEC1 with parameters`, key: parameters + sec1, fullchain });
  }
  const { leaf, lower, upper, root } = await issueChain();
  const key = leaf.key.pem;
  const good = text([leaf, lower, upper]);
  return [
    ...cases,
    { what: "leaf alone", key, fullchain: leaf.pem },
    { what: "with root", key, fullchain: good + root.pem },
    { what: "duplicated intermediate", key, fullchain: good + lower.pem },
    { what: "shuffled chain", key, fullchain: text([leaf, root, upper, lower]) },
    { what: "key in the chain's file", key, fullchain: key + good },
    { what: "CRLF", key: key.replaceAll("\n", "\r\n"), fullchain: good.replaceAll("\n", "\r\n") },
    { what: "byte order mark", key: `\ufeff${key}`, fullchain: `\ufeff${good}` },
    { what: "junk around", key: `# key\n${key}\n\n`, fullchain: `subject=x\n${good}\nBag\n` },
    { what: "no last line break", key: key.trimEnd(), fullchain: good.trimEnd() },
    { what: "long lines", key, fullchain: good.replace(/([A-Za-z0-9+/=])\n(?!-)/g, "$1") },
  ];
}

Deno.test({
  name: "assemble-pem writes only what HAProxy loads",
  ignore: !hasHaproxy,
  async fn() {
    for (const one of await acceptedCases()) {
      await withDirectory(async (directory) => {
        const { code, stderr, written, names } = await assemble(directory, one);
        assert.deepEqual([code, written], [0, true], `${one.what}: ${stderr}`);
        assert.equal(await haproxyRefuses(directory), undefined, one.what);
        assert.ok(names.every((name) => name === "a.pem" || name.startsWith(".")), names.join());
      });
    }
  },
});

Deno.test({
  name: "self-signed writes what HAProxy loads, before and beside other certificates",
  ignore: !hasHaproxy,
  async fn() {
    await withDirectory(async (directory) => {
      await Deno.mkdir(`${directory}/certs`);
      for (const name of ["a.example", "*.b.example", "2001:db8::1", `${"l".repeat(63)}.example`]) {
        const out = `${directory}/certs/${name.replace(/[^a-z]/g, "_")}.pem`;
        const { code, stderr } = await acmeLb(["self-signed", "--name", name, "--out", out]);
        assert.equal(code, 0, stderr);
        assert.equal(await haproxyRefuses(directory), undefined, name);
      }
    });
  },
});
