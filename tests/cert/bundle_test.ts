import assert from "node:assert/strict";
import fc from "fast-check";
import { type BundleInput, makeBundle } from "../../lib/cert/bundle.ts";
import { readInstalled } from "../../lib/cert/installed.ts";
import { encodePem, parsePem } from "../../lib/cert/pem.ts";
import { DAY, HOUR, issue, issueChain, type Issued, type KeyName, makeKey, NOW } from "./issue.ts";
import { openssl, opensslKey } from "./openssl.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);
const file = (name: string, content: string) => ({ name, bytes: bytes(content) });
const pemOf = (issued: Issued[]) => issued.map(({ pem }) => pem).join("");

/** The input as an operator would give it: a key, and one file with the chain. */
function input(leaf: Issued, fullchain: string, more: Partial<BundleInput> = {}): BundleInput {
  return {
    key: file("privkey.pem", leaf.key.pem),
    certificates: [file("fullchain.pem", fullchain)],
    now: NOW,
    ...more,
  };
}

async function bundle(given: BundleInput) {
  const result = await makeBundle(given);
  assert.ok(result.ok, result.ok ? "" : result.refusals.join("\n"));
  return result.bundle;
}

async function refusals(given: BundleInput): Promise<string[]> {
  const result = await makeBundle(given);
  assert.ok(!result.ok, "a bundle was made");
  assert.ok(result.refusals.length > 0);
  for (const refusal of result.refusals) assert.ok(!/[\n\r]/.test(refusal), refusal);
  return result.refusals;
}

Deno.test("makeBundle writes key, leaf and intermediates when all is well", async () => {
  const { leaf, lower, upper, root } = await issueChain();
  const expected = leaf.key.pem + pemOf([leaf, lower, upper]);
  const table: Record<string, BundleInput> = {
    "fullchain": input(leaf, pemOf([leaf, lower, upper])),
    "with the root": input(leaf, pemOf([leaf, lower, upper, root])),
    "with repetitions": input(leaf, pemOf([leaf, leaf, lower, upper, lower])),
    "in another order": input(leaf, pemOf([leaf, root, upper, lower])),
    "certificate and chain": {
      ...input(leaf, ""),
      certificates: [file("cert.pem", leaf.pem), file("chain.pem", pemOf([lower, upper]))],
    },
    "key and all in one file": {
      ...input(leaf, leaf.key.pem + pemOf([leaf, lower, upper])),
      key: file("all.pem", leaf.key.pem + pemOf([leaf, lower, upper])),
    },
    "CRLF, BOM and junk": input(
      leaf,
      `\ufeff# x\r\n${pemOf([leaf, lower, upper]).replaceAll("\n", "\r\n")}`,
    ),
    "blank lines and commands": input(
      leaf,
      pemOf([leaf, lower, upper]).replaceAll("-----\n---", "-----\n\nshow version\n\n---"),
    ),
    "X509 CERTIFICATE": input(
      leaf,
      pemOf([leaf, lower, upper]).replaceAll(" CERTIFICATE", " X509 CERTIFICATE"),
    ),
  };
  for (const [what, given] of Object.entries(table)) {
    const made = await bundle(given);
    assert.equal(text(made.pem), expected, what);
    assert.equal(made.leaf.serial, leaf.certificate.serial);
    assert.equal(made.unchanged, false);
    assert.deepEqual(made.warnings, [], what);
  }
});

