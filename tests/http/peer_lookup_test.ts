/** All peers at once under one deadline: which answer is used, and what must not happen. */

import assert from "node:assert/strict";
import type { SocketAddress } from "../../lib/address.ts";
import type { AnswerOutcome, AskPeerOptions, PeerAnswer } from "../../lib/http/peer_answer.ts";
import type { Others, PeerAddresses } from "../../lib/http/peer_addresses.ts";
import { PeerGates } from "../../lib/http/peer_gate.ts";
import { createPeerLookup, type LookupLimits, type Question } from "../../lib/http/peer_lookup.ts";
import { delay } from "../../lib/time.ts";
import { ManualClock } from "../manual_clock.ts";

const LIMITS: LookupLimits = { fanOuts: 64, perPeer: 32, perSuspectPeer: 2 };
const QUESTION = { token: "tok", host: "h.example", source: "192.0.2.1" };
const RIGHT = `tok.${"k".repeat(43)}`;

/** A peer's part: how long it takes and what it says; `hang` never answers. */
type Part = { after?: number; says: PeerAnswer } | "hang";

const found = (body: string, after?: number): Part => ({ after, says: { outcome: "found", body } });
const says = (outcome: AnswerOutcome, after?: number): Part => ({ after, says: { outcome } });

function among(others: Partial<Others>): PeerAddresses {
  return {
    others: () => ({ peers: [], pending: [], unresolved: [], ...others }),
    includes: () => Promise.resolve(true),
  };
}

function lookupAmong(parts: Part[], options: { timeout?: number; limits?: LookupLimits } = {}) {
  const asked: number[] = [];
  const aborted: number[] = [];
  const sockets = { open: 0, most: 0 };
  /** Open at once to the peer with port 0. */
  const first = { open: 0, most: 0 };
  const clock = new ManualClock();
  const lookup = createPeerLookup({
    addresses: among({ peers: parts.map((_, port) => ({ hostname: "192.0.2.9", port })) }),
    gates: new PeerGates(clock),
    clock,
    connectTimeoutMs: 100,
    timeoutMs: options.timeout ?? 200,
    limits: options.limits ?? LIMITS,
    async ask({ port }: SocketAddress, { signal }: AskPeerOptions): Promise<PeerAnswer> {
      asked.push(port);
      sockets.most = Math.max(sockets.most, ++sockets.open);
      if (port === 0) first.most = Math.max(first.most, ++first.open);
      const part = parts[port]!;
      await delay(part === "hang" ? 60_000 : part.after ?? 0, { signal, clock });
      sockets.open--;
      if (port === 0) first.open--;
      if (signal.aborted) aborted.push(port);
      return part === "hang" || signal.aborted ? { outcome: "timeout" } : part.says;
    },
  });
  return {
    lookup: {
      find: (question: Question) => clock.run(lookup.find(question)),
      get inFlight() {
        return lookup.inFlight;
      },
    },
    pass: (ms: number) => clock.run(delay(ms, { clock })),
    ...{ asked, aborted, sockets, first, parts },
  };
}

Deno.test("find() combines the answers of the peers", async () => {
  const table: [string, Part[], string, string?][] = [
    ["nobody to ask", [], "absent"],
    ["everybody says no", [says("absent"), says("absent", 20)], "absent"],
    ["one has it", [says("absent"), found(RIGHT, 20)], "found", RIGHT],
    ["the right one is slower than a wrong one", [found("lie"), found(RIGHT, 50)], "found", RIGHT],
    ["the right one among the dead", ["hang", "hang", found(RIGHT), "hang"], "found", RIGHT],
    ["only another text", [found("Hello World"), says("absent", 20)], "found", "Hello World"],
    ["another text and a dead peer", [found("Hello World"), "hang"], "found", "Hello World"],
    [
      "a token that is only the beginning",
      [found("token.thumb"), found(RIGHT, 30)],
      "found",
      RIGHT,
    ],
    ["one did not answer", [says("absent"), "hang"], "timeout"],
    ["one failed", [says("absent"), says("refused")], "failed"],
    ["one failed, one did not answer", [says("bad_body"), "hang"], "timeout"],
    ["all are dead", ["hang", "hang"], "timeout"],
  ];
  for (const [name, parts, verdict, body] of table) {
    const got = await lookupAmong(parts).lookup.find(QUESTION);
    assert.deepEqual([got.verdict, got.body], [verdict, body], name);
  }
});

