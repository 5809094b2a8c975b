/** Swaps in a real HAProxy, judged by what a TLS handshake gets. */
import assert from "node:assert/strict";
import { askSocket } from "../../lib/haproxy/runtime_socket.ts";
import { swapCertificate, type SwapResult } from "../../lib/haproxy/swap.ts";
import type { SwapRequest } from "../../lib/haproxy/swap_state.ts";
import { issue, issueChain, type Issued } from "../cert/issue.ts";
import { contentOf } from "./leaf_fingerprint.ts";
import {
  hasHaproxy,
  holdLock,
  pemOf,
  type RealHaproxy,
  serialOf,
  startHaproxy,
  type StartOptions,
} from "./real_haproxy.ts";

/** A test with a HAProxy of its own. */
function withHaproxy(
  name: string,
  test: (haproxy: RealHaproxy) => Promise<void>,
  options: StartOptions = {},
): void {
  Deno.test({
    name: `swapCertificate() ${name}`,
    ignore: !hasHaproxy,
    fn: async () => {
      await using haproxy = await startHaproxy(options);
      await test(haproxy);
    },
  });
}

interface Installed extends SwapResult {
  putBacks: number;
  /** For messages of assertions. */
  said: string;
}

/** Writes the file, swaps, and puts the old content back when told to. */
async function install(
  haproxy: RealHaproxy,
  file: string,
  request: { issued: Issued; pem?: string; sockets?: string[] } & Partial<SwapRequest>,
): Promise<Installed> {
  const { issued, pem = pemOf(issued), sockets = [haproxy.worker], ...rest } = request;
  const path = haproxy.path(file);
  const previousPem = await Deno.readTextFile(path).catch(() => undefined);
  await haproxy.write(file, pem);
  let putBacks = 0;
  const result = await swapCertificate({
    sockets,
    name: path,
    content: await contentOf(pem, serialOf(issued)),
    previous: previousPem === undefined ? undefined : await contentOf(previousPem),
    putBack: async () => {
      putBacks++;
      if (previousPem === undefined) await Deno.remove(path);
      else await haproxy.write(file, previousPem);
    },
    ...rest,
  });
  return { ...result, putBacks, said: JSON.stringify(result) };
}

