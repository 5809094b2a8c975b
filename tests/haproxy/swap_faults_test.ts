/** Every step of a swap goes wrong in every way, against a fake that speaks like HAProxy. */
import assert from "node:assert/strict";
import { readMemory } from "../../lib/haproxy/loaded_certificates.ts";
import { swapCertificate, type SwapResult } from "../../lib/haproxy/swap.ts";
import type { SwapRequest } from "../../lib/haproxy/swap_state.ts";
import { issue } from "../cert/issue.ts";
import { type FakeHaproxy, LOCKED, type Spoil, startFake, type Step } from "./fake_haproxy.ts";
import { contentOf } from "./leaf_fingerprint.ts";
import { pemOf, serialOf } from "./real_haproxy.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const NAME = "/etc/haproxy/certs/service.pem";
const OTHER = "/etc/haproxy/certs/other.pem";

const [OLD_CERTIFICATE, NEW_CERTIFICATE, OTHER_CERTIFICATE] = await Promise.all(
  [1, 2, 3].map((serial) => issue({ serial: [serial] })),
);
const OLD = pemOf(OLD_CERTIFICATE!);
const NEW = pemOf(NEW_CERTIFICATE!);
const THIRD = pemOf(OTHER_CERTIFICATE!);

interface Swapped extends SwapResult {
  /** How often the file was put back. */
  putBacks: number;
}

interface Asked extends Partial<SwapRequest> {
  pem?: string;
  /** @default OLD; null for none */
  previousPem?: string | null;
  unchanged?: boolean;
}

async function swap(sockets: FakeHaproxy[], asked: Asked = {}): Promise<Swapped> {
  let putBacks = 0;
  // Short only where somebody hangs: a machine with other work to do is no fault.
  const hangs = sockets.some(({ spoil }) => [...spoil.values()].includes("hang"));
  const { pem = NEW, previousPem = OLD, unchanged = false, ...request } = asked;
  const result = await swapCertificate({
    sockets: sockets.map(({ socket }) => socket),
    name: NAME,
    content: await contentOf(pem, serialOf(NEW_CERTIFICATE!)),
    previous: previousPem === null ? undefined : await contentOf(previousPem),
    install: () => Promise.resolve(unchanged ? "unchanged" : "written"),
    putBack: () => Promise.resolve(void putBacks++),
    timing: { deadlineMs: hangs ? 300 : 20_000, patienceMs: 600 },
    ...request,
  });
  for (const { message } of result.outcomes) assert.doesNotMatch(message, /[\n\p{C}]/u);
  return { ...result, putBacks };
}

Deno.test("swapCertificate() asks, sets, looks, commits and looks again", async () => {
  await using fake = await startFake({ [NAME]: OLD, [OTHER]: THIRD });
  const { state, outcomes, putBacks } = await swap([fake]);
  assert.deepEqual([state, putBacks], ["served", 0]);
  assert.deepEqual(outcomes, [{ socket: fake.socket, outcome: "swapped", message: "" }]);
  assert.equal(fake.memory.get(NAME), NEW);
  assert.equal(fake.memory.get(OTHER), THIRD);
  assert.deepEqual(fake.log, [
    "show ssl cert",
    `show ssl cert ${NAME}`,
    "show ssl crt-list",
    "show ssl cert",
    `set ssl cert ${NAME}`,
    `show ssl cert *${NAME}`,
    `commit ssl cert ${NAME}`,
    `show ssl cert ${NAME}`,
  ]);
});

Deno.test("swapCertificate() asks again when the first question is hung up on, as by a master that reloads", async () => {
  await using fake = await startFake({ [NAME]: OLD });
  fake.spoil.set("list#1", "silent");
  fake.spoil.set("list#2", "silent");
  const { state, outcomes } = await swap([fake]);
  assert.deepEqual([state, outcomes[0]!.outcome], ["served", "swapped"]);
  assert.equal(fake.memory.get(NAME), NEW);
});

