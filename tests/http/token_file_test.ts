/** Token files that must be served, and everything in a webroot that must not. */

import { deepStrictEqual, ok } from "node:assert/strict";
import { readTokenFile, type TokenFileFault } from "../../lib/http/token_file.ts";

const SECRET = "root:$6$secret:19000:0:99999:7:::";

async function webroot(): Promise<{ root: string; outside: string } & AsyncDisposable> {
  const base = await Deno.makeTempDir();
  const [root, outside] = [`${base}/webroot`, `${base}/outside`];
  await Deno.mkdir(`${root}/.well-known/acme-challenge`, { recursive: true });
  await Deno.mkdir(outside);
  await Deno.writeTextFile(`${outside}/secret`, SECRET);
  return {
    root,
    outside,
    [Symbol.asyncDispose]: () => Deno.remove(base, { recursive: true }),
  };
}

Deno.test("readTokenFile() finds a token in each webroot, flat and nested", async () => {
  await using first = await webroot();
  await using second = await webroot();
  await Deno.writeTextFile(`${first.root}/flat`, "flat.one\n");
  await Deno.writeTextFile(`${second.root}/.well-known/acme-challenge/nested`, "nested.two");
  const roots = [first.root, `${first.outside}/none`, second.root];
  deepStrictEqual(await readTokenFile(roots, "flat"), {
    kind: "found",
    body: "flat.one\n",
    path: `${first.root}/flat`,
  });
  deepStrictEqual(await readTokenFile(roots, "nested"), {
    kind: "found",
    body: "nested.two",
    path: `${second.root}/.well-known/acme-challenge/nested`,
  });
  deepStrictEqual(await readTokenFile(roots, "none"), { kind: "absent", faults: [] });
});

Deno.test("readTokenFile() follows a webroot that is itself a link, as /var/run is", async () => {
  await using dir = await webroot();
  await Deno.writeTextFile(`${dir.root}/tok`, "tok.x");
  await Deno.symlink(dir.root, `${dir.outside}/link`);
  const got = await readTokenFile([`${dir.outside}/link`], "tok");
  deepStrictEqual(got.kind, "found");
});

const CONTENTS: [string, string | Uint8Array<ArrayBuffer>, boolean][] = [
  ["the article's test file", "Hello World\n", true],
  ["a key authorization", `${"t".repeat(43)}.${"k".repeat(43)}`, true],
  ["a Windows line end", "tok.x\r\n", true],
  ["1024 bytes", "a".repeat(1024), true],
  ["1025 bytes", "a".repeat(1025), false],
  ["nothing", "", false],
  ["a line end alone", "\n", false],
  ["two lines", "one\ntwo\n", false],
  ["two line ends", "one\n\n", false],
  ["a tab", "a\tb", false],
  ["NUL", "a\0b", false],
  ["ESC", "\x1b[31m", false],
  ["UTF-8", "café", false],
  ["a byte order mark", "\ufefftok.x", false],
  ["bytes over 0x7f", Uint8Array.of(0x74, 0xe9), false],
  ["a private key", "-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----\n", false],
];

Deno.test("readTokenFile() serves one line of printable ASCII and nothing else", async () => {
  await using dir = await webroot();
  for (const [name, content, served] of CONTENTS) {
    await Deno.writeFile(
      `${dir.root}/tok`,
      typeof content === "string" ? new TextEncoder().encode(content) : content,
    );
    deepStrictEqual(
      (await readTokenFile([dir.root], "tok")).kind,
      served ? "found" : "absent",
      name,
    );
  }
});

async function run(program: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args }).output();
  ok(success, `${program} ${args.join(" ")}`);
}

Deno.test("readTokenFile() counts links, pipes, devices and the like as absent", async () => {
  await using dir = await webroot();
  const secret = `${dir.outside}/secret`;
  const table: [string, TokenFileFault, (path: string) => Promise<void>][] = [
    ["a symbolic link", "symlink", (path) => Deno.symlink(secret, path)],
    ["a dangling link", "symlink", (path) => Deno.symlink("/nonexistent", path)],
    ["a link to itself", "symlink", (path) => Deno.symlink(path, path)],
    ["a hard link", "hard_link", (path) => Deno.link(secret, path)],
    ["a FIFO", "not_a_file", (path) => run("mkfifo", path)],
    ["a directory", "not_a_file", (path) => Deno.mkdir(path)],
    ["a sparse giant", "too_large", (path) => run("truncate", "-s", "1T", path)],
  ];
  if (Deno.uid() === 0) {
    table.push(["a device", "not_a_file", (path) => run("mknod", path, "c", "1", "5")]);
  }
  for (const [name, fault, make] of table) {
    const path = `${dir.root}/tok`;
    await make(path);
    deepStrictEqual(
      await readTokenFile([dir.root], "tok"),
      { kind: "absent", faults: [{ path, fault }] },
      name,
    );
    await Deno.remove(path);
  }
});

Deno.test("readTokenFile() does not follow a link on the way to a nested token", async () => {
  await using dir = await webroot();
  await Deno.remove(`${dir.root}/.well-known/acme-challenge`);
  await Deno.symlink(dir.outside, `${dir.root}/.well-known/acme-challenge`);
  deepStrictEqual(await readTokenFile([dir.root], "secret"), {
    kind: "absent",
    faults: [{ path: `${dir.root}/.well-known/acme-challenge/secret`, fault: "symlink" }],
  });
});

Deno.test("readTokenFile() leaks nothing while a token is flipped to a link under its hands", async () => {
  await using dir = await webroot();
  const [path, spare] = [`${dir.root}/tok`, `${dir.root}/.spare`];
  let flipping = true;
  const flipper = (async () => {
    for (let i = 0; flipping; i++) {
      if (i % 2 === 0) await Deno.symlink(`${dir.outside}/secret`, spare);
      else await Deno.writeTextFile(spare, "tok.good");
      await Deno.rename(spare, path);
    }
  })();
  const seen = new Map<string, number>();
  try {
    for (let i = 0; i < 3000; i++) {
      const got = await readTokenFile([dir.root], "tok");
      const word = got.kind === "found" ? got.body : got.faults[0]?.fault ?? "absent";
      seen.set(word, (seen.get(word) ?? 0) + 1);
    }
  } finally {
    flipping = false;
    await flipper;
  }
  ok(!seen.has(SECRET), JSON.stringify([...seen]));
  ok((seen.get("tok.good") ?? 0) > 0 && (seen.get("symlink") ?? 0) > 0, JSON.stringify([...seen]));
});