Deno.test("makeBundle refuses, naming the file, when something about the key is wrong", async () => {
  const { leaf, lower, upper } = await issueChain();
  const chain = pemOf([leaf, lower, upper]);
  const other = await makeKey();
  const encrypted = await openssl(["pkcs8", "-topk8", "-passout", "pass:x"], leaf.key.pem);
  const table: [what: string, key: string, reason: RegExp][] = [
    ["empty", "", /^privkey.pem: is empty/],
    ["newline only", "\n", /^privkey.pem: is empty/],
    ["no PEM", "hello\n", /^privkey.pem: holds no PEM block/],
    ["DER", "\x30\x81", /^privkey.pem: (is DER|holds no PEM)/],
    ["certificates only", chain, /^privkey.pem: holds no private key/],
    ["foreign key", other.pem, /^privkey.pem: the private key does not belong to service.example/],
    ["two keys", other.pem + leaf.key.pem, /^privkey.pem: 2 different private keys/],
    [
      "two keys, right one first",
      leaf.key.pem + other.pem,
      /^privkey.pem: 2 different private keys/,
    ],
    ["encrypted", encrypted, /^privkey.pem: the private key is encrypted/],
    ["truncated", leaf.key.pem.slice(0, 120), /^privkey.pem: line 1: PRIVATE KEY has no END/],
    ["damaged", leaf.key.pem.replace(/\n.../, "\n!!!"), /^privkey.pem: line 1/],
    [
      "public",
      await openssl(["pkey", "-pubout"], leaf.key.pem),
      /line 1: PUBLIC KEY does not belong/,
    ],
  ];
  for (const [what, key, reason] of table) {
    const [first] = await refusals({ ...input(leaf, chain), key: file("privkey.pem", key) });
    assert.match(first!, reason, what);
  }
});

Deno.test("makeBundle refuses, naming the file, when something about the certificates is wrong", async () => {
  const { leaf, lower, upper, root } = await issueChain();
  const stranger = await issue({ names: [], commonName: "Stranger", ca: true });
  const good = pemOf([leaf, lower, upper]);
  const expired = await issue({
    key: leaf.key,
    issuer: lower,
    notAfter: new Date(NOW.getTime() - 1000),
  });
  const early = await issue({
    key: leaf.key,
    issuer: lower,
    notBefore: new Date(NOW.getTime() + 1000),
  });
  const oldLower = await issue({
    ...{ names: [], commonName: "Lower", ca: true, key: lower.key, issuer: upper },
    notAfter: new Date(NOW.getTime() - 1000),
  });
  const csr = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
  const table: [what: string, fullchain: string, reason: RegExp][] = [
    ["empty", "", /^fullchain.pem: is empty/],
    ["newline only", "\n\n", /^fullchain.pem: is empty/],
    ["binary", "\x00\x01\x02\xff", /^fullchain.pem: holds no PEM block/],
    ["README", "Put certificates here.\n", /^fullchain.pem: holds no PEM block/],
    ["truncated", good.slice(0, 400), /^fullchain.pem: line 1: CERTIFICATE has no END/],
    ["damaged", good.replace(/^(.{64}\n.{64}\n).{8}/m, "$1AAAAAAAA"), /./],
    ["key only", leaf.key.pem, /^no certificate was given/],
    ["request", csr + good, /line 1: CERTIFICATE REQUEST does not belong/],
    [
      "trusted",
      good.replaceAll(" CERTIFICATE", " TRUSTED CERTIFICATE"),
      /TRUSTED CERTIFICATE does not/,
    ],
    ["CRL", good + csr.replaceAll("CERTIFICATE REQUEST", "X509 CRL"), /X509 CRL does not belong/],
    [
      "intermediate first",
      pemOf([lower, leaf, upper]),
      /^the leaf must come first: .* service.example/,
    ],
    ["root first", pemOf([root, upper, lower, leaf]), /^the leaf must come first/],
    ["unrelated root", good + stranger.pem, /^CN=Stranger .* does not belong to the chain/],
    ["unrelated intermediate", pemOf([leaf, stranger]), /^CN=Stranger .* does not belong/],
    ["link missing", pemOf([leaf, upper]), /^CN=Upper .* does not belong/],
    ["no line break", good.replace("-----\n-----", "----------"), /a line break is missing/],
    ["second key", good + (await makeKey()).pem, /2 different private keys/],
    [
      "expired",
      pemOf([expired, lower, upper]),
      /^service.example .* expired on \d{4}-/,
    ],
    [
      "not yet",
      pemOf([early, lower, upper]),
      /is not valid before .*; the clock says \d{4}-/,
    ],
    ["expired intermediate", pemOf([leaf, oldLower, upper]), /^CN=Lower .* expired/],
    ["too many", good + lower.pem.repeat(20), /^23 certificates were given/],
  ];
  for (const [what, fullchain, reason] of table) {
    const [first] = await refusals(input(leaf, fullchain));
    assert.match(first!, reason, what);
  }
});

