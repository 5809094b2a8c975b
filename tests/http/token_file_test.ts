/** Token files that must be served, and everything in a webroot that must not. */

import assert from "node:assert/strict";
import { readTokenFile, type TokenFileFault } from "../../lib/http/token_file.ts";
import { delay } from "../../lib/time.ts";

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

Deno.test("readTokenFile() finds a token flat and nested", async () => {
  await using dir = await webroot();
  await Deno.writeTextFile(`${dir.root}/flat`, "flat.one\n");
  await Deno.writeTextFile(`${dir.root}/.well-known/acme-challenge/nested`, "nested.two");
  assert.deepEqual(await readTokenFile(dir.root, "flat"), {
    kind: "found",
    body: "flat.one\n",
    path: `${dir.root}/flat`,
  });
  assert.deepEqual(await readTokenFile(dir.root, "nested"), {
    kind: "found",
    body: "nested.two",
    path: `${dir.root}/.well-known/acme-challenge/nested`,
  });
  for (const root of [dir.root, `${dir.outside}/none`, `${dir.outside}/secret`]) {
    assert.deepEqual(await readTokenFile(root, "none"), { kind: "absent", faults: [] }, root);
  }
});

Deno.test("readTokenFile() follows a webroot that is itself a link, as /var/run is", async () => {
  await using dir = await webroot();
  await Deno.writeTextFile(`${dir.root}/tok`, "tok.x");
  await Deno.symlink(dir.root, `${dir.outside}/link`);
  const got = await readTokenFile(`${dir.outside}/link`, "tok");
  assert.deepEqual(got.kind, "found");
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
    assert.deepEqual(
      (await readTokenFile(dir.root, "tok")).kind,
      served ? "found" : "absent",
      name,
    );
  }
});

async function run(program: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args }).output();
  assert.ok(success, `${program} ${args.join(" ")}`);
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
    for (const path of [`${dir.root}/tok`, `${dir.root}/.well-known/acme-challenge/tok`]) {
      await make(path);
      assert.deepEqual(
        await readTokenFile(dir.root, "tok"),
        { kind: "absent", faults: [{ path, fault }] },
        name,
      );
      await Deno.remove(path);
    }
  }
});

Deno.test("readTokenFile() does not follow a link on the way to a nested token", async () => {
  await using dir = await webroot();
  await Deno.remove(`${dir.root}/.well-known/acme-challenge`);
  await Deno.symlink(dir.outside, `${dir.root}/.well-known/acme-challenge`);
  assert.deepEqual(await readTokenFile(dir.root, "secret"), {
    kind: "absent",
    faults: [{ path: `${dir.root}/.well-known/acme-challenge/secret`, fault: "symlink" }],
  });
});

/**
 * Makes a change again and again while files are read. It rests now and then, after even and odd
 * rounds: two loops that run in step would never meet in some of the states.
 */
async function during(
  change: (round: number) => Promise<void>,
  read: () => Promise<void>,
): Promise<void> {
  let reading = true;
  const changes = (async () => {
    for (let round = 0; reading; round++) {
      await change(round);
      if (round % 49 === 0) await delay(2);
    }
  })();
  try {
    await read();
  } finally {
    reading = false;
    await changes;
  }
}

Deno.test("readTokenFile() leaks nothing while a token is replaced by a link during the read", async () => {
  await using dir = await webroot();
  const [path, spare] = [`${dir.root}/tok`, `${dir.root}/.spare`];
  const seen = new Map<string, number>();
  const exchange = async (round: number) => {
    if (round % 2 === 0) await Deno.symlink(`${dir.outside}/secret`, spare);
    else await Deno.writeTextFile(spare, "tok.good");
    await Deno.rename(spare, path);
  };
  await during(exchange, async () => {
    for (let i = 0; i < 3000; i++) {
      const got = await readTokenFile(dir.root, "tok");
      const word = got.kind === "found" ? got.body : got.faults[0]?.fault ?? "absent";
      seen.set(word, (seen.get(word) ?? 0) + 1);
    }
  });
  assert.ok(!seen.has(SECRET), JSON.stringify([...seen]));
  assert.ok(
    (seen.get("tok.good") ?? 0) > 0 && (seen.get("symlink") ?? 0) > 0,
    JSON.stringify([...seen]),
  );
});

Deno.test("readTokenFile() serves only files that everybody may read, and reports others as unreadable", async () => {
  await using dir = await webroot();
  const path = `${dir.root}/tok`;
  for (const mode of [0o600, 0o640, 0o660, 0o400, 0o750]) {
    await Deno.writeTextFile(path, "tok.thumb");
    await Deno.chmod(path, mode);
    const got = await readTokenFile(dir.root, "tok");
    assert.deepEqual(got, { kind: "unreadable", faults: [{ path, fault: "not_public" }] });
    await Deno.remove(path);
  }
  for (const mode of [0o644, 0o444, 0o664, 0o604, 0o755]) {
    await Deno.writeTextFile(path, "tok.thumb");
    await Deno.chmod(path, mode);
    assert.deepEqual((await readTokenFile(dir.root, "tok")).kind, "found", mode.toString(8));
    await Deno.remove(path);
  }
});

