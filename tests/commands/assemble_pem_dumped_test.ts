/**
 * assemble-pem --from-haproxy: what HAProxy may answer to `dump ssl cert`, and what is then on the
 * disk. Rare answers come from a fake, the others from HAProxy itself where it has the command (3.1).
 */

import assert from "node:assert/strict";
import { assemble } from "../../lib/commands/assemble_job.ts";
import type { AssembleReport } from "../../lib/commands/assemble_report.ts";
import { JobError } from "../../lib/errors.ts";
import { dumpCertificate, dumpedPem } from "../../lib/haproxy/dump_certificate.ts";
import { DAY, issue, issueChain, type IssueOptions, makeKey, NOW } from "../cert/issue.ts";
import { LOCKED, type Spoil, startFake } from "../haproxy/fake_haproxy.ts";
import {
  hasHaproxy,
  holdLock,
  pemOf,
  type RealHaproxy,
  serialOf,
  startHaproxy,
  type StartOptions,
} from "../haproxy/real_haproxy.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { acmeLb } from "./program.ts";

const { lower } = await issueChain();
const at = (days: number) => new Date(NOW.getTime() + days * DAY);
const make = (options: IssueOptions = {}) =>
  issue({ names: ["a.example"], issuer: lower, notBefore: at(-1), ...options });
const rsa = await makeKey("RSA");
const installed = await make({ notBefore: at(-60), notAfter: at(30) });
const ordered = await make();
const other = await make({ names: ["b.example"] });
const older = await make({ notBefore: at(-70), notAfter: at(20) });
const expired = await make({ notBefore: at(-50), notAfter: at(-1) });
const ofRsa = await make({ key: rsa });

/** As HAProxy dumps it, and as assemble-pem writes it: key, leaf, chain. */
const whole = pemOf(ordered) + lower.pem;
const half = Math.floor(whole.length / 2);

/** Pieces of the keys that are dumped. */
const KEY_LINES = [ordered, other, older, expired, ofRsa].flatMap(({ key }) =>
  key.pem.split("\n").filter((line) => /^[^-]{8}/.test(line)).map((line) => line.slice(0, 20))
);

/** What is in memory under the file's name, or the whole answer, as `say`. */
type Row = [what: string, memory: string | { say: string }, expected: string | RegExp];