Deno.test("find() aborts the others once the right answer is there", async () => {
  const { lookup, aborted } = lookupAmong(["hang", found(RIGHT, 10), "hang"], { timeout: 5000 });
  const got = await lookup.find(QUESTION);
  assert.deepEqual(got.outcomes.map(({ outcome }) => outcome), [
    "not_awaited",
    "found",
    "not_awaited",
  ]);
  assert.deepEqual(aborted, [0, 2]);
  assert.deepEqual(lookup.inFlight, 0);
});

Deno.test("find() shares a lookup in progress between callers, and caches nothing", async () => {
  const { lookup, asked } = lookupAmong([says("absent", 30), says("absent", 10)]);
  await Promise.all(Array.from({ length: 20 }, () => lookup.find(QUESTION)));
  assert.deepEqual(asked.length, 2);
  await Promise.all([
    lookup.find(QUESTION),
    lookup.find({ ...QUESTION, token: "other" }),
    lookup.find({ ...QUESTION, host: "i.example" }),
  ]);
  assert.deepEqual(asked.length, 2 + 6);
});

Deno.test("find() asks a peer again after any number of failures", async () => {
  const { lookup, parts } = lookupAmong([says("refused"), says("absent")]);
  for (let i = 0; i < 20; i++) assert.deepEqual((await lookup.find(QUESTION)).verdict, "failed");
  parts[0] = found(RIGHT);
  assert.deepEqual((await lookup.find(QUESTION)).verdict, "found");
});

Deno.test("find() opens few sockets to a peer that hung, and asks every question once it is back", async () => {
  const { lookup, pass, sockets, parts } = lookupAmong(["hang"], { timeout: 100 });
  await lookup.find(QUESTION);
  await pass(1);
  const questions = Array.from({ length: 10 }, (_, i) => ({
    token: `tok${i}`,
    host: undefined,
    source: `192.0.2.${i}`,
  }));
  sockets.most = 0;
  await Promise.all(questions.map((question) => lookup.find(question)));
  assert.deepEqual(sockets.most, LIMITS.perSuspectPeer);
  parts[0] = found("Hello World");
  const got = await Promise.all(questions.map((question) => lookup.find(question)));
  assert.deepEqual(got.map(({ verdict }) => verdict), questions.map(() => "found"));
});

Deno.test("find() lets one source hold a quarter of the lookups, and refuses more", async () => {
  const limits = { ...LIMITS, fanOuts: 8 };
  const { lookup, pass, asked, parts } = lookupAmong(["hang"], { timeout: 400, limits });
  const flood = Array.from(
    { length: 100 },
    (_, i) => lookup.find({ token: `flood${i}`, host: undefined, source: "198.51.100.1" }),
  );
  await pass(10);
  assert.deepEqual(asked.length, 2);
  parts[0] = found(RIGHT);
  // The flood's two are still waiting; the CA's question is answered beside them.
  assert.deepEqual((await lookup.find(QUESTION)).verdict, "found");
  const verdicts = (await Promise.all(flood)).map(({ verdict }) => verdict);
  // 64 of a source may wait for their turn.
  assert.deepEqual(verdicts.filter((verdict) => verdict === "overloaded").length, 100 - 2 - 64);
  assert.deepEqual(lookup.inFlight, 0);
});

Deno.test("find() does not suspect a peer that is slow, as long as it answers", async () => {
  const limits = { ...LIMITS, perSuspectPeer: 1 };
  const { lookup, pass, sockets } = lookupAmong([says("absent", 700)], { timeout: 2000, limits });
  const ask = async (i: number) => {
    await pass(100 * i);
    return await lookup.find({ token: `tok${i}`, host: undefined, source: `192.0.2.${i}` });
  };
  const all = await Promise.all(Array.from({ length: 12 }, (_, i) => ask(i)));
  assert.deepEqual([...new Set(all.map(({ verdict }) => verdict))], ["absent"]);
  assert.ok(sockets.most > 2, String(sockets.most));
});

const PEER = { hostname: "192.0.2.9", port: 1 };

/** A lookup with names among the peers; every address says what the test says. */
function lookupWithNames(others: Partial<Others>, says: (port: number) => PeerAnswer) {
  return createPeerLookup({
    addresses: among(others),
    gates: new PeerGates(),
    connectTimeoutMs: 50,
    timeoutMs: 100,
    limits: LIMITS,
    ask: ({ port }) => Promise.resolve(says(port)),
  });
}