/**
 * What becomes of a swap whose step goes wrong. Of the memory of a HAProxy that died nothing can
 * be said. The third look at the certificate belongs to the way back.
 */
const FAULTS: [step: `${Step}#${number}`, spoil: Spoil, outcome: string][] = [
  ["list#1", "die", "silent"],
  ["list#1", "hang", "timeout"],
  ["list#1", "half", "refused"],
  ["list#1", { say: "Unknown command\n\n" }, "refused"],
  ["list#1", { say: "HTTP/1.1 400 Bad Request\r\n\r\n" }, "refused"],
  ["show#1", "die", "silent"],
  ["show#1", "hang", "timeout"],
  ["show#1", "silent", "silent"],
  ["list#2", "die", "silent"],
  ["list#2", "hang", "timeout"],
  ["list#2", "silent", "silent"],
  ["list#2", "half", "refused"],
  ["set#1", "die", "silent"],
  ["set#1", "hang", "timeout"],
  ["set#1", "silent", "silent"],
  ["set#1", "silent_applied", "silent"],
  ["set#1", "half", "refused"],
  ["set#1", { say: "Permission denied\n\n" }, "denied"],
  ["set#1", { say: "Success!\n\n" }, "refused"],
  ["set#1", { say: `unable to load certificate from file '${NAME}'.\n\n` }, "refused"],
  ["set#1", { say: "The payload is too big.\n\n" }, "too_large"],
  ["pending#1", "die", "silent"],
  ["pending#1", "hang", "timeout"],
  ["pending#1", "silent", "silent"],
  ["commit#1", "die", "silent"],
  ["commit#1", "hang", "timeout"],
  ["commit#1", "silent", "silent"],
  ["commit#1", "silent_applied", "silent"],
  ["commit#1", "half", "refused"],
  ["commit#1", { say: `Committing ${NAME}....` }, "refused"],
  ["commit#1", { say: `inconsistencies\nCan't commit ${NAME}!\n\n` }, "refused"],
  ["list#1", "last_words", "broken"],
  ["set#1", "last_words", "broken"],
  ["commit#1", "last_words", "broken"],
  ["show#2", "die", "silent"],
  ["show#2", "hang", "timeout"],
  ["show#2", "silent", "silent"],
];

for (const [step, spoil, outcome] of FAULTS) {
  const what = typeof spoil === "string" ? spoil : JSON.stringify(spoil.say);
  Deno.test(`swapCertificate() takes everything back when ${step} goes wrong: ${what}`, async () => {
    await using fake = await startFake({ [NAME]: OLD, [OTHER]: THIRD });
    fake.spoil.set(step, spoil);
    const { state, outcomes, putBacks } = await swap([fake]);
    assert.deepEqual([state, putBacks, outcomes[0]!.outcome], ["failed", 1, outcome]);
    assert.notEqual(outcomes[0]!.message, "");
    assert.equal(fake.memory.get(OTHER), THIRD);
    const sent = fake.log.findIndex((line) => line.startsWith("set "));
    const died = spoil === "die" || spoil === "last_words";
    if (sent >= 0 && !died) {
      const done = fake.log.lastIndexOf(`commit ssl cert ${NAME}`);
      const aborted = fake.log.includes(`abort ssl cert ${NAME}`, sent);
      assert.ok(aborted || done >= 0, fake.log.join("\n"));
    }
    if (died) return;
    assert.equal(fake.transaction, undefined, "no transaction is left");
    assert.equal(fake.memory.get(NAME), OLD);
    assert.doesNotMatch(outcomes[0]!.message, /may still serve/);
  });
}

Deno.test("swapCertificate() says so when not even the way back works", async () => {
  await using fake = await startFake({ [NAME]: OLD });
  fake.spoil.set("show#2", "die");
  const { outcomes } = await swap([fake]);
  assert.match(outcomes[0]!.message, /may still serve the new certificate; reload it/);
  assert.equal(fake.memory.get(NAME), NEW, "which is what the message is about");
});

