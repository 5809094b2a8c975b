/** Who signed whom decides, not where it stands. */

import assert from "node:assert/strict";
import { DAY, issue, type Issued, type IssueOptions, makeKey, NOW } from "../cert/issue.ts";
import { judge, summaryOf } from "../cert/judge.ts";
import { openssl, opensslKey } from "../cert/openssl.ts";

const inDays = (days: number) => new Date(NOW.getTime() + days * DAY);
const ends = (days: number) => ({ notBefore: inDays(-1000), notAfter: inDays(days) });
const authority = (commonName: string, options: IssueOptions = {}) =>
  issue({ names: [], commonName, ca: true, ...ends(1000), ...options });

/** Every order of some things. */
function orders<T>(things: T[]): T[][] {
  if (things.length < 2) return [things];
  return things.flatMap((first, i) =>
    orders(things.toSpliced(i, 1)).map((rest) => [first, ...rest])
  );
}

/** The worst state for each order of what stands behind the leaf. */
async function statesOf(leaf: Issued, behind: Issued[]): Promise<Set<string>> {
  const states = orders(behind).map(async (above) =>
    (await judge([leaf, ...above].map(({ pem }) => pem).join(""))).state
  );
  return new Set(await Promise.all(states));
}

Deno.test("an expired issuer is CRITICAL wherever it stands, and an expired extra a WARNING at most", async () => {
  const elder = await authority("Elder");
  const root = await authority("Root");
  const cross = await authority("Root", { issuer: elder, key: root.key });
  const crossOld = await authority("Root", { issuer: elder, key: root.key, ...ends(-30) });
  const rootOld = await authority("Root", { key: root.key, ...ends(-2) });
  const good = await authority("Issuer", { issuer: root });
  const expired = await authority("Issuer", { issuer: root, key: good.key, ...ends(-3) });
  const soon = await authority("Issuer", { issuer: root, key: good.key, ...ends(5) });
  const future = await authority("Issuer", {
    ...{ issuer: root, key: good.key, notBefore: inDays(1), notAfter: inDays(900) },
  });
  const leaf = await issue({ issuer: good });
  const direct = await issue({ issuer: root });
  const table: [what: string, leaf: Issued, behind: Issued[], states: string[]][] = [
    ["expired alone", leaf, [expired], ["CRITICAL"]],
    ["expired, and a cross-signed root", leaf, [expired, cross], ["CRITICAL"]],
    ["expired, and two roots", leaf, [expired, cross, root], ["CRITICAL"]],
    ["about to expire", leaf, [soon, cross], ["CRITICAL"]],
    ["not yet valid", leaf, [future], ["CRITICAL"]],
    ["its expired twin beside it", leaf, [good, expired], ["WARNING"]],
    ["its twin of tomorrow beside it", leaf, [good, future], ["OK"]],
    ["its twin that ends soon", leaf, [good, soon], ["OK"]],
    ["an expired cross-signed root", leaf, [good, crossOld], ["WARNING"]],
    ["an expired cross-signed root, and a good one", leaf, [good, crossOld, cross], ["WARNING"]],
    ["an expired root on top", leaf, [good, rootOld], ["WARNING"]],
    ["an expired root that signed the leaf", direct, [rootOld], ["CRITICAL"]],
    ["a good root beside it", direct, [rootOld, root], ["WARNING"]],
    ["a good cross-signed one beside it", direct, [rootOld, cross], ["WARNING"]],
  ];
  for (const [what, first, behind, states] of table) {
    const found = await statesOf(first, behind);
    // Disorder of what is good besides is a WARNING of its own.
    found.delete("WARNING");
    assert.deepEqual([...found], states.filter((state) => state !== "WARNING"), what);
    const text = [first, ...behind].map(({ pem }) => pem).join("");
    assert.deepEqual((await judge(text)).state, states[0], what);
  }
});

Deno.test("an expired root in the file is told by its name, at any height", async () => {
  const tired = await authority("Tired Root", ends(-2));
  let issuer = tired;
  const behind = [tired];
  for (let height = 0; height < 5; height++) {
    const leaf = await issue({ issuer });
    const { state, findings } = await judge([leaf, ...behind].map(({ pem }) => pem).join(""));
    assert.deepEqual(state, height === 0 ? "CRITICAL" : "WARNING");
    assert.match(findings[0]!.text, /CN=Tired Root .*expired 2d ago/);
    issuer = await authority(`CA ${height}`, { issuer });
    behind.unshift(issuer);
  }
});

