/** All peers at once under one deadline: which answer wins, and what is never done. */

import { deepStrictEqual, ok } from "node:assert/strict";
import type { SocketAddress } from "../../lib/address.ts";
import type { AnswerOutcome, AskPeerOptions, PeerAnswer } from "../../lib/http/peer_answer.ts";
import { createPeerLookup, type LookupLimits } from "../../lib/http/peer_lookup.ts";

const LIMITS: LookupLimits = { fanOuts: 64, perPeer: 32, perSuspectPeer: 2 };
const QUESTION = { token: "tok", host: "h.example", source: "192.0.2.1" };
const RIGHT = `tok.${"k".repeat(43)}`;

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end, { once: true });
  });

/** A peer's part: how long it takes and what it says; `hang` never answers. */
type Part = { after?: number; says: PeerAnswer } | "hang";

const found = (body: string, after?: number): Part => ({ after, says: { outcome: "found", body } });
const says = (outcome: AnswerOutcome, after?: number): Part => ({ after, says: { outcome } });

function lookupAmong(parts: Part[], options: { timeout?: number; limits?: LookupLimits } = {}) {
  const asked: number[] = [];
  const aborted: number[] = [];
  const sockets = { open: 0, most: 0 };
  const lookup = createPeerLookup({
    addresses: {
      others: () =>
        Promise.resolve({
          peers: parts.map((_, port) => ({ hostname: "192.0.2.9", port })),
          unresolved: [],
        }),
      includes: () => Promise.resolve(true),
    },
    connectTimeout: 100,
    timeout: options.timeout ?? 200,
    limits: options.limits ?? LIMITS,
    async ask({ port }: SocketAddress, { signal }: AskPeerOptions): Promise<PeerAnswer> {
      asked.push(port);
      sockets.most = Math.max(sockets.most, ++sockets.open);
      const part = parts[port]!;
      await pause(part === "hang" ? 60_000 : part.after ?? 0, signal);
      sockets.open--;
      if (signal.aborted) aborted.push(port);
      return part === "hang" || signal.aborted ? { outcome: "timeout" } : part.says;
    },
  });
  return { lookup, asked, aborted, sockets, parts };
}

Deno.test("find() judges what the peers said", async () => {
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
    deepStrictEqual([got.verdict, got.body], [verdict, body], name);
  }
});

Deno.test("find() aborts the others once the right answer is there", async () => {
  const { lookup, aborted } = lookupAmong(["hang", found(RIGHT, 10), "hang"], { timeout: 5000 });
  const got = await lookup.find(QUESTION);
  deepStrictEqual(got.outcomes.map(({ outcome }) => outcome), [
    "not_awaited",
    "found",
    "not_awaited",
  ]);
  deepStrictEqual(aborted, [0, 2]);
  deepStrictEqual(lookup.inFlight, 0);
});

Deno.test("find() shares one lookup among those who ask while it is under way, and keeps nothing", async () => {
  const { lookup, asked } = lookupAmong([says("absent", 30), says("absent", 10)]);
  await Promise.all(Array.from({ length: 20 }, () => lookup.find(QUESTION)));
  deepStrictEqual(asked.length, 2);
  await Promise.all([
    lookup.find(QUESTION),
    lookup.find({ ...QUESTION, token: "other" }),
    lookup.find({ ...QUESTION, host: "i.example" }),
  ]);
  deepStrictEqual(asked.length, 2 + 6);
});

Deno.test("find() asks a peer again however often it failed before", async () => {
  const { lookup, parts } = lookupAmong([says("refused"), says("absent")]);
  for (let i = 0; i < 20; i++) deepStrictEqual((await lookup.find(QUESTION)).verdict, "failed");
  parts[0] = found(RIGHT);
  deepStrictEqual((await lookup.find(QUESTION)).verdict, "found");
});

Deno.test("find() opens few sockets to a peer that hung, and all questions pass once it is back", async () => {
  const { lookup, sockets, parts } = lookupAmong(["hang"], { timeout: 100 });
  await lookup.find(QUESTION);
  await new Promise((resolve) => setTimeout(resolve, 0));
  const questions = Array.from({ length: 10 }, (_, i) => ({
    token: `tok${i}`,
    host: undefined,
    source: `192.0.2.${i}`,
  }));
  sockets.most = 0;
  await Promise.all(questions.map((question) => lookup.find(question)));
  deepStrictEqual(sockets.most, LIMITS.perSuspectPeer);
  parts[0] = found("Hello World");
  const got = await Promise.all(questions.map((question) => lookup.find(question)));
  deepStrictEqual(got.map(({ verdict }) => verdict), questions.map(() => "found"));
});

Deno.test("find() lets one source hold a quarter of the lookups, and turns away what waits too long", async () => {
  const limits = { ...LIMITS, fanOuts: 8 };
  const { lookup, parts } = lookupAmong(["hang"], { timeout: 3000, limits });
  const flood = Array.from(
    { length: 50 },
    (_, i) => lookup.find({ token: `flood${i}`, host: undefined, source: "198.51.100.1" }),
  );
  await new Promise((resolve) => setTimeout(resolve, 10));
  deepStrictEqual(lookup.inFlight, 2);
  parts[0] = found(RIGHT);
  // The flood's two are still waiting; the CA's question is answered beside them.
  deepStrictEqual((await lookup.find(QUESTION)).verdict, "found");
  const verdicts = (await Promise.all(flood)).map(({ verdict }) => verdict);
  ok(verdicts.filter((verdict) => verdict === "overloaded").length >= 40, verdicts.join(" "));
});

Deno.test("find() gives up on a resolver that does not answer", async () => {
  const lookup = createPeerLookup({
    addresses: { others: () => new Promise(() => {}), includes: () => Promise.resolve(false) },
    connectTimeout: 50,
    timeout: 100,
    limits: LIMITS,
  });
  deepStrictEqual((await lookup.find(QUESTION)).verdict, "timeout");
});

Deno.test("find() calls a name without addresses unresolved, which is no everybody's no", async () => {
  const lookup = createPeerLookup({
    addresses: {
      others: () => Promise.resolve({ peers: [], unresolved: ["lb9.example"] }),
      includes: () => Promise.resolve(false),
    },
    connectTimeout: 50,
    timeout: 100,
    limits: LIMITS,
  });
  deepStrictEqual(await lookup.find(QUESTION), {
    verdict: "failed",
    outcomes: [{ peer: "dns:lb9.example", outcome: "unresolved" }],
  });
});
