/**
 * assemble-pem with a HAProxy that runs: what its clients are shown counts, not what lies on the
 * disk under one name. Every story ends with handshakes.
 */

import assert from "node:assert/strict";
import { issue, type Issued, type IssueOptions, type KeyName, makeKey } from "../cert/issue.ts";
import {
  hasHaproxy,
  pemOf,
  type RealHaproxy,
  serialOf,
  startHaproxy,
  type StartOptions,
} from "../haproxy/real_haproxy.ts";
import { acmeLb } from "./program.ts";

const ignore = !hasHaproxy;

function story(
  name: string,
  tell: (haproxy: RealHaproxy) => Promise<void>,
  options: StartOptions = {},
): void {
  Deno.test({
    name: `assemble-pem ${name}`,
    ignore,
    fn: async () => {
      await using haproxy = await startHaproxy(options);
      await tell(haproxy);
    },
  });
}

/** Puts a certificate on the disk and installs it as `out`. */
async function install(
  haproxy: RealHaproxy,
  { out, issued, flags = [] }: { out: string; issued: Issued; flags?: string[] },
) {
  const id = crypto.randomUUID();
  const key = await haproxy.write(`${id}.key`, issued.key.pem);
  const cert = await haproxy.write(`${id}.crt`, issued.pem);
  const parts = ["--key", key, "--cert", cert, "--out", haproxy.path(out)];
  return await acmeLb([
    ...["assemble-pem", ...parts, "--haproxy-socket", haproxy.worker],
    ...flags,
  ]);
}

const AGO = (hours: number) => new Date(Math.floor(Date.now() / 1000) * 1000 - hours * 3600_000);
const older = (options: IssueOptions = {}) => issue({ notBefore: AGO(48), ...options });
const [A, A_TWIN] = [await older({ names: ["a.example"] }), await older({ names: ["a.example"] })];

const SPELLINGS = [
  "crt DIRECTORY/dir/",
  "crt DIRECTORY//dir",
  "crt DIRECTORY/./dir/a.pem",
  "crt DIRECTORY/certs/../dir/a.pem",
  "crt DIRECTORY/dir/../dir",
];
story("brings every spelling of a file up to date, and adds a new one to every list", async (h) => {
  const binds = SPELLINGS.map((_, i) => h.path(`bind${i}.sock`));
  const renewed = await issue({ names: ["a.example"] });
  const { code, stderr } = await install(h, { out: "dir/a.pem", issued: renewed });
  assert.deepEqual([code, stderr], [0, ""]);
  for (const [i, bind] of binds.entries()) {
    assert.equal(await h.servedSerial("a.example", bind), serialOf(renewed), SPELLINGS[i]);
  }
  const added = await issue({ names: ["b.example"] });
  const result = await install(h, { out: "dir/b.pem", issued: added });
  assert.deepEqual([result.code, result.stderr], [0, ""]);
  for (const bind of [0, 1, 4].map((i) => binds[i]!)) {
    assert.equal(await h.servedSerial("b.example", bind), serialOf(added), bind);
  }
  const again = await install(h, { out: "dir/b.pem", issued: added });
  assert.match(again.stdout, /: unchanged: .*\n.*: current: /);
}, { files: { "dir/a.pem": pemOf(A) }, binds: SPELLINGS });

story("brings a file up to date that HAProxy loads through links", async (h) => {
  await Deno.symlink("dir", h.path("link"));
  const renewed = await issue({ names: ["a.example"] });
  const { code, stderr } = await install(h, { out: "link/a.pem", issued: renewed });
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(await h.servedSerial("a.example", h.path("bind0.sock")), serialOf(renewed));
}, { files: { "dir/a.pem": pemOf(A) }, binds: ["crt DIRECTORY/dir/"] });

const ENDINGS: [bind: string, file: string][] = [
  ["crt DIRECTORY/ends0/a.crt", "ends0/a.crt"],
  ["crt DIRECTORY/ends1/", "ends1/a.crt"],
  ["crt DIRECTORY/ends2/a.crt.crt", "ends2/a.crt.crt"],
  ["crt DIRECTORY/ends3/a.CRT", "ends3/a.CRT"],
  ["crt DIRECTORY/ends4/crt", "ends4/crt"],
  ["crt DIRECTORY/ends5/a.pem.crt", "ends5/a.pem.crt"],
  ["crt DIRECTORY/ends6/a.cert", "ends6/a.cert"],
];
const OLD_ENDINGS = await Promise.all(
  ENDINGS.map((_, i) => older({ names: [`ends${i}.example`] })),
);
story("updates the certificates of files whose names end in .crt", async (h) => {
  for (const [i, [bind, out]] of ENDINGS.entries()) {
    const issued = await issue({ names: [`ends${i}.example`] });
    const { code, stderr } = await install(h, { out, issued });
    assert.deepEqual([code, stderr], [0, ""], bind);
    const shown = await h.servedSerial(`ends${i}.example`, h.path(`bind${i}.sock`));
    assert.equal(shown, serialOf(issued), bind);
  }
}, {
  files: Object.fromEntries(ENDINGS.map(([, file], i) => [file, pemOf(OLD_ENDINGS[i]!)])),
  binds: ENDINGS.map(([bind]) => bind),
});