Deno.test("makeBundle refuses weak signatures, unless forced, and short RSA keys", async () => {
  const directory = await Deno.makeTempDir();
  const at = (name: string) => `${directory}/${name}`;
  const sign = async (name: string, digest: string, key: string, issuer?: string) => {
    await Deno.writeTextFile(at(`${name}.key`), key);
    const by = issuer ? ["-CA", at(`${issuer}.crt`), "-CAkey", at(`${issuer}.key`)] : [];
    const pem = await openssl([
      ...["req", "-x509", "-new", "-key", at(`${name}.key`), digest, "-subj", `/CN=${name}`, ...by],
    ]);
    await Deno.writeTextFile(at(`${name}.crt`), pem);
    return pem;
  };
  const ec = () => opensslKey("EC", "ec_paramgen_curve:P-256");
  const root = await sign("root", "-sha256", await ec());
  const leafKey = await ec();
  const weakLeaf = await sign("leaf", "-sha1", leafKey, "root");
  const short = await sign(
    "short",
    "-sha256",
    await opensslKey("RSA", "rsa_keygen_bits:1024"),
    "root",
  );
  const belowShort = await sign("below", "-sha256", leafKey, "short");
  const now = new Date();
  const key = file("key", leafKey);
  const table: [string, RegExp][] = [
    [weakLeaf, /CN=leaf .* is signed with SHA-1: clients refuse it.* \(--force overrides this\)/],
    [belowShort + short, /CN=short .* has an RSA 1024 key/],
    [weakLeaf + root, /cannot check whether CN=root .* signed CN=leaf/],
  ];
  for (const [chain, reason] of table) {
    assert.match(
      (await refusals({ key, certificates: [file("chain", chain)], now })).join("\n"),
      reason,
    );
  }
  const forced = await bundle({ key, certificates: [file("chain", weakLeaf)], now, force: true });
  assert.match(forced.warnings.join("\n"), /is signed with SHA-1/);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("makeBundle reports every file that is wrong, not the first alone", async () => {
  const { leaf } = await issueChain();
  const all = await refusals({
    key: file("k", ""),
    certificates: [file("c", "\n"), file("i", "x")],
    now: NOW,
  });
  assert.deepEqual(all.map((line) => line[0]), ["k", "c", "i"]);
  const stale = await issue({ key: leaf.key, notAfter: new Date(NOW.getTime() - DAY) });
  const stranger = await issue({ commonName: "S", ca: true });
  assert.equal((await refusals(input(leaf, pemOf([stale, stranger])))).length, 2);
});

Deno.test("makeBundle says that nothing changes when the installed file holds the same bytes", async () => {
  const { leaf, lower, upper } = await issueChain();
  const given = input(leaf, pemOf([leaf, lower, upper]));
  const { pem } = await bundle(given);
  const again = await bundle({ ...given, installed: readInstalled("out.pem", pem) });
  assert.equal(again.unchanged, true);
  const longer = readInstalled("out.pem", new Uint8Array([...pem, 10]));
  assert.equal((await bundle({ ...given, installed: longer })).unchanged, false);
});

Deno.test("makeBundle weighs the installed certificate: age, names, placeholder, damage", async () => {
  const root = await issue({ commonName: "Root", ca: true });
  const at = (hours: number) => new Date(NOW.getTime() + hours * HOUR);
  const make = (names: string[], hours: number, days = 89) =>
    issue({ names, issuer: root, notBefore: at(hours), notAfter: at(days * 24) });
  const current = await make(["a.example", "b.example"], -2);
  const otherCa = await issue({ commonName: "Other", ca: true });
  const pair = { names: ["a.example", "b.example"] };
  const wild = await make(["*.a.example"], -2);
  const rsa = await makeKey("RSA");
  const rsaCurrent = await issue({ ...pair, key: rsa, issuer: root, notBefore: at(-2) });
  const dh = encodePem("X9.42 DH PARAMETERS", Uint8Array.of(0x30, 0));
  const older = /is older than the installed/;
  const installed = (content: string) => readInstalled("out.pem", bytes(content));
  const mark = { organization: "acme-lb placeholder", notBefore: at(0), notAfter: at(9999) };
  const placeholder = await issue({ names: ["z.example"], ...mark });
  const table: [what: string, Issued, old: string, refusal?: RegExp, warning?: RegExp][] = [
    ["newer", await make(["a.example", "b.example"], -1), current.pem],
    ["newer, shorter", await make(["a.example", "b.example"], -1, 6), current.pem],
    [
      "older",
      await make(["a.example", "b.example"], -3),
      current.pem,
      /is older than the installed/,
    ],
    [
      "older, longer",
      await make(["a.example", "b.example"], -3, 900),
      current.pem,
      /is older than/,
    ],
    [
      "of another CA, dated back",
      await issue({ ...pair, issuer: otherCa, notBefore: at(-200), notAfter: at(90 * 24) }),
      current.pem,
      undefined,
      /begins before the installed .* issued by CN=Other instead of CN=Root and ends later/,
    ],
    [
      "of another CA, ends earlier",
      await issue({ ...pair, issuer: otherCa, notBefore: at(-200), notAfter: at(88 * 24) }),
      current.pem,
      /is older than/,
    ],
    ["same start", await make(["a.example", "b.example"], -2), current.pem],
    ["more names", await make(["a.example", "b.example", "c.example"], -1), current.pem],
    ["other case", await make(["A.example", "B.EXAMPLE"], -1), current.pem],
    [
      "a name less",
      await make(["a.example"], -1),
      current.pem,
      undefined,
      /no longer covers b.example/,
    ],
    [
      "no name kept",
      await make(["c.example"], -1),
      current.pem,
      /is for a.example, b.example; .*none/,
    ],
    ["over a placeholder", await make(["a.example"], -1), placeholder.pem],
    ["over nothing", current, ""],
    ["over blank lines", current, "\n\n"],
    ["over damage", current, current.pem.slice(0, 300), undefined, /was damaged: line 1/],
    ["over another file", current, "global\n  log stdout\n", /holds no certificate/],
    ["over a lone key", current, current.key.pem, /holds no certificate/],
    [
      "*.a.example for www",
      await make(["*.a.example"], -1),
      (await make(["www.a.example"], -2)).pem,
    ],
    [
      "a.example and *.a.example for three",
      await make(["a.example", "*.a.example"], -1),
      (await make(["a.example", "www.a.example", "api.a.example"], -2)).pem,
    ],
    [
      "www for *.a.example",
      await make(["www.a.example"], -1),
      wild.pem,
      undefined,
      /no longer covers \*\.a\.example/,
    ],
    [
      "a wildcard does not cover what is two labels below",
      await make(["*.a.example"], -1),
      (await make(["x.www.a.example"], -2)).pem,
      /covers none of these/,
    ],
    [
      "a wildcard does not cover its own parent",
      await make(["*.a.example"], -1),
      (await make(["a.example"], -2)).pem,
      /covers none of these/,
    ],
    [
      "ECDSA for RSA",
      await make(["a.example", "b.example"], -1),
      rsaCurrent.pem,
      undefined,
      /from a key of RSA 2048 to one of P-256.* out\.pem\.rsa and out\.pem\.ecdsa$/,
    ],
    [
      "RSA for ECDSA",
      await issue({ ...pair, key: rsa, issuer: root, notBefore: at(-1) }),
      current.pem,
      undefined,
      /from a key of P-256 to one of RSA 2048/,
    ],
    [
      "RSA for RSA",
      await issue({ ...pair, key: rsa, issuer: root, notBefore: at(-1) }),
      rsaCurrent.pem,
    ],
    [
      "an older one, over DH parameters behind",
      await make(["a.example"], -3),
      current.pem + dh,
      older,
    ],
    [
      "an older one, over DH parameters before",
      await make(["a.example"], -3),
      dh + current.pem,
      older,
    ],
    [
      "an older one, over a cut chain",
      await make(["a.example"], -3),
      current.pem + root.pem.slice(0, 90),
      older,
    ],
    [
      "an older one, over text",
      await make(["a.example"], -3),
      `x\n${current.pem}-----BEGIN y\n`,
      older,
    ],
    [
      "an older one, over a damaged key",
      await make(["a.example"], -3),
      "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n" + current.pem,
      older,
    ],
    [
      "an older one, over a leaf behind a damaged block",
      await make(["a.example"], -3),
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + root.pem + current.pem,
      older,
    ],
    [
      "an unrelated one, over another block",
      await make(["c.example"], -1),
      current.pem + encodePem("FOO.BAR", Uint8Array.of(1)),
      /covers none of these/,
    ],
    [
      "over a damaged leaf and its CA",
      current,
      `${current.pem.slice(0, 300)}\n${root.pem}`,
      undefined,
      /was damaged: line \d/,
    ],
    ["over a key first", await make(["a.example", "b.example"], -1), current.key.pem + current.pem],
  ];
  for (const [what, leaf, old, refusal, warning] of table) {
    const ca = leaf.certificate.issuer.text === "CN=Other" ? otherCa : root;
    const given = { ...input(leaf, leaf.pem + ca.pem), installed: installed(old) };
    if (refusal) {
      const [first] = await refusals(given);
      assert.match(first!, refusal, what);
      assert.match(first!, /\(--force overrides this\)$/);
      const forced = await bundle({ ...given, force: true });
      assert.match(forced.warnings.join(), refusal, what);
      continue;
    }
    const { warnings } = await bundle(given);
    assert.match(warnings.join(), warning ?? /^$/, what);
  }
});

Deno.test("makeBundle warns of another kind of key, and of no other change of the key", async () => {
  const table: [from: KeyName, to: KeyName, name: string, pair: string | undefined][] = [
    ["P-256", "RSA", "out.pem", "out.pem.rsa and out.pem.ecdsa"],
    ["RSA", "P-256", "out.pem", "out.pem.rsa and out.pem.ecdsa"],
    ["P-384", "RSA", "a.pem.ecdsa", "a.pem.rsa and a.pem.ecdsa"],
    ["RSA", "P-384", "a.pem.rsa", "a.pem.rsa and a.pem.ecdsa"],
    ["RSA", "Ed25519", "rsa", "rsa.rsa and rsa.ecdsa"],
    ["P-256", "Ed25519", "out.pem", "out.pem.rsa and out.pem.ecdsa"],
    ["P-256", "P-384", "out.pem", undefined],
    ["P-256", "P-256", "out.pem", undefined],
    ["RSA", "RSA", "out.pem", undefined],
  ];
  for (const [from, to, name, pair] of table) {
    const old = await issue({ key: await makeKey(from), notBefore: new Date(+NOW - 9 * DAY) });
    const leaf = await issue({ key: await makeKey(to) });
    const installed = await readInstalled(name, bytes(old.key.pem + old.pem));
    const { warnings } = await bundle({ ...input(leaf, leaf.pem), installed });
    const what = `${from} to ${to}`;
    assert.equal(warnings.length, pair ? 1 : 0, `${what}: ${warnings}`);
    if (pair) assert.ok(warnings[0]!.endsWith(`name the files ${pair}`), `${what}: ${warnings}`);
  }
});

Deno.test("makeBundle never lets force pass over what HAProxy or clients refuse", async () => {
  const { leaf, lower } = await issueChain();
  const expired = await issue({
    key: leaf.key,
    issuer: lower,
    notAfter: new Date(NOW.getTime() - 1),
  });
  assert.match(
    (await refusals(input(leaf, pemOf([expired, lower]), { force: true }))).join(),
    /expired/,
  );
  const other = { ...input(leaf, leaf.pem), key: file("k", (await makeKey()).pem), force: true };
  assert.match((await refusals(other)).join(), /does not belong/);
});

Deno.test("makeBundle warns when no intermediate comes with a leaf that needs one", async () => {
  const { leaf, root } = await issueChain();
  assert.match(
    (await bundle(input(leaf, leaf.pem))).warnings.join(),
    /no intermediate .* CN=Lower/,
  );
  const direct = await issue({ issuer: root });
  assert.deepEqual((await bundle(input(direct, pemOf([direct, root])))).warnings, []);
  const own = await issue();
  assert.deepEqual((await bundle(input(own, own.pem))).warnings, []);
});

Deno.test("makeBundle leaves parameters out, with a word when HAProxy would have used them", async () => {
  const { leaf, lower, upper } = await issueChain();
  const dh = encodePem("DH PARAMETERS", Uint8Array.of(0x30, 0));
  const ec = encodePem("EC PARAMETERS", Uint8Array.of(0x30, 0));
  const made = await bundle(input(leaf, pemOf([leaf, lower, upper]) + dh + ec));
  assert.equal(text(made.pem), leaf.key.pem + pemOf([leaf, lower, upper]));
  assert.match(made.warnings.join(), /DH PARAMETERS are left out: .*ssl-dh-param-file/);
  for (
    const label of [
      "X9.42 DH PARAMETERS",
      "DSA PARAMETERS",
      "SM2 PARAMETERS",
      "X.Y PARAMETERS",
      "A-1.2 PARAMETERS",
    ]
  ) {
    const odd = encodePem(label, Uint8Array.of(0x30, 0));
    const { pem, warnings } = await bundle(input(leaf, pemOf([leaf, lower, upper]) + odd));
    assert.equal(text(pem), leaf.key.pem + pemOf([leaf, lower, upper]), label);
    assert.match(warnings.join(), new RegExp(`line \\d+: ${label} are left out`));
  }
});

Deno.test("makeBundle answers, and shows nothing of the key, whatever is done to its input", async () => {
  const { leaf, lower, upper } = await issueChain();
  const key = leaf.key.pem;
  const chain = pemOf([leaf, lower, upper]);
  const secret = leaf.key.pkcs8.toBase64();
  const edit = fc.tuple(fc.nat(), fc.nat({ max: 80 }), fc.string({ unit: "binary", maxLength: 5 }));
  const cut = (source: string, [at, length, add]: [number, number, string]) => {
    const index = at % source.length;
    return source.slice(0, index) + add + source.slice(index + length);
  };
  await fc.assert(
    fc.asyncProperty(edit, edit, fc.boolean(), async (one, two, both) => {
      const result = await makeBundle({
        ...input(leaf, cut(chain, two)),
        key: file("k", both ? cut(key, one) : key),
        installed: readInstalled("o", bytes(cut(chain, one))),
      });
      const said = result.ok ? result.bundle.warnings : result.refusals;
      for (const line of said) {
        for (let i = 0; i + 12 <= secret.length; i += 4) {
          assert.ok(!line.includes(secret.slice(i, i + 12)), line);
        }
      }
      if (result.ok) assert.deepEqual(parsePem(result.bundle.pem)[0]!.der, leaf.key.pkcs8);
    }),
    { numRuns: 500 },
  );
});