const TABLE: Row[] = [
  ["key, leaf, chain", whole, whole],
  ["the same, loaded with the key at the end", ordered.pem + lower.pem + ordered.key.pem, whole],
  ["leaf before key", { say: `${ordered.pem}${lower.pem}${ordered.key.pem}\n` }, whole],
  ["chain before key", { say: `${ordered.pem}${ordered.key.pem}${lower.pem}\n` }, whole],
  [
    "a chain without its leaf",
    { say: `${ordered.key.pem}${lower.pem}${lower.pem}\n` },
    /does not belong/,
  ],
  [
    "a leaf that was issued later, with another kind of key",
    pemOf(ofRsa) + lower.pem,
    pemOf(ofRsa) + lower.pem,
  ],
  ["no key", { say: `${ordered.pem}${lower.pem}\n` }, /holds no private key/],
  ["a certificate that was never filled", "", /has no key for .* in memory/],
  ["a certificate without a key", ordered.pem, /has no key for .* in memory/],
  ["only a key", { say: `${ordered.key.pem}\n` }, /broke off: run this again/],
  [
    "the key of another",
    { say: `${other.key.pem}${ordered.pem}${lower.pem}\n` },
    /does not belong/,
  ],
  [
    "two keys",
    { say: `${ordered.key.pem}${other.key.pem}${ordered.pem}${lower.pem}\n` },
    /2 .*keys|second .*key/,
  ],
  ["another certificate than the file's", pemOf(other) + lower.pem, /b\.example.*--force/],
  ["one that has expired", pemOf(expired) + lower.pem, /expired/],
  ["one that is older than the file", pemOf(older) + lower.pem, /older.*--force/],
  ["an empty line", { say: "\n" }, /has no key for .* in memory/],
  ["blank lines", { say: " \n\n" }, /has no key for .* in memory/],
  ["half of a block", { say: whole.slice(0, half) }, /broke off: run this again/],
  [
    "half, with the blank line",
    { say: `${whole.slice(0, half)}\n\n` },
    /broke off: run this again/,
  ],
  ["a block too few, without the blank line", { say: pemOf(ordered) }, /broke off: run this again/],
  ["a block too few, with the blank line", { say: `${pemOf(ordered)}\n` }, /broke off: run this/],
  ["a key that breaks off", { say: `${ordered.key.pem.slice(0, 99)}\n\n` }, /broke off/],
  ["a damaged block", { say: `${whole.replaceAll("a", "!")}\n` }, /line \d+/],
  ["a certificate that is not loaded", {
    say: "Can't display the certificate: Not found or the certificate is a bundle!\n\n",
  }, /it said: Can't display the certificate: Not found/],
  [
    "an encrypted key",
    { say: "Can't display the contents of an encrypted certificate!\n\n" },
    /it said: .* encrypted certificate!$/,
  ],
  ["too low a level", { say: "Permission denied\n\n" }, /this socket is not `level admin`$/],
  ["HAProxy's other words for that", { say: "Can't allocate memory!\n\n" }, /not `level admin`$/],
  [
    "no such command",
    { say: "Unknown command, but maybe one of\n\n" },
    /needs version 3\.1 or later/,
  ],
];

for (const [what, memory, expected] of TABLE) {
  Deno.test(`assemble-pem --from-haproxy, HAProxy has ${what}`, async () => {
    const [loaded, spoil] = typeof memory === "string" ? [memory, undefined] : [whole, memory];
    await using story = await startStory({ loaded, spoil });
    if (typeof expected === "string") {
      await story.take();
      assert.equal(await story.file(), expected);
      return;
    }
    const { message } = await assertRefused(story.take());
    assert.match(message, expected);
    assert.doesNotMatch(message, /[\n\p{C}]/u);
    assert.ok(KEY_LINES.every((line) => !message.includes(line)), "no part of a key");
    assert.equal(await story.file(), pemOf(installed) + lower.pem);
    assert.deepEqual(story.fake.log.filter((line) => /^(?:set|commit|new|add|del)/.test(line)), []);
  });
}

Deno.test("assemble-pem --from-haproxy warns when the kind of the key changes", async () => {
  await using story = await startStory({ loaded: pemOf(ofRsa) + lower.pem });
  const { warnings } = await story.take();
  assert.match(warnings.join("; "), /from a key of P-256 to one of RSA 2048/);
});

Deno.test("assemble-pem --from-haproxy writes the first file, too", async () => {
  await using story = await startStory({ loaded: whole, onDisk: null });
  await story.take();
  assert.equal(await story.file(), whole);
  assert.match((await story.take()).lines.join("\n"), /: unchanged: .*\n.*: current: /);
});

Deno.test("assemble-pem --from-haproxy takes @store/alias, and none of another name", async () => {
  await using story = await startStory({ loaded: whole, name: "@store/a" });
  story.fake.memory.set("@store/b", pemOf(other) + lower.pem);
  await story.take();
  assert.equal(await story.file(), whole);
  assert.ok(story.fake.log.includes("dump ssl cert @store/a"));
  const { message } = await assertRefused(story.take("@store/c"));
  assert.match(message, /it has no certificate named @store\/c/);
});

Deno.test("assemble-pem --from-haproxy takes nothing of an open transaction", async () => {
  await using story = await startStory({ loaded: whole });
  story.fake.transaction = { name: story.name, pem: pemOf(other) };
  await story.take();
  assert.equal(await story.file(), whole);
  assert.equal(story.fake.memory.get(story.name), whole);
});

Deno.test("assemble-pem --from-haproxy asks again while certificates are locked", async () => {
  await using story = await startStory({ loaded: whole });
  for (const step of ["list#1", "show#1", "dump#1", "dump#2", "dump#3"] as const) {
    story.fake.spoil.set(step, { say: `Can't show!\n${LOCKED}\n` });
  }
  await story.take();
  assert.equal(await story.file(), whole);
});

Deno.test("dumpCertificate() says when they stay locked", async () => {
  await using story = await startStory({ loaded: whole });
  for (let nth = 1; nth < 50; nth++) {
    story.fake.spoil.set(`dump#${nth}`, { say: `Can't show!\n${LOCKED}\n` });
  }
  const { name, fake } = story;
  const { message } = await assertRefused(
    dumpCertificate(fake.socket, { name, file: name }, { lockedMs: 150 }),
  );
  assert.match(
    message,
    /^cannot take the certificate from .*admin\.sock: another command .* locked for 0\.15 s: run this again/,
  );
});

Deno.test("dumpedPem() accepts no shortened answer, wherever it breaks off", () => {
  const text = `${whole}\n`;
  const shown = { name: "/a.pem", chainLength: 1 };
  assert.equal(dumpedPem(text, shown), text);
  for (let length = 0; length < text.length; length++) {
    assert.throws(() => dumpedPem(text.slice(0, length), shown), { name: "SwapFault" });
    const ended = `${text.slice(0, length).trimEnd()}\n\n`;
    if (ended === text) continue;
    assert.throws(() => dumpedPem(ended, shown), { name: "SwapFault" }, ended.slice(-40));
  }
});

async function assertRefused(done: Promise<unknown>): Promise<JobError> {
  let thrown: unknown;
  await done.catch((error) => thrown = error);
  assert.ok(thrown instanceof JobError, String(thrown));
  return thrown;
}

/** A file on the disk, and a fake that has `loaded` in memory under the file's name, or `name`. */
async function startStory(
  { loaded, spoil, name, onDisk = pemOf(installed) + lower.pem }: {
    loaded: string;
    spoil?: Spoil;
    name?: string;
    onDisk?: string | null;
  },
) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const out = `${folder.path}/a.pem`;
  if (onDisk !== null) await Deno.writeTextFile(out, onDisk, { mode: 0o600 });
  const known = name ?? out;
  const fake = stack.use(await startFake({ [known]: loaded }));
  if (spoil) fake.spoil.set("dump#1", spoil);
  return {
    fake,
    name: known,
    file: () => Deno.readTextFile(out),
    take: (name = known): Promise<AssembleReport> =>
      assemble({
        ...{ source: "haproxy", out, rights: {}, force: false, quiet: false },
        haproxy: { sockets: [fake.socket], name },
      }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** With a HAProxy that has the command, or not: `hasDump`. */
function realStory(
  name: string,
  tell: (haproxy: RealHaproxy, hasDump: boolean) => Promise<void>,
  options: StartOptions = {},
): void {
  Deno.test({
    name: `assemble-pem --from-haproxy ${name}`,
    ignore: !hasHaproxy,
    fn: async () => {
      await using haproxy = await startHaproxy(options);
      const answer = await haproxy.ask("dump ssl cert /nowhere.pem");
      await tell(haproxy, !answer.startsWith("Unknown command"));
    },
  });
}

const takeFrom = (socket: string, out: string, flags: string[] = []) =>
  acmeLb(["assemble-pem", "--from-haproxy", "--out", out, "--haproxy-socket", socket, ...flags]);

/** What every HAProxy without the command is answered with. */
const TOO_OLD = /^acme-lb: cannot take the certificate from .*: .* needs version 3\.1 or later\n$/;

realStory("says which HAProxy can do so, or saves what is in memory", async (h, hasDump) => {
  const path = h.path("certs/a.pem");
  await h.ask(`set ssl cert ${path} <<\n${whole}`);
  await h.ask(`commit ssl cert ${path}`);
  // Somebody's transaction is open, with what must not be saved.
  await h.ask(`set ssl cert ${path} <<\n${pemOf(other)}`);
  const { code, stderr, stdout } = await takeFrom(h.worker, path);
  if (!hasDump) {
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, TOO_OLD);
    assert.equal(await Deno.readTextFile(path), pemOf(installed));
    return;
  }
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /: written: .*\n.*: (current|swapped): /);
  assert.equal(await Deno.readTextFile(path), whole);
  assert.match((await takeFrom(h.worker, path)).stdout, /: unchanged: /);
  assert.equal(await h.servedSerial("a.example"), serialOf(ordered));
  await Deno.remove(path);
  assert.equal((await takeFrom(h.master, path)).stderr, "");
  assert.equal(await Deno.readTextFile(path), whole);
}, { files: { "certs/a.pem": pemOf(installed) } });

realStory("saves a key of another kind, and nothing that is not to be used", async (h, hasDump) => {
  const path = h.path("certs/a.pem");
  if (!hasDump) return assert.match((await takeFrom(h.worker, path)).stderr, TOO_OLD);
  const load = async (pem: string) => {
    await h.ask(`set ssl cert ${path} <<\n${pem}`);
    assert.match(await h.ask(`commit ssl cert ${path}`), /Success!/);
  };
  const [disk, before] = [pemOf(installed) + lower.pem, ofRsa];
  await load(pemOf(before) + lower.pem);
  const changed = await takeFrom(h.worker, path);
  assert.match(changed.stderr, /from a key of P-256 to one of RSA 2048/);
  assert.equal(await Deno.readTextFile(path), pemOf(before) + lower.pem);

  await Deno.writeTextFile(path, disk);
  const refused: [pem: string, why: RegExp][] = [
    [pemOf(older) + lower.pem, /older/],
    [pemOf(expired) + lower.pem, /expired/],
    [pemOf(other) + lower.pem, /b\.example/],
  ];
  for (const [pem, why] of refused) {
    await load(pem);
    const { code, stderr } = await takeFrom(h.worker, path);
    assert.match(stderr, why);
    assert.deepEqual([code, await Deno.readTextFile(path)], [1, disk]);
  }
  const empty = h.path("certs/new.pem");
  await h.ask(`new ssl cert ${empty}`);
  assert.match((await takeFrom(h.worker, empty)).stderr, /has no key for .*new\.pem in memory/);
  assert.match((await takeFrom(h.operator, path)).stderr, /this socket is not `level admin`\n$/);
  const absent = await takeFrom(h.worker, h.path("certs/absent.pem"));
  assert.match(absent.stderr, /it has no certificate named .*absent\.pem/);
}, { files: { "certs/a.pem": pemOf(installed) + lower.pem } });

realStory("waits for a client that holds HAProxy's lock", async (h, hasDump) => {
  const path = h.path("certs/a.pem");
  await h.ask(`set ssl cert ${path} <<\n${whole}`);
  await h.ask(`commit ssl cert ${path}`);
  using _holder = await holdLock(h);
  const { code, stderr } = await takeFrom(h.worker, path);
  if (!hasDump) return assert.match(stderr, TOO_OLD);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(await Deno.readTextFile(path), whole);
}, { files: { "certs/a.pem": pemOf(installed) }, global: ["stats timeout 1s"] });