const EMPTY: [bind: string, options: IssueOptions, asked: string][] = [
  ["crt DIRECTORY/empty0 strict-sni", { names: ["a.example"] }, "a.example"],
  ["crt DIRECTORY/empty1/ strict-sni", { names: ["*.b.example"] }, "x.b.example"],
  ["crt DIRECTORY/./empty2 strict-sni alpn h2,http/1.1", { names: ["xn--bcher-kva.example"] }, ""],
  ["crt DIRECTORY/empty3 crt DIRECTORY/certs/default.pem", { names: ["d.example"] }, "d.example"],
  [
    "crt DIRECTORY/certs/ crt DIRECTORY/empty4 strict-sni",
    { names: ["e.example"], key: await makeKey("RSA") },
    "e.example",
  ],
  [
    "crt DIRECTORY/empty5/../empty5 strict-sni",
    { names: ["g.example", "f.example"], key: await makeKey("P-384") },
    "f.example",
  ],
];
story("adds the first certificate to an empty directory, and a second one", async (h) => {
  for (const [i, [bind, options, asked]] of EMPTY.entries()) {
    const issued = await issue(options);
    const { code, stderr, stdout } = await install(h, { out: `empty${i}/a.pem`, issued });
    assert.deepEqual([code, stderr], [0, ""], bind);
    assert.match(stdout, /: added: /, bind);
    const socket = h.path(`bind${i}.sock`);
    const name = asked || options.names![0]!;
    assert.equal(await h.servedSerial(name, socket), serialOf(issued), bind);
  }
  const second = await issue({ names: ["second.example"] });
  assert.equal((await install(h, { out: "empty0/b.pem", issued: second })).code, 0);
  assert.equal(
    await h.servedSerial("second.example", h.path("bind0.sock")),
    serialOf(second),
  );
}, {
  files: Object.fromEntries(EMPTY.map((_, i) => [`empty${i}/`, ""])),
  binds: EMPTY.map(([bind]) => bind),
});