Deno.test("swapCertificate() sends nothing of an old file that is no clean PEM", async () => {
  const table: [previousPem: string | null, reason: RegExp][] = [
    [`${OLD}\nshutdown frontend x\n`, /refused to send PEM to HAProxy: line \d+ is blank/],
    [null, /there is no old certificate to go back to/],
  ];
  for (const [previousPem, reason] of table) {
    await using fake = await startFake({ [NAME]: OLD });
    fake.spoil.set("commit#1", "silent_applied");
    const { state, outcomes } = await swap([fake], { previousPem });
    assert.equal(state, "failed");
    assert.match(outcomes[0]!.message, reason);
    assert.match(outcomes[0]!.message, /may still serve the new certificate/);
    assert.equal(fake.log.filter((line) => line.startsWith("set")).length, 1);
    assert.ok(!fake.log.some((line) => line.startsWith("shutdown")));
  }
});

Deno.test("swapCertificate() does without a look at the transaction, not with a wrong one", async () => {
  await using fake = await startFake({ [NAME]: OLD });
  fake.spoil.set("pending#1", { say: "Can't display the certificate: Not found\n\n" });
  assert.equal((await swap([fake])).state, "served");

  await using mixed = await startFake({ [NAME]: OLD, [OTHER]: THIRD });
  mixed.interfere = (step, nth) => {
    if (step === "pending" && nth === 1) mixed.transaction!.pem = THIRD;
  };
  const { state } = await swap([mixed]);
  assert.equal(state, "served");
  assert.equal(mixed.memory.get(NAME), NEW);
  assert.equal(mixed.log.filter((line) => line.startsWith("commit")).length, 1);
});

Deno.test("swapCertificate() tries again when another client changes the content before the commit", async () => {
  await using fake = await startFake({ [NAME]: OLD });
  fake.interfere = (step, nth) => {
    if (step === "commit" && nth === 1) fake.transaction!.pem = THIRD;
  };
  assert.equal((await swap([fake])).state, "served");
  assert.equal(fake.memory.get(NAME), NEW);
});

Deno.test("swapCertificate() fails when HAProxy keeps showing another certificate", async () => {
  await using fake = await startFake({ [NAME]: OLD });
  fake.interfere = (step, nth) => {
    if (step === "commit" && nth <= 3) fake.transaction!.pem = THIRD;
  };
  const { state, outcomes, putBacks } = await swap([fake], { timing: { deadlineMs: 300 } });
  assert.deepEqual([state, outcomes[0]!.outcome, putBacks], ["failed", "not_served", 1]);
  assert.equal(fake.memory.get(NAME), OLD);
});

Deno.test("swapCertificate() aborts at once what a crashed run left of this certificate", async () => {
  await using fake = await startFake({ [NAME]: OLD });
  fake.transaction = { name: NAME, pem: THIRD };
  const { state, outcomes } = await swap([fake], { timing: { patienceMs: 60_000 } });
  assert.equal(state, "served");
  assert.match(outcomes[0]!.message, /aborted a transaction of .*service\.pem/);
  assert.equal(fake.log.filter((line) => line.startsWith("abort")).length, 1);
  assert.equal(fake.log.filter((line) => line === "show ssl cert").length, 2, "it did not wait");
});

Deno.test("swapCertificate() waits for another name's transaction without aborting it", async () => {
  await using fake = await startFake({ [NAME]: OLD, [OTHER]: OLD });
  fake.transaction = { name: OTHER, pem: THIRD };
  fake.interfere = (step, nth) => {
    if (step !== "list" || nth !== 5) return;
    fake.memory.set(OTHER, fake.transaction!.pem);
    fake.transaction = undefined;
  };
  const { state, outcomes } = await swap([fake], { timing: { patienceMs: 60_000 } });
  assert.deepEqual([state, outcomes[0]!.message], ["served", ""]);
  assert.deepEqual([fake.memory.get(NAME), fake.memory.get(OTHER)], [NEW, THIRD]);
  assert.deepEqual(fake.log.filter((line) => line.startsWith("abort")), []);
});