Deno.test("find() gives up on a resolver that does not answer, and asks the others meanwhile", async () => {
  const silent = [{ name: "lb9.example", peers: new Promise<undefined>(() => {}) }];
  const name = { peer: "dns:lb9.example", outcome: "unresolved" };
  const alone = lookupWithNames({ pending: silent }, () => ({ outcome: "absent" }));
  assert.deepEqual(await alone.find(QUESTION), { verdict: "failed", outcomes: [name] });
  const beside = { peers: [PEER], pending: silent };
  const holder = lookupWithNames(beside, () => ({ outcome: "found", body: RIGHT }));
  assert.deepEqual((await holder.find(QUESTION)).body, RIGHT);
  const other = lookupWithNames(beside, () => ({ outcome: "absent" }));
  assert.deepEqual(await other.find(QUESTION), {
    verdict: "failed",
    outcomes: [{ peer: "192.0.2.9:1", outcome: "absent" }, name],
  });
});

Deno.test("find() asks the addresses of a name as soon as it resolves", async () => {
  const joining = Promise.resolve([{ hostname: "192.0.2.9", port: 2 }, {
    hostname: "192.0.2.9",
    port: 3,
  }]);
  const lookup = lookupWithNames(
    { peers: [PEER], pending: [{ name: "lb.example", peers: joining }] },
    (port) => port === 3 ? { outcome: "found", body: RIGHT } : { outcome: "absent" },
  );
  const { verdict, peer, outcomes } = await lookup.find(QUESTION);
  assert.deepEqual([verdict, peer], ["found", "192.0.2.9:3"]);
  assert.deepEqual(outcomes.map((one) => one.peer), [
    "192.0.2.9:1",
    "192.0.2.9:2",
    "192.0.2.9:3",
  ]);
});

Deno.test("find() reports a name without addresses as unresolved, which does not count as absent", async () => {
  const name = { peer: "dns:lb9.example", outcome: "unresolved" as const };
  const table: Partial<Others>[] = [
    { unresolved: ["lb9.example"] },
    { pending: [{ name: "lb9.example", peers: Promise.resolve(undefined) }] },
  ];
  for (const others of table) {
    const lookup = lookupWithNames(others, () => ({ outcome: "absent" }));
    assert.deepEqual(await lookup.find(QUESTION), { verdict: "failed", outcomes: [name] });
  }
  // One whose addresses are all this balancer's own, or asked already, says nothing.
  const own = lookupWithNames(
    { peers: [PEER], pending: [{ name: "lb.example", peers: Promise.resolve([]) }] },
    () => ({ outcome: "absent" }),
  );
  assert.deepEqual((await own.find(QUESTION)).verdict, "absent");
});

Deno.test("find() holds no slot while it waits only for suspect peers, so dead peers block no other lookup", async () => {
  const limits = { ...LIMITS, fanOuts: 4, perSuspectPeer: 1 };
  const { lookup, asked, first } = lookupAmong(["hang", says("absent")], { timeout: 400, limits });
  // The first learns that the peer is suspect.
  assert.deepEqual((await lookup.find(QUESTION)).verdict, "timeout");
  const ask = (i: number) =>
    lookup.find({ token: `invented${i}`, host: undefined, source: `2001:db8:${i}::` });
  const flood = Array.from({ length: 200 }, (_, i) => ask(i));
  const verdicts = (await Promise.all(flood)).map(({ verdict }) => verdict);
  assert.deepEqual([...new Set(verdicts)], ["timeout"]);
  // Every question has met the living peer, and the suspect one few.
  assert.deepEqual(asked.filter((port) => port === 1).length, 201);
  assert.deepEqual(first.most, 1);
});

Deno.test("find() waits for a peer that was suspect and answers late the next time", async () => {
  const { lookup, pass, parts, asked } = lookupAmong(["hang", says("absent")], { timeout: 200 });
  assert.deepEqual((await lookup.find(QUESTION)).verdict, "timeout");
  // Too late for the lookup, which waits half the time for a suspect peer; but it is an answer.
  parts[0] = says("absent", 150);
  assert.deepEqual((await lookup.find(QUESTION)).verdict, "timeout");
  await pass(100);
  parts[0] = found(RIGHT, 150);
  assert.deepEqual((await lookup.find(QUESTION)).body, RIGHT);
  assert.deepEqual(asked.filter((port) => port === 0).length, 3);
});

Deno.test("find() uses a plain line only when no key authorization can come", async () => {
  const table: [Part[], string][] = [
    [[found("tok."), found(RIGHT, 30)], RIGHT],
    [[found("tok"), says("absent", 10), found(RIGHT, 30)], RIGHT],
    [[found("Hello World"), found("tok.thumb", 10), says("refused", 20)], "Hello World"],
    [[found("tok.thumb", 10), "hang"], "tok.thumb"],
    [[says("bad_body"), found("line", 20)], "line"],
  ];
  for (const [parts, body] of table) {
    assert.deepEqual((await lookupAmong(parts).lookup.find(QUESTION)).body, body);
  }
});