const RIVALS: [what: string, StartOptions, renamed: RegExp][] = [
  [
    "an older twin in the same directory",
    { files: { "certs/twin.pem": pemOf(A_TWIN) } },
    /an older one \(serial .*certs\/twin\.pem/,
  ],
  [
    "an older twin in another directory and bind",
    { files: { "inner/a.pem": pemOf(A_TWIN) }, binds: ["crt DIRECTORY/inner/"] },
    /an older one .*inner\/a\.pem/,
  ],
  [
    "an older twin in a crt-list, for that name",
    {
      files: { "inner/a.pem": pemOf(A_TWIN), "l.txt": "INNER a.example\n" },
      binds: ["crt-list DIRECTORY/l.txt"],
    },
    /an older one .*inner\/a\.pem/,
  ],
  [
    "a placeholder",
    {
      files: {
        "certs/p.pem": pemOf(
          await issue({ names: ["a.example"], organization: "acme-lb placeholder" }),
        ),
      },
    },
    /a placeholder .*certs\/p\.pem/,
  ],
  [
    "one with more names",
    { files: { "certs/m.pem": pemOf(await older({ names: ["m.example", "a.example"] })) } },
    /clients of a\.example may still be shown an older one .*certs\/m\.pem/,
  ],
];
for (const [what, options, renamed] of RIVALS) {
  Deno.test({
    name: `assemble-pem does not succeed beside ${what}, and names it`,
    ignore,
    fn: async () => {
      // The list has the path that is known only when it runs.
      const files = { "certs/a.pem": pemOf(A), ...options.files };
      const list = Object.keys(files).includes("l.txt");
      await using h = await startHaproxy(
        list ? { files: { "certs/a.pem": pemOf(A), "inner/a.pem": pemOf(A_TWIN) } } : {
          ...options,
          files,
        },
      );
      if (list) {
        await h.ask(`new ssl cert ${h.path("inner/a.pem")}`);
        await h.ask(`set ssl cert ${h.path("inner/a.pem")} <<\n${pemOf(A_TWIN)}`);
        await h.ask(`commit ssl cert ${h.path("inner/a.pem")}`);
        await h.ask(`add ssl crt-list ${h.path("list.txt")} ${h.path("inner/a.pem")}`);
      }
      const issued = await issue({ names: ["a.example"] });
      for (const file of ["written", "unchanged"]) {
        const { code, stdout, stderr } = await install(h, { out: "certs/a.pem", issued });
        assert.equal(code, 1, stderr);
        assert.match(stdout, new RegExp(`: ${file}: `));
        assert.match(stderr, renamed);
        assert.match(stderr, /remove that file and reload HAProxy, or write to it with --out\n$/);
      }
      const shown = await h.ask(`show ssl cert ${h.path("certs/a.pem")}`);
      assert.ok(shown.includes(serialOf(issued)), "it is installed all the same");
    },
  });
}

const NO_RIVALS: [what: string, name: string, Issued][] = [
  ["a copy of it", "copy.pem", A],
  ["a wildcard above it", "w.pem", await older({ names: ["*.example", "w.example"] })],
  ["an RSA certificate", "r.pem", await older({ names: ["a.example"], key: await makeKey("RSA") })],
  ["another name", "o.pem", await older({ names: ["o.example"] })],
];
for (const [what, name, other] of NO_RIVALS) {
  story(`succeeds beside ${what}`, async (h) => {
    const issued = what === "a copy of it" ? A : await issue({ names: ["a.example"] });
    const { code, stderr } = await install(h, { out: "certs/a.pem", issued });
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(await h.servedSerial("a.example"), serialOf(issued));
  }, { files: { "certs/a.pem": pemOf(A), [`certs/${name}`]: pemOf(other) } });
}

story("only remarks on another certificate that is newer", async (h) => {
  const issued = await issue({ names: ["a.example"], notBefore: AGO(24) });
  const { code, stderr } = await install(h, { out: "certs/a.pem", issued });
  assert.equal(code, 0);
  assert.match(
    stderr,
    /event=warning reason="clients of a\.example may still .* a newer certificate/,
  );
}, {
  files: {
    "certs/a.pem": pemOf(A),
    "certs/n.pem": pemOf(await issue({ names: ["a.example"], notBefore: AGO(2) })),
  },
});

story("keeps what is newer in memory, unless forced", async (h) => {
  const path = h.path("certs/a.pem");
  const ordered = await issue({ names: ["a.example"], notBefore: AGO(2) });
  await h.ask(`set ssl cert ${path} <<\n${pemOf(ordered)}`);
  await h.ask(`commit ssl cert ${path}`);
  const between = await issue({ names: ["a.example"], notBefore: AGO(24) });
  for (const issued of [A, between]) {
    const { code, stdout, stderr } = await install(h, { out: "certs/a.pem", issued });
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /is not written: .* is older than what HAProxy .* --from-haproxy/);
    assert.equal(await Deno.readTextFile(path), pemOf(A));
    assert.equal(await h.servedSerial("a.example"), serialOf(ordered));
  }
  const forced = await install(h, { out: "certs/a.pem", issued: between, flags: ["--force"] });
  assert.equal(forced.code, 0, forced.stderr);
  assert.match(forced.stderr, /event=warning reason=".* is older than what HAProxy/);
  assert.equal(await h.servedSerial("a.example"), serialOf(between));
}, { files: { "certs/a.pem": pemOf(A) } });

story("keeps a key in its own file in step, and HAProxy starts again with both", async (h) => {
  const renewed = await issue({ names: ["a.example"] });
  const denied = await install(h, {
    ...{ out: "side/a.pem", issued: renewed },
    flags: ["--haproxy-socket", h.operator],
  });
  assert.equal(denied.code, 1);
  assert.deepEqual(
    await Promise.all(
      ["a.pem", "a.pem.key"].map((name) => Deno.readTextFile(h.path(`side/${name}`))),
    ),
    [A.pem, A.key.pem],
  );
  assert.equal(await h.servedSerial("a.example", h.path("bind0.sock")), serialOf(A));
  const { code, stderr } = await install(h, { out: "side/a.pem", issued: renewed });
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(await h.servedSerial("a.example", h.path("bind0.sock")), serialOf(renewed));
  assert.equal(await Deno.readTextFile(h.path("side/a.pem.key")), renewed.key.pem);
  assert.equal(await Deno.readTextFile(h.path("side/a.pem")), pemOf(renewed));
  const check = await new Deno.Command("haproxy", { args: ["-c", "-f", h.path("haproxy.cfg")] })
    .output();
  assert.equal(check.code, 0, new TextDecoder().decode(check.stderr));
}, { files: { "side/a.pem": A.pem, "side/a.pem.key": A.key.pem }, binds: ["crt DIRECTORY/side/"] });

const SIDES: [bind: string, file: string, kind: KeyName][] = [
  ["crt DIRECTORY/side0/", "side0/a.pem", "P-384"],
  ["crt DIRECTORY/side1/b.pem", "side1/b.pem", "P-256"],
  ["crt DIRECTORY/side2/c.crt", "side2/c.crt", "P-256"],
  ["crt DIRECTORY/side3/", "side3/d", "P-256"],
  ["crt DIRECTORY/side4/e.pem", "side4/e.pem", "RSA"],
];
const OLD_SIDES = await Promise.all(
  SIDES.map(async ([, , kind], i) =>
    await older({ names: [`side${i}.example`], key: await makeKey(kind) })
  ),
);
story("updates a key in a separate file, for each file name and kind of key", async (h) => {
  for (const [i, [bind, file, kind]] of SIDES.entries()) {
    const renewed = await issue({ names: [`side${i}.example`], key: await makeKey(kind) });
    const { code, stderr } = await install(h, { out: file, issued: renewed });
    assert.deepEqual([code, stderr], [0, ""], bind);
    const shown = await h.servedSerial(`side${i}.example`, h.path(`bind${i}.sock`));
    assert.equal(shown, serialOf(renewed), bind);
    assert.equal(await Deno.readTextFile(h.path(`${file}.key`)), renewed.key.pem, bind);
    assert.equal(await Deno.readTextFile(h.path(file)), pemOf(renewed), bind);
  }
  const check = await new Deno.Command("haproxy", { args: ["-c", "-f", h.path("haproxy.cfg")] })
    .output();
  assert.equal(check.code, 0, new TextDecoder().decode(check.stderr));
}, {
  files: Object.fromEntries(
    SIDES.flatMap(([, file], i) => [
      [file, OLD_SIDES[i]!.pem],
      [`${file}.key`, OLD_SIDES[i]!.key.pem],
    ]),
  ),
  binds: SIDES.map(([bind]) => bind),
});

story("refuses a file without key when nothing tells where the key is", async (h) => {
  const renewed = await issue({ names: ["a.example"] });
  const { code, stderr } = await install(h, { out: "alone.pem", issued: renewed });
  assert.equal(code, 1);
  assert.match(stderr, /holds a certificate without its key, .*another file.*crt-store/);
  assert.equal(await Deno.readTextFile(h.path("alone.pem")), A.pem);
}, { files: { "alone.pem": A.pem } });

/** The serial that a client gets which supports only one kind of key. */
async function shownTo(kind: "RSA" | "ECDSA", socket: string): Promise<string> {
  const args = ["s_client", "-unix", socket, "-servername", "a.example", "-tls1_2"];
  const child = new Deno.Command("openssl", {
    args: [...args, "-cipher", `ECDHE-${kind}-AES128-GCM-SHA256`],
    stdin: "null",
  });
  const pem = new TextDecoder().decode((await child.output()).stdout);
  const [block] = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/.exec(pem) ?? [];
  if (!block) return "none";
  const { X509Certificate } = await import("node:crypto");
  return new X509Certificate(block).serialNumber.replace(/^0+/, "");
}

story("renews RSA and ECDSA side by side, each for the clients that know it", async (h) => {
  const kinds = [["RSA", "rsa", "RSA"], ["ECDSA", "ecdsa", "P-256"]] as const;
  const sockets = [h.path("bind0.sock"), h.path("bind1.sock")];
  for (const [kind, suffix, key] of kinds) {
    const issued = await issue({ names: ["a.example"], key: await makeKey(key) });
    const { code, stderr } = await install(h, { out: `pair/a.pem.${suffix}`, issued });
    assert.deepEqual([code, stderr], [0, ""], kind);
    for (const socket of sockets) assert.equal(await shownTo(kind, socket), serialOf(issued), kind);
  }
  // A pair for a new name comes into the directory one by one.
  for (const [kind, suffix, key] of kinds) {
    const issued = await issue({ names: ["n.example"], key: await makeKey(key) });
    const { code, stderr } = await install(h, { out: `pair/n.pem.${suffix}`, issued });
    assert.equal(code, 0, `${kind}: ${stderr}`);
  }
}, {
  files: {
    "pair/a.pem.rsa": pemOf(await older({ names: ["a.example"], key: await makeKey("RSA") })),
    "pair/a.pem.ecdsa": pemOf(A),
  },
  binds: ["crt DIRECTORY/pair/a.pem", "crt DIRECTORY/pair/"],
});

story("warns when the kind of key changes, and only then", async (h) => {
  const warning =
    /event=warning reason=".*from a key of P-256 to one of RSA 2048.*\.rsa and .*\.ecdsa"/;
  const rsa = await issue({ names: ["a.example"], key: await makeKey("RSA"), notBefore: AGO(2) });
  const changed = await install(h, { out: "certs/a.pem", issued: rsa });
  assert.equal(changed.code, 0, changed.stderr);
  assert.match(changed.stderr, warning);
  const renewed = await issue({ names: ["a.example"], key: rsa.key });
  assert.equal((await install(h, { out: "certs/a.pem", issued: renewed })).stderr, "");
}, { files: { "certs/a.pem": pemOf(A) } });