Deno.test("swapCertificate() aborts another name's transaction that stays open, and says so", async () => {
  await using fake = await startFake({ [NAME]: OLD, [OTHER]: OLD });
  fake.transaction = { name: OTHER, pem: THIRD };
  const { state, outcomes } = await swap([fake]);
  assert.equal(state, "served");
  assert.match(outcomes[0]!.message, /aborted a transaction of .*other\.pem that had been left/);
  assert.deepEqual([fake.memory.get(NAME), fake.memory.get(OTHER)], [NEW, OLD]);
});

Deno.test("swapCertificate() gives up, not aborts, while other clients are at work", async () => {
  await using fake = await startFake({ [NAME]: OLD, [OTHER]: OLD });
  fake.interfere = (step, nth) => {
    if (step === "list") fake.transaction = { name: `${OTHER}.${nth}`, pem: THIRD };
  };
  const { state, outcomes } = await swap([fake], { timing: { patienceMs: 300 } });
  assert.deepEqual([state, outcomes[0]!.outcome], ["failed", "busy"]);
  assert.deepEqual(fake.log.filter((line) => line.startsWith("abort")), []);
});

for (const set of ["mixes", "refuses"] as const) {
  Deno.test(`swapCertificate() meets a transaction begun after its look; HAProxy ${set}`, async () => {
    await using fake = await startFake({ [NAME]: OLD, [OTHER]: OLD });
    fake.set = set;
    fake.interfere = (step, nth) => {
      if (step === "set" && nth === 1) fake.transaction = { name: OTHER, pem: THIRD };
      // The other client commits; what it commits must not be our key.
      if (step === "list" && nth === 3 && fake.transaction) {
        fake.memory.set(OTHER, fake.transaction.pem);
        fake.transaction = undefined;
      }
    };
    const { state, outcomes } = await swap([fake]);
    assert.equal(state, "served");
    assert.equal(fake.memory.get(NAME), NEW);
    assert.equal(fake.memory.get(OTHER), set === "mixes" ? OLD : THIRD);
    if (set === "mixes") assert.match(outcomes[0]!.message, /aborted the transaction of .*other/);
  });
}

Deno.test("swapCertificate() says what to do when HAProxy takes NAME.crt for NAME", async () => {
  const name = `${NAME}.crt`;
  await using fake = await startFake({ [NAME]: THIRD, [name]: OLD });
  fake.set = "cuts";
  const { state, outcomes, putBacks } = await swap([fake], { name, timing: { patienceMs: 300 } });
  assert.deepEqual([state, outcomes[0]!.outcome, putBacks], ["failed", "busy", 1]);
  assert.equal(
    outcomes[0]!.message,
    `gave up after 0.3 s: HAProxy before 2.9 takes ${name} for ${NAME}, which it has loaded too: ` +
      "rename one of the two files, also in HAProxy's configuration, and reload HAProxy",
  );
  assert.deepEqual([fake.memory.get(NAME), fake.memory.get(name)], [THIRD, OLD]);
  assert.equal(fake.transaction, undefined);
});

Deno.test("swapCertificate() begins again when another client aborts", async () => {
  await using fake = await startFake({ [NAME]: OLD });
  fake.interfere = (step, nth) => {
    if (step === "commit" && nth === 1) fake.transaction = undefined;
  };
  const { state } = await swap([fake], { timing: { patienceMs: 60_000 } });
  assert.equal(state, "served");
  assert.equal(fake.memory.get(NAME), NEW);
});