async function noTransaction(haproxy: RealHaproxy): Promise<void> {
  assert.doesNotMatch(await haproxy.ask("show ssl cert"), /# transaction/);
}

withHaproxy("through the worker or the master is served at once, without reload", async (h) => {
  const worker = await h.workerPid();
  for (const sockets of [[h.worker], [h.master], [h.worker, h.master]]) {
    const issued = await issue();
    const { state, said } = await install(h, "certs/default.pem", { issued, sockets });
    assert.equal(state, "served", said);
    assert.equal(await h.servedSerial(), serialOf(issued));
  }
  assert.equal(await h.workerPid(), worker);
  await noTransaction(h);
});

withHaproxy("of RSA and of a long chain is served as well", async (h) => {
  const { leaf, lower, upper } = await issueChain({ names: ["default.example"] });
  const pem = pemOf(leaf) + lower.pem + upper.pem;
  const { state, said } = await install(h, "certs/default.pem", { issued: leaf, pem });
  assert.equal(state, "served", said);
  assert.equal(await h.servedSerial(), serialOf(leaf));
});

withHaproxy("finds a certificate of a crt-list", async (h) => {
  const issued = await issue({ names: ["one.example"] });
  const { outcomes, said } = await install(h, "listed/one.pem", { issued });
  assert.equal(outcomes[0]!.outcome, "swapped", said);
  assert.equal(await h.servedSerial("one.example", h.tlsList), serialOf(issued));
});

withHaproxy(
  "adds a new certificate to its directory, and only swaps it the next time",
  async (h) => {
    for (const outcome of ["added", "swapped"]) {
      const issued = await issue({ names: ["new.example"] });
      const result = await install(h, "certs/new.pem", { issued, sockets: [h.master] });
      assert.equal(result.outcomes[0]!.outcome, outcome, result.said);
      assert.equal(await h.servedSerial("new.example"), serialOf(issued));
    }
    await noTransaction(h);
  },
);

withHaproxy(
  "adds a new certificate to a crt-list, and says what the disk still needs",
  async (h) => {
    const issued = await issue({ names: ["two.example"] });
    const crtList = h.path("list.txt");
    const { outcomes, said } = await install(h, "listed/two.pem", { issued, crtList });
    assert.equal(outcomes[0]!.outcome, "added", said);
    assert.match(outcomes[0]!.message, /add .*two\.pem to the file .*list\.txt too/);
    assert.equal(await h.servedSerial("two.example", h.tlsList), serialOf(issued));
  },
);

withHaproxy("takes over a new certificate that a crashed run made", async (h) => {
  await h.ask(`new ssl cert ${h.path("certs/new.pem")}`);
  const issued = await issue({ names: ["new.example"] });
  const { outcomes, said } = await install(h, "certs/new.pem", { issued });
  assert.equal(outcomes[0]!.outcome, "added", said);
  assert.equal(await h.servedSerial("new.example"), serialOf(issued));
});

withHaproxy("of a key that does not fit changes neither file nor memory", async (h) => {
  const [before, issued, other] = [await h.servedSerial(), await issue(), await issue()];
  const path = h.path("certs/default.pem");
  const file = await Deno.readTextFile(path);
  const pem = other.key.pem + issued.pem;
  const { outcomes, said, ...rest } = await install(h, "certs/default.pem", { issued, pem });
  assert.deepEqual([rest.state, rest.putBacks, outcomes[0]!.outcome], ["failed", 1, "refused"]);
  assert.match(outcomes[0]!.message, /inconsistencies between private key and certificate/, said);
  assert.equal(await h.servedSerial(), before);
  assert.equal(await Deno.readTextFile(path), file);
  await noTransaction(h);
});

withHaproxy(
  "of NAME.crt beside NAME is served, or says what HAProxy before 2.9 does",
  async (h) => {
    const [file, path] = ["both/a.pem.crt", h.path("both/a.pem.crt")];
    const [bind, issued] = [h.path("bind0.sock"), await issue({ names: ["crt.example"] })];
    const before = [
      await h.servedSerial("crt.example", bind),
      await h.servedSerial("a.example", bind),
    ];
    const timing = { patienceMs: 300 };
    const { state, outcomes, said } = await install(h, file, { issued, timing });
    const after = [
      await h.servedSerial("crt.example", bind),
      await h.servedSerial("a.example", bind),
    ];
    if (state === "served") return assert.deepEqual(after, [serialOf(issued), before[1]], said);
    const taken = h.path("both/a.pem");
    assert.equal(outcomes[0]!.outcome, "busy", said);
    assert.match(
      outcomes[0]!.message,
      /: HAProxy before 2\.9 takes .*: rename one of the two files/,
    );
    assert.ok(outcomes[0]!.message.includes(` takes ${path} for ${taken}, which`), said);
    assert.deepEqual(after, before, said);
    await noTransaction(h);
  },
  {
    files: {
      "both/a.pem": pemOf(await issue({ names: ["a.example"] })),
      "both/a.pem.crt": pemOf(await issue({ names: ["crt.example"] })),
    },
    binds: ["crt DIRECTORY/both/"],
  },
);

withHaproxy("waits for a client that holds the lock, or says so", async (h) => {
  const issued = await issue({ names: ["default.example"] });
  using _holder = await holdLock(h);
  const timing = { lockedMs: 150 };
  const early = await install(h, "certs/default.pem", { issued, timing });
  assert.deepEqual([early.state, early.outcomes[0]!.outcome], ["failed", "busy"], early.said);
  assert.match(early.outcomes[0]!.message, /locked for 0\.15 s: run this again later/);
  const { state, said } = await install(h, "certs/default.pem", { issued });
  assert.equal(state, "served", said);
  assert.equal(await h.servedSerial(), serialOf(issued));
}, { global: ["stats timeout 1s"] });

withHaproxy("adds while a client holds the lock", async (h) => {
  const issued = await issue({ names: ["fresh.example"] });
  using _holder = await holdLock(h);
  const { state, outcomes, said } = await install(h, "certs/fresh.pem", { issued });
  assert.deepEqual([state, outcomes[0]!.outcome], ["served", "added"], said);
  assert.equal(await h.servedSerial("fresh.example"), serialOf(issued));
}, { global: ["stats timeout 1s"] });

withHaproxy("at level operator is denied and leaves everything", async (h) => {
  const before = await h.servedSerial();
  const issued = await issue();
  const sockets = [h.operator];
  const { state, outcomes } = await install(h, "certs/default.pem", { issued, sockets });
  assert.deepEqual([state, outcomes[0]!.outcome], ["failed", "denied"]);
  assert.match(outcomes[0]!.message, /level admin/);
  assert.equal(await h.servedSerial(), before);
});

Deno.test({
  name: "swapCertificate() takes the first HAProxy back when the second refuses",
  ignore: !hasHaproxy,
  fn: async () => {
    await using one = await startHaproxy();
    await using two = await startHaproxy();
    const before = await one.servedSerial();
    const issued = await issue();
    const both = { issued, sockets: [one.worker, two.operator] };
    // Both know the name, because the second reads the first one's directory as well.
    await two.ask(`new ssl cert ${one.path("certs/default.pem")}`);
    const { state, outcomes, said } = await install(one, "certs/default.pem", both);
    assert.equal(state, "failed", said);
    assert.deepEqual(outcomes.map(({ outcome }) => outcome), ["rolled_back", "denied"], said);
    assert.equal(await one.servedSerial(), before);
    await noTransaction(one);

    const fresh = { issued, sockets: [one.worker, two.worker] };
    const added = await install(one, "certs/fresh.pem", fresh);
    assert.deepEqual(added.outcomes.map(({ outcome }) => outcome), ["rolled_back", "unknown_name"]);
    assert.doesNotMatch(await one.ask("show ssl cert"), /fresh/);
    assert.doesNotMatch(await one.ask(`show ssl crt-list ${one.path("certs")}`), /fresh/);
  },
});

withHaproxy("ends transactions that were left open, its own name's at once", async (h) => {
  const payload = pemOf(await issue({ names: ["one.example"] }));
  const before = await h.servedSerial("one.example", h.tlsList);
  for (const name of [h.path("certs/default.pem"), h.path("listed/one.pem")]) {
    assert.match(await h.ask(`set ssl cert ${name} <<\n${payload}`), /Transaction created/);
    const issued = await issue();
    const timing = { patienceMs: 500 };
    const { state, outcomes, said } = await install(h, "certs/default.pem", { issued, timing });
    assert.equal(state, "served", said);
    assert.ok(outcomes[0]!.message.includes(`transaction of ${name}`), said);
    assert.equal(await h.servedSerial(), serialOf(issued));
  }
  assert.equal(await h.servedSerial("one.example", h.tlsList), before);
});

withHaproxy("too long for the command buffer is refused, or reloaded by the master", async (h) => {
  const names = Array.from({ length: 700 }, (_, i) => `name-${i}.service.example`);
  const issued = await issue({ names: ["default.example", ...names] });
  assert.ok(pemOf(issued).length > 20_000);
  const before = await h.servedSerial();
  const alone = await install(h, "certs/default.pem", { issued });
  assert.deepEqual([alone.state, alone.outcomes[0]!.outcome], ["failed", "too_large"], alone.said);
  assert.match(alone.outcomes[0]!.message, /tune\.bufsize.*master socket/);
  assert.equal(await h.servedSerial(), before);
  for (const sockets of [[h.worker, h.master], [h.master]]) {
    const { state, outcomes, said } = await install(h, "certs/default.pem", { issued, sockets });
    assert.equal(state, "served", said);
    assert.ok(outcomes.every(({ outcome }) => outcome === "reloaded"), said);
    assert.equal(await h.servedSerial(), serialOf(issued));
  }
});

withHaproxy("of a long certificate is swapped where the buffer is larger", async (h) => {
  const names = Array.from({ length: 700 }, (_, i) => `name-${i}.service.example`);
  const issued = await issue({ names: ["default.example", ...names] });
  const { outcomes, said } = await install(h, "certs/default.pem", { issued });
  assert.equal(outcomes[0]!.outcome, "swapped", said);
  assert.equal(await h.servedSerial(), serialOf(issued));
}, { global: ["tune.bufsize 65536"] });

withHaproxy("of an unknown name is refused, or reloaded by the master", async (h) => {
  const issued = await issue({ names: ["two.example"] });
  const list = await Deno.readTextFile(h.path("list.txt"));
  await h.write("list.txt", `${list}${h.path("listed/two.pem")}\n`);
  const alone = await install(h, "listed/two.pem", { issued });
  assert.equal(alone.outcomes[0]!.outcome, "unknown_name", alone.said);
  assert.equal(alone.putBacks, 1);
  const sockets = [h.worker, h.master];
  const { state, outcomes, said } = await install(h, "listed/two.pem", { issued, sockets });
  assert.equal(state, "served", said);
  assert.deepEqual(outcomes.map(({ outcome }) => outcome), ["reloaded", "reloaded"]);
  assert.equal(await h.servedSerial("two.example", h.tlsList), serialOf(issued));

  const nowhere = await install(h, "listed/nowhere.pem", { issued, sockets: [h.master] });
  assert.deepEqual([nowhere.state, nowhere.outcomes[0]!.outcome], ["failed", "unknown_name"]);
});

withHaproxy("whose reload fails leaves HAProxy serving and the master able", async (h) => {
  const issued = await issue({ names: ["two.example"] });
  const list = await Deno.readTextFile(h.path("list.txt"));
  await h.write("list.txt", `${list}${h.path("listed/two.pem")}\n`);
  await h.write("certs/bad.pem", "no certificate");
  const before = await h.servedSerial();
  const sockets = [h.master];
  const { state, outcomes, said, putBacks } = await install(h, "listed/two.pem", {
    issued,
    sockets,
  });
  assert.deepEqual([state, outcomes[0]!.outcome, putBacks], ["failed", "reload_failed", 1], said);
  assert.equal(await h.servedSerial(), before);
  await Deno.remove(h.path("certs/bad.pem"));
  const again = await install(h, "listed/two.pem", { issued, sockets });
  assert.equal(again.state, "served", again.said);
  assert.equal(await h.servedSerial("two.example", h.tlsList), serialOf(issued));
});

withHaproxy("waits for a master that somebody else reloads at that moment", async (h) => {
  for (let round = 0; round < 3; round++) {
    await askSocket(h.master, "reload");
    const issued = await issue();
    const sockets = [h.master];
    const { state, said } = await install(h, "certs/default.pem", { issued, sockets });
    assert.equal(state, "served", said);
    assert.equal(await h.servedSerial(), serialOf(issued));
  }
});

withHaproxy("executes nothing that hides in PEM or name", async (h) => {
  const issued = await issue();
  const command = "set rate-limit connections global 4321";
  const pems = [
    `${pemOf(issued)}\n${command}\n`,
    pemOf(issued).replace("\n-----END", `\n\n${command}\n-----END`),
    `\n${command}\n${pemOf(issued)}`,
    `${pemOf(issued).replaceAll("\n", "\r\n")}\r\n${command}\r\n`,
  ];
  for (const pem of pems) {
    await assert.rejects(install(h, "certs/default.pem", { issued, pem }), /refused to send PEM/);
  }
  for (const name of [`x;${command}`, `x\n${command}`, `x <<\n\n${command}`]) {
    await assert.rejects(install(h, "certs/default.pem", { issued, name }), /no name for HAProxy/);
  }
  assert.match(await h.ask("show info"), /^ConnRateLimit: 0$/m);
  await noTransaction(h);
  // That HAProxy 2 itself would have executed it is what makes this a test; 3.0 and later do not.
  await h.ask(`set ssl cert ${h.path("certs/default.pem")} <<\n${pems[0]}`);
  const info = await h.ask("show info");
  const executed = /^ConnRateLimit: 4321$/m.test(info);
  assert.ok(executed || /^Version: (?!2\.)/m.test(info), info);
});

withHaproxy("by twenty processes at once leaves memory and disk agreed", async (h) => {
  const path = h.path("certs/default.pem");
  const child = new URL("swap_child.ts", import.meta.url).pathname;
  const issued = await Promise.all(Array.from({ length: 20 }, () => issue()));
  const runs = await Promise.all(issued.map(async (one, index) => {
    const source = await h.write(`new_${index}`, pemOf(one));
    // Some through the master: its lock is another one, so the transactions meet.
    const socket = index % 3 === 0 ? h.master : h.worker;
    const args = ["run", "-A", "--no-lock", child, path, source, serialOf(one), socket];
    return await new Deno.Command(Deno.execPath(), { args }).output();
  }));
  for (const { code, stdout, stderr } of runs) {
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.equal(JSON.parse(new TextDecoder().decode(stdout)).state, "served");
  }
  const text = await Deno.readTextFile(path);
  const last = issued.find((one) => pemOf(one) === text);
  assert.ok(last, "the file is one of the twenty, whole");
  assert.equal(await h.servedSerial(), serialOf(last));
  await noTransaction(h);
});

withHaproxy("by many processes for many targets mixes up no certificates", async (h) => {
  const child = new URL("swap_child.ts", import.meta.url).pathname;
  const names = Array.from({ length: 6 }, (_, i) => `site-${i}`);
  const directories = await Promise.all(names.map(async (name) => {
    await Deno.mkdir(h.path(name));
    const first = await issue({ names: [`${name}.example`] });
    await install(h, `${name}/site.pem`, { issued: first, crtList: h.path("list.txt") });
    return name;
  }));
  // Each in its own directory, so that they share only the socket's lock, or none.
  const served = await Promise.all(directories.map(async (name, index) => {
    const next = await issue({ names: [`${name}.example`] });
    const source = await h.write(`${name}/.next`, pemOf(next));
    const socket = index % 2 === 0 ? h.master : h.worker;
    const path = h.path(`${name}/site.pem`);
    const args = ["run", "-A", "--no-lock", child, path, source, serialOf(next), socket];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.equal(JSON.parse(new TextDecoder().decode(stdout)).state, "served");
    return serialOf(next);
  }));
  for (const [index, name] of directories.entries()) {
    assert.equal(await h.servedSerial(`${name}.example`, h.tlsList), served[index], name);
  }
});