Deno.test("a chain whose signatures cannot be checked is UNKNOWN once, and OK on demand", async () => {
  const directory = await Deno.makeTempDir();
  const at = (name: string) => `${directory}/${name}`;
  const kinds = [
    "P-521",
    "secp256k1",
    "brainpoolP256r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
    "secp224r1",
  ];
  for (const curve of kinds) {
    for (const name of ["root", "lower"]) {
      await Deno.writeTextFile(
        at(`${name}.key`),
        await opensslKey("EC", `ec_paramgen_curve:${curve}`),
      );
    }
    await Deno.writeTextFile(at("leaf.key"), (await makeKey()).pem);
    await Deno.writeTextFile(at("ca"), "basicConstraints=critical,CA:TRUE");
    const root = await openssl([
      "req",
      "-x509",
      "-key",
      at("root.key"),
      "-subj",
      "/CN=Root",
      "-days",
      "90",
    ]);
    await Deno.writeTextFile(at("root"), root);
    const sign = async (name: string, by: string, days: string, ...extensions: string[]) => {
      const request = await openssl([
        "req",
        "-new",
        "-key",
        at(`${name}.key`),
        "-subj",
        `/CN=${name}`,
      ]);
      const pem = await openssl(
        ["x509", "-req", "-CA", at(by), "-CAkey", at(`${by}.key`), "-days", days, ...extensions],
        request,
      );
      await Deno.writeTextFile(at(name), pem);
      return pem;
    };
    const lower = await sign("lower", "root", "80", "-extfile", at("ca"));
    const leaf = await sign("leaf", "lower", "60");
    const now = new Date();
    const file = leaf + lower + root;
    const record = await judge(file, { now });
    assert.deepEqual(summaryOf(record), "UNKNOWN unsupported", curve);
    assert.match(record.findings[0]!.text, /CN=lower .* signed CN=leaf .*--unchecked-chain ok$/);
    assert.deepEqual(summaryOf(await judge(file, { now, unchecked: false })), "OK", curve);
    // What can be known of it is told all the same.
    const late = await judge(file, { now: new Date(now.getTime() + 100 * DAY), unchecked: false });
    assert.deepEqual(late.state, "CRITICAL", curve);
    const stranger = await issue();
    assert.deepEqual(
      (await judge(stranger.pem + lower, { now, unchecked: false })).state,
      "WARNING",
    );
  }
  await Deno.remove(directory, { recursive: true });
});

Deno.test("certificates of test CAs, and those signed with SHA-1, are told to be", async () => {
  const issuers: [name: string, test: boolean][] = [
    ["(STAGING) Wannabe Watercress R11", true],
    ["(STAGING) Artificial Apricot R3", true],
    ["Fake LE Intermediate X1", true],
    ["happy hacker fake CA", true],
    ["Buypass Class 2 Test4 CA 5", true],
    ["R12", false],
    ["Staging of Theatre Plays CA", false],
    ["Pebble Intermediate CA 12ab34", false],
  ];
  for (const [name, test] of issuers) {
    const issuer = await authority(name);
    const leaf = await issue({ issuer });
    const record = await judge(leaf.pem + issuer.pem);
    assert.deepEqual(summaryOf(record), test ? "WARNING test_issuer" : "OK", name);
    if (test) assert.match(record.findings[0]!.text, /production directory/);
  }
  const key = await opensslKey("RSA", "rsa_keygen_bits:2048");
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, key);
  const root = ["-x509", "-key", file, "-days", "90"];
  const self = await openssl(["req", ...root, "-sha1", "-subj", "/CN=Root"]);
  assert.deepEqual(summaryOf(await judge(self, { now: new Date() })), "OK", "a root may be");
  const request = await openssl(["req", "-new", "-key", file, "-subj", "/CN=a"]);
  await Deno.writeTextFile(`${file}.ca`, self);
  for (const [digest, summary] of [["-sha1", "WARNING weak_signature"], ["-sha256", "OK"]]) {
    const signed = ["x509", "-req", digest!, "-CA", `${file}.ca`, "-CAkey", file, "-days", "60"];
    const leaf = await openssl(signed, request);
    assert.deepEqual(summaryOf(await judge(leaf + self, { now: new Date() })), summary);
  }
  await Deno.remove(file);
  await Deno.remove(`${file}.ca`);
});