/** What HAProxy puts before {@link LOCKED}, of 2.2 to 3.5, and how a swap comes to that step. */
const LOCKABLE: [
  step: Step,
  words: string,
  comesBy?: [`${Step}#${number}`, Spoil],
][] = [
  ["list", "Can't show!\n"],
  ["show", "Can't show!\n"],
  ["pending", "Can't show!\n"],
  ["new", "Can't create a certificate!\n"],
  ["set", "Can't update the certificate!\n"],
  ["commit", "Can't commit the certificate!\n"],
  ["add", ""],
  ["abort", "Can't abort!\n", ["commit#1", { say: "inconsistencies\n\n" }]],
  ["del", "Can't delete!\n", ["add#1", { say: "Can't edit the crt-list: something\n\n" }]],
];

for (const [step, words, comesBy] of LOCKABLE) {
  const added = ["new", "add", "del"].includes(step);
  const fails = comesBy !== undefined;
  const start = async (times: number) => {
    const fake = await startFake({ [OTHER]: THIRD, ...added ? {} : { [NAME]: OLD } });
    if (added) fake.crtLists.set("/etc/haproxy/certs", new Set([OTHER]));
    if (comesBy) fake.spoil.set(...comesBy);
    for (let nth = 1; nth <= times; nth++) {
      fake.spoil.set(`${step}#${nth}`, { say: `${words}${LOCKED}\n` });
    }
    return fake;
  };
  const previousPem = added ? null : OLD;

  Deno.test(`swapCertificate() repeats ${step} while another client holds the lock`, async () => {
    await using fake = await start(2);
    const { state, outcomes } = await swap([fake], { previousPem, timing: { patienceMs: 60_000 } });
    const expected = fails ? ["failed", "refused"] : ["served", added ? "added" : "swapped"];
    assert.deepEqual([state, outcomes[0]!.outcome], expected);
    assert.equal(fake.memory.get(NAME), fails ? (added ? undefined : OLD) : NEW);
    assert.equal(fake.transaction, undefined);
  });

  if (fails) continue;
  Deno.test(`swapCertificate() says who stands in the way when ${step} stays locked`, async () => {
    await using fake = await start(200);
    const timing = { patienceMs: 300, lockedMs: 150 };
    const { outcomes, putBacks } = await swap([fake], { previousPem, timing });
    assert.deepEqual([putBacks, outcomes[0]!.outcome], [1, "busy"]);
    assert.match(
      outcomes[0]!.message,
      /another (?:command of its runtime API|client), or its own ACME, .*: run this again later/,
    );
    assert.equal(fake.memory.get(NAME), added ? undefined : OLD);
    assert.equal(fake.transaction, undefined);
  });
}

Deno.test("readMemory() never takes what is locked for missing", async () => {
  await using fake = await startFake({ [NAME]: OLD });
  const say = `Can't show!\n${LOCKED}\n`;
  fake.spoil.set("show#1", { say });
  assert.deepEqual((await readMemory(fake.socket)).map(({ name }) => name), [NAME]);
  for (let nth = 2; nth < 50; nth++) fake.spoil.set(`show#${nth}`, { say });
  await assert.rejects(readMemory(fake.socket, { lockedMs: 150 }), /locked for 0\.15 s/);
});

Deno.test("swapCertificate() does not take a certificate's subject for the lock", async () => {
  await using fake = await startFake({ [NAME]: OLD });
  const words = LOCKED.trim();
  fake.spoil.set("show#1", { say: `Filename: ${NAME}\nStatus: Used\nSubject: /O=${words}\n\n` });
  assert.equal((await swap([fake], { timing: { lockedMs: 0 } })).state, "served");
});

Deno.test("swapCertificate() with two HAProxys restores the first when the second fails", async () => {
  await using first = await startFake({ [NAME]: OLD });
  await using second = await startFake({ [NAME]: OLD });
  second.spoil.set("commit#1", "silent_applied");
  const { state, outcomes, putBacks } = await swap([first, second]);
  assert.deepEqual([state, putBacks], ["failed", 1]);
  assert.deepEqual(outcomes.map(({ outcome }) => outcome), ["rolled_back", "silent"]);
  assert.deepEqual([first.memory.get(NAME), second.memory.get(NAME)], [OLD, OLD]);
});