Deno.test("readTokenFile() does not wait for a FIFO that replaces the file", async () => {
  await using dir = await webroot();
  const [path, spare, pipe] = ["tok", ".spare", ".pipe"].map((name) => `${dir.root}/${name}`);
  const exchange = async (round: number) => {
    if (round % 2 === 0) await run("mkfifo", pipe!).then(() => Deno.rename(pipe!, path!));
    else await Deno.writeTextFile(spare!, "tok.x").then(() => Deno.rename(spare!, path!));
  };
  const kinds = new Set<string>();
  await during(exchange, async () => {
    for (let i = 0; i < 300; i++) kinds.add((await readTokenFile(dir.root, "tok")).kind);
  });
  assert.ok(kinds.has("absent"));
});

/** Who is nobody here. */
const OTHER = 65533;

Deno.test({
  name:
    "readTokenFile() serves nothing of a directory that another user exchanges for the real one",
  // Only root can create directories of another user; directories of the tests' own user need no
  // protection.
  ignore: Deno.uid() !== 0,
  async fn() {
    await using dir = await webroot();
    await Deno.chmod(`${dir.outside}/secret`, 0o644);
    await Deno.chmod(dir.outside, 0o700);
    const nested = `${dir.root}/.well-known/acme-challenge`;
    await Deno.writeTextFile(`${nested}/secret`, "secret.thumb");
    await Deno.writeTextFile(`${nested}/word`, "Hello World");
    await Deno.writeTextFile(`${dir.outside}/word`, "private");
    for (const path of [dir.root, `${dir.root}/.well-known`, nested]) {
      await Deno.chown(path, OTHER, OTHER);
    }
    const [link, aside] = [".link", ".aside"].map((name) => `${dir.root}/.well-known/${name}`);
    await Deno.symlink(dir.outside, link!);
    const exchange = async () => {
      await Deno.rename(nested, aside!);
      await Deno.rename(link!, nested);
      await Deno.rename(nested, link!);
      await Deno.rename(aside!, nested);
    };
    // However long the machine gives this process no time, no change is older than a second.
    const begin = Date.now();
    const seen = new Set<string>();
    await during(exchange, async () => {
      for (let i = 0; i < 1000; i++) {
        for (const name of ["secret", "word"]) {
          const got = await readTokenFile(dir.root, name, { now: () => begin });
          seen.add(got.kind === "found" ? got.body : got.kind);
        }
      }
    });
    assert.ok(!seen.has(SECRET) && !seen.has("private"), [...seen].join("; "));
    // What begins with the token's name is no secret wherever it lies; the rest waits for rest.
    assert.ok(seen.has("secret.thumb"), [...seen].join("; "));
    assert.ok(!seen.has("Hello World"), [...seen].join("; "));
  },
});

Deno.test({
  name: "readTokenFile() serves a line of a test by hand from another user's directories at rest",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using dir = await webroot();
    const nested = `${dir.root}/.well-known/acme-challenge`;
    await Deno.writeTextFile(`${nested}/lb0`, "Hello World\n");
    for (const path of [dir.root, `${dir.root}/.well-known`, nested]) {
      await Deno.chown(path, OTHER, OTHER);
    }
    const path = `${nested}/lb0`;
    assert.deepEqual(await readTokenFile(dir.root, "lb0"), {
      kind: "absent",
      faults: [{ path, fault: "changed_while_read" }],
    });
    const later = { now: () => Date.now() + 2_100 };
    assert.deepEqual(await readTokenFile(dir.root, "lb0", later), {
      kind: "found",
      body: "Hello World\n",
      path,
    });
  },
});

Deno.test({
  name:
    "readTokenFile() serves no line through a webroot that another user links to what is not theirs",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using dir = await webroot();
    const link = `${dir.outside}/link`;
    await Deno.writeTextFile(`${dir.root}/word`, "private");
    await Deno.writeTextFile(`${dir.root}/tok`, "tok.thumb");
    await Deno.symlink(dir.root, link);
    assert.deepEqual((await readTokenFile(link, "word")).kind, "found", "root's own link");
    await run("chown", "-h", `${OTHER}`, link);
    assert.deepEqual(await readTokenFile(link, "word"), {
      kind: "absent",
      faults: [{ path: `${link}/word`, fault: "foreign_link" }],
    });
    assert.deepEqual((await readTokenFile(link, "tok")).kind, "found", "what can be no secret");
  },
});

Deno.test("readTokenFile() tells why it could not look", async () => {
  await using dir = await webroot();
  const loop = `${dir.root}/loop`;
  await Deno.symlink("loop", loop);
  const { faults } = await readTokenFile(loop, "tok") as { faults: { reason?: string }[] };
  const reason = "its symbolic links form a loop (ELOOP)";
  assert.deepEqual(faults.map((fault) => fault.reason), [reason, reason]);
});

Deno.test("readTokenFile() finds no fault in a file that is removed while it is read", async () => {
  await using dir = await webroot();
  for (let i = 0; i < 300; i++) {
    await Deno.writeTextFile(`${dir.root}/tok`, "tok.x");
    const [got] = await Promise.all([
      readTokenFile(dir.root, "tok"),
      new Promise((resolve) => setTimeout(resolve, i % 3)).then(() =>
        Deno.remove(`${dir.root}/tok`)
      ),
    ]);
    if (got.kind !== "found") assert.deepEqual(got, { kind: "absent", faults: [] });
  }
});