Deno.test("swapCertificate() changes nothing when one of its HAProxys does not even answer", async () => {
  await using first = await startFake({ [NAME]: OLD });
  await using second = await startFake({ [NAME]: OLD });
  second.spoil.set("list#1", "hang");
  const { state, outcomes } = await swap([first, second]);
  assert.equal(state, "failed");
  assert.deepEqual(outcomes.map(({ outcome }) => outcome), ["untouched", "timeout"]);
  assert.deepEqual(first.log, ["show ssl cert"]);
});

Deno.test("swapCertificate() keeps the file when a HAProxy is down and no other fails", async () => {
  await using up = await startFake({ [NAME]: OLD });
  const gone = await startFake({});
  await gone[Symbol.asyncDispose]();
  const { state, outcomes, putBacks } = await swap([up, gone]);
  assert.deepEqual([state, putBacks], ["down", 0]);
  assert.deepEqual(outcomes.map(({ outcome }) => outcome), ["swapped", "down"]);
  assert.equal(up.memory.get(NAME), NEW);
});

Deno.test("swapCertificate() sends nothing to an HAProxy that already has the certificate", async () => {
  await using fake = await startFake({ [NAME]: NEW });
  const { outcomes } = await swap([fake], { unchanged: true });
  assert.equal(outcomes[0]!.outcome, "current");
  assert.deepEqual(fake.log, ["show ssl cert", `show ssl cert ${NAME}`, "show ssl crt-list"]);
  // A crash after the rename leaves the file new and the memory old.
  await using behind = await startFake({ [NAME]: OLD });
  const caughtUp = await swap([behind], { unchanged: true, previousPem: NEW });
  assert.equal(caughtUp.outcomes[0]!.outcome, "swapped");
  assert.equal(behind.memory.get(NAME), NEW);
});

Deno.test("swapCertificate() finds the name however slashes are doubled, and no other", async () => {
  const spelled = "/etc/haproxy//certs/service.pem";
  await using fake = await startFake({ [spelled]: OLD });
  assert.equal((await swap([fake])).state, "served");
  assert.equal(fake.memory.get(spelled), NEW);
  await using other = await startFake({ [`${NAME}.rsa`]: OLD });
  const { outcomes, putBacks } = await swap([other]);
  assert.deepEqual([outcomes[0]!.outcome, putBacks], ["unknown_name", 1]);
  assert.match(outcomes[0]!.message, /service\.pem\.rsa.*--haproxy-name/);
});

const ADDING: [step: `${Step}#${number}`, spoil: Spoil, outcome: string][] = [
  ["new#1", "hang", "timeout"],
  ["new#1", "silent_applied", "silent"],
  ["new#1", { say: "Permission denied\n\n" }, "denied"],
  ["set#1", "half", "refused"],
  ["set#1", { say: "The payload is too big.\n\n" }, "too_large"],
  ["commit#1", "silent_applied", "silent"],
  ["add#1", "hang", "timeout"],
  ["add#1", "silent_applied", "silent"],
  ["add#1", { say: "Can't edit the crt-list: something\n\n" }, "refused"],
  ["show#2", "silent", "silent"],
];

for (const [step, spoil, outcome] of ADDING) {
  const what = typeof spoil === "string" ? spoil : JSON.stringify(spoil.say);
  Deno.test(`swapCertificate() removes a new certificate when ${step} goes wrong: ${what}`, async () => {
    await using fake = await startFake({ [OTHER]: THIRD });
    fake.crtLists.set("/etc/haproxy/certs", new Set([OTHER]));
    fake.spoil.set(step, spoil);
    const { state, outcomes, putBacks } = await swap([fake], { previousPem: null });
    assert.deepEqual([state, outcomes[0]!.outcome, putBacks], ["failed", outcome, 1]);
    assert.deepEqual([...fake.memory.keys()], [OTHER]);
    assert.deepEqual([...fake.crtLists.get("/etc/haproxy/certs")!], [OTHER]);
    assert.equal(fake.transaction, undefined);
  });
}

Deno.test("swapCertificate() takes over a new certificate that a crashed run left half made", async () => {
  for (const left of ["", THIRD]) {
    await using fake = await startFake({ [NAME]: left });
    fake.crtLists.set("/etc/haproxy/certs", new Set());
    const { outcomes } = await swap([fake], { previousPem: null });
    assert.equal(outcomes[0]!.outcome, "added");
    assert.equal(fake.memory.get(NAME), NEW);
    assert.deepEqual([...fake.crtLists.get("/etc/haproxy/certs")!], [NAME]);
  }
});

Deno.test("swapCertificate() passes on that the file could not be put back, and undoes nothing", async () => {
  await using first = await startFake({ [NAME]: OLD });
  await using second = await startFake({ [NAME]: OLD });
  second.spoil.set("set#1", "silent");
  const putBack = () => Promise.reject(new Error("cannot write it: no space (ENOSPC)"));
  await assert.rejects(swap([first, second], { putBack }), (error: Error) => {
    assert.match(
      error.message,
      /without an answer; and the old file could not be put back: .*ENOSPC/,
    );
    return true;
  });
  assert.equal(first.memory.get(NAME), NEW, "it agrees with the disk");
});

Deno.test("swapCertificate() never sends a line that could be executed, and restores the file", async () => {
  await using fake = await startFake({ [NAME]: OLD });
  let putBacks = 0;
  const putBack = () => Promise.resolve(void putBacks++);
  const requests: Asked[] = [
    { pem: `${NEW}\nshutdown frontend x\n` },
    { pem: NEW.replace("\n-----END", "\n\nshow info\n-----END") },
    { name: `${NAME};shutdown frontend x` },
    { name: `${NAME} <<\nx` },
  ];
  for (const request of requests) {
    await assert.rejects(swap([fake], { ...request, putBack }), /refused to send|no name for/);
  }
  assert.equal(putBacks, requests.length);
  assert.deepEqual(fake.log, []);
});

Deno.test("swapCertificate() killed at any step is repaired by the next run", async () => {
  await using folder = await temporaryFolder();
  const directory = folder.path;
  const target = `${directory}/service.pem`;
  const source = `${directory}/.new`;
  await Deno.writeTextFile(source, NEW);
  const script = new URL("swap_child.ts", import.meta.url).pathname;
  const spawn = ({ socket }: FakeHaproxy) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-lock", script, target, source, serialOf(NEW_CERTIFICATE!), socket],
      stdout: "piped",
    }).spawn();
  for (const known of [true, false]) {
    let steps = 0;
    for (let killAt = 1; steps === 0; killAt++) {
      assert.ok(killAt < 30, "the run ends by itself some time");
      await Deno.writeTextFile(target, OLD);
      await using fake = await startFake(known ? { [target]: OLD } : {});
      fake.crtLists.set(directory, new Set(known ? [target] : []));
      let seen = 0;
      const first = spawn(fake);
      fake.interfere = () => {
        if (++seen === killAt) first.kill("SIGKILL");
      };
      const { signal } = await first.output();
      if (signal !== "SIGKILL") steps = killAt;
      fake.interfere = undefined;
      const { stdout } = await spawn(fake).output();
      assert.match(new TextDecoder().decode(stdout), /"state":"served"/, `killed at ${killAt}`);
      assert.equal(await Deno.readTextFile(target), NEW);
      assert.equal(fake.memory.get(target), NEW, `killed at ${killAt}`);
      assert.deepEqual([...fake.crtLists.get(directory)!], [target]);
      assert.equal(fake.transaction, undefined);
    }
    assert.ok(steps > 7, `${steps} steps`);
  }
});
