/** What this machine has: files first, then its solvers; and what the handlers make of it. */

import assert from "node:assert/strict";
import type { LogFields } from "../../lib/log.ts";
import type { Answer } from "../../lib/http/answer.ts";
import {
  createChallengePortHandler,
  createPublicChallengeHandler,
} from "../../lib/http/challenge_handler.ts";
import type { LookupResult } from "../../lib/http/lookup_flight.ts";
import { createMetrics } from "../../lib/http/metrics.ts";
import { createOwnTokens, type OwnAnswer, type OwnTokens } from "../../lib/http/own_tokens.ts";
import type { AnswerOutcome } from "../../lib/http/peer_answer.ts";
import { parseRequestHead } from "./whole_head.ts";
import { createSolvers, doubtfulSolvers } from "../../lib/http/solvers.ts";
import { Webroots } from "../../lib/http/webroots.ts";
import { KEY_AUTHORIZATION, latin1, TOKEN } from "./raw_client.ts";
import { peerThat } from "./scripted_peer.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { CLOSED_PORT } from "../closed_port.ts";

const QUESTION = { token: TOKEN, host: "service.example", source: "192.0.2.1" };
const QUIET = { info: () => {}, warn: () => {} };

const say = (text: string) => async (conn: Deno.TcpConn) =>
  void await conn.write(latin1(`HTTP/1.0 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`));
const sayNo = async (conn: Deno.TcpConn) =>
  void await conn.write(latin1("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));

Deno.test("solvers of this machine are asked after the webroots, with the caller's Host", async () => {
  await using folder = await temporaryFolder();
  const webroot = folder.path;
  await using solver = peerThat(say(KEY_AUTHORIZATION));
  const own = createOwnTokens({
    webroots: new Webroots({ log: QUIET }).of([webroot]),
    solvers: createSolvers([solver.address]),
    log: QUIET,
  });
  const address = `127.0.0.1:${solver.address.port}`;
  assert.deepEqual(await own.find(QUESTION), {
    kind: "found",
    body: KEY_AUTHORIZATION,
    fields: { source: "solver", solver: address },
  });
  assert.match(
    solver.requests[0]!,
    /^GET \/\.well-known\/acme-challenge\/[\w-]+ HTTP\/1\.0\r\nHost: service\.example\r\n/,
  );
  await Deno.writeTextFile(`${webroot}/${TOKEN}`, KEY_AUTHORIZATION);
  const found = await own.find(QUESTION);
  assert.deepEqual(found.fields, { source: "own", file: `${webroot}/${TOKEN}` });
  assert.deepEqual(solver.requests.length, 1);
});

Deno.test("a solver that does not listen, or does not have the token, counts as absent", async () => {
  await using no = peerThat(sayNo);
  await using bare = peerThat(say(`${TOKEN}.`));
  await using page = peerThat(say("<html>\n</html>"));
  await using nothing = peerThat(say(""));
  await using broken = peerThat(async (conn) =>
    void await conn.write(latin1("HTTP/1.1 500 Oops\r\n\r\n"))
  );
  // Caddy's answer to every request that is not for one of its own challenges.
  await using caddy = peerThat(async (conn) =>
    void await conn.write(latin1("HTTP/1.1 308 Moved\r\nLocation: https://a.example/\r\n\r\n"))
  );
  await using silent = peerThat((conn) => conn.read(new Uint8Array(1)).then(() => {}));
  await using right = peerThat(say(`${KEY_AUTHORIZATION}\n`));
  const nobody = { hostname: "127.0.0.1", port: CLOSED_PORT };
  const elsewhere = { hostname: "192.0.2.9", port: 80 };
  const table: [{ hostname: string; port: number }[], OwnAnswer["kind"]][] = [
    [[], "absent"],
    [[nobody], "absent"],
    [[elsewhere], "absent"],
    [[no.address], "absent"],
    [[bare.address, nobody], "absent"],
    [[page.address], "absent"],
    [[nothing.address], "absent"],
    [[caddy.address, no.address], "absent"],
    [[caddy.address, right.address], "found"],
    [[broken.address, no.address], "unreadable"],
    [[silent.address, broken.address], "silent"],
    [[silent.address, bare.address, right.address], "found"],
  ];
  for (const [addresses, kind] of table) {
    const own = createOwnTokens({ webroots: [], solvers: createSolvers(addresses), log: QUIET });
    const answer = await own.find(QUESTION);
    assert.deepEqual(answer.kind, kind, JSON.stringify([addresses, answer]));
  }
});

Deno.test("doubtfulSolvers() names every solver whose answer to an invented token is no clear no", async () => {
  const sayToken = (more: string) => async (conn: Deno.TcpConn, request: string) => {
    const [, token = ""] = /challenge\/([\w-]+) /.exec(request)!;
    await say(token + more)(conn);
  };
  const sayRaw = (text: string) => async (conn: Deno.TcpConn) =>
    void await conn.write(latin1(text));
  const table: [string, Parameters<typeof peerThat>[0]][] = [
    ["", sayNo],
    ["", sayRaw("HTTP/1.1 308 Moved\r\nLocation: https://a.example/\r\n\r\n")],
    ["catch_all", sayToken(`.${"x".repeat(43)}`)],
    ["catch_all", sayToken(".")],
    ["catch_all", say("<html>\n</html>")],
    // Its site of that name; others are unknown to it.
    ["catch_all", async (conn, request) => {
      await (/^Host: service\.example\r$/m.test(request) ? say("Hello") : sayNo)(conn);
    }],
    ["empty", say("")],
    ["empty", () => Promise.resolve()],
    ["too_large", say("x".repeat(5_000))],
    ["too_large", sayRaw(`HTTP/1.1 404 No\r\nX: ${"x".repeat(9_000)}\r\n\r\n`)],
    // HAProxy without a rule or a backend for it.
    ["bad_status", sayRaw("HTTP/1.0 503 Service Unavailable\r\n\r\n")],
    ["bad_framing", sayRaw("\x15\x03\x01\0\x02\x02\x46")],
    ["timeout", (conn) => conn.read(new Uint8Array(1)).then(() => {})],
  ];
  for (const [expected, behaviour] of table) {
    await using solver = peerThat(behaviour);
    const named = await doubtfulSolvers([solver.address], { host: "service.example" });
    const outcomes = named.map(({ outcome }) => outcome);
    assert.deepEqual(outcomes, expected === "" ? [] : [expected], String(behaviour));
    // What status it was is only known for a whole answer.
    for (const { outcome, doubt } of named) {
      assert.deepEqual(doubt.includes("answers 200"), outcome === "catch_all", doubt);
      const harms = outcome !== "catch_all" && outcome !== "empty";
      assert.deepEqual(doubt.includes("502 or 504"), harms, doubt);
    }
  }
  const nobody = { hostname: "127.0.0.1", port: CLOSED_PORT };
  assert.deepEqual(await doubtfulSolvers([nobody], { host: "service.example" }), []);
});

Deno.test("a request that comes back from a solver asks no solver again, on either port", async () => {
  await using solver = peerThat(sayNo);
  const own = createOwnTokens({
    webroots: [],
    solvers: createSolvers([solver.address]),
    log: QUIET,
  });
  assert.deepEqual((await publicAnswer(own)).answer.status, 404);
  const via = /\r\nVia: (.*)\r\n/.exec(solver.requests[0]!)![1]!;
  // HAProxy and nginx leave the header as it is, others add themselves.
  for (const back of [via, `${via}, 1.1 front`]) {
    const { answer, asked } = await publicAnswer(own, { via: back });
    assert.deepEqual([answer.status, asked], [404, 0], back);
    const log = { debug: () => {}, error: () => {}, ...QUIET };
    const port = createChallengePortHandler({ own, log });
    assert.deepEqual((await port(head(back), "127.0.0.1", "127.0.0.1")).status, 404);
  }
  assert.deepEqual(solver.requests.length, 1);
  // Another balancer's request is one that solvers are asked for.
  await publicAnswer(own, { via: "1.0 acme-lb" });
  assert.deepEqual(solver.requests.length, 2);
});

Deno.test("few requests go to one solver at a time, shared fairly between sources", async () => {
  let [open, most] = [0, 0];
  const solvers = createSolvers([{ hostname: "127.0.0.1", port: 1 }], {
    ask: async () => {
      most = Math.max(most, ++open);
      await new Promise((resolve) => setTimeout(resolve, 5));
      open--;
      return { outcome: "absent" as AnswerOutcome };
    },
  });
  const flood = Array.from({ length: 60 }, (_, i) => solvers.find({ ...QUESTION, token: `t${i}` }));
  const other = solvers.find({ ...QUESTION, source: "192.0.2.2" });
  assert.deepEqual((await other)[0]!.outcome, "absent");
  await Promise.all(flood);
  assert.ok(most > 1 && most <= 8, String(most));
});

// ---- the handlers

const head = (via = "") => {
  const bytes = latin1(
    `GET /.well-known/acme-challenge/${TOKEN} HTTP/1.1\r\nHost: service.example\r\n${
      via && `Via: ${via}\r\n`
    }\r\n`,
  );
  const parsed = parseRequestHead(bytes);
  assert.ok(parsed.kind === "head");
  return parsed;
};

const ownThat = (kind: OwnAnswer["kind"], after = 0): OwnTokens => ({
  find: async () => {
    if (after > 0) await new Promise((resolve) => setTimeout(resolve, after));
    return kind === "found"
      ? { kind, body: KEY_AUTHORIZATION, fields: { source: "own", file: "/w/tok" } }
      : { kind, fields: { reason: kind } };
  },
});

/** The answer of the public port, its log line, and whether the peers were asked. */
async function publicAnswer(
  own: OwnTokens,
  { verdict = "absent", via = "", after = 0 }: {
    verdict?: LookupResult["verdict"];
    via?: string;
    after?: number;
  } = {},
): Promise<{ answer: Answer; line: LogFields; asked: number }> {
  const lines: LogFields[] = [];
  let asked = 0;
  const note = (_event: string, fields?: LogFields) => void lines.push(fields!);
  const handler = createPublicChallengeHandler({
    own,
    lookup: {
      inFlight: 0,
      find: async () => {
        asked++;
        if (after > 0) await new Promise((resolve) => setTimeout(resolve, after));
        const outcomes: LookupResult["outcomes"] = [{ peer: "192.0.2.2:1", outcome: "absent" }];
        return verdict === "found"
          ? { verdict, body: `${KEY_AUTHORIZATION}\n`, peer: "192.0.2.2:1", outcomes }
          : { verdict, outcomes };
      },
    },
    metrics: createMetrics("test"),
    log: { debug: note, info: note, warn: note, error: note },
  });
  const answer = await handler(head(via), "192.0.2.99");
  return { answer, line: lines[0]!, asked };
}

Deno.test("the public port's status combines the outcomes of this machine and of the peers", async () => {
  const table: [OwnAnswer["kind"], LookupResult["verdict"], number][] = [
    ["absent", "absent", 404],
    ["unreadable", "absent", 502],
    ["silent", "absent", 504],
    ["absent", "failed", 502],
    ["silent", "failed", 502],
    ["unreadable", "timeout", 504],
    ["absent", "overloaded", 503],
    ["silent", "found", 200],
    ["unreadable", "found", 200],
    ["found", "absent", 200],
  ];
  for (const [kind, verdict, status] of table) {
    const { answer } = await publicAnswer(ownThat(kind), { verdict });
    assert.deepEqual(answer.status, status, `${kind} ${verdict}`);
  }
});

Deno.test("peers are asked when own files take long, and the first answer with the token is used", async () => {
  const quick = await publicAnswer(ownThat("found"), { verdict: "found" });
  assert.deepEqual([quick.asked, quick.line.source], [0, "own"]);
  const slow = await publicAnswer(ownThat("silent", 400), { verdict: "found" });
  assert.deepEqual([slow.asked, slow.line.source], [1, "peer"]);
  const late = await publicAnswer(ownThat("found", 150), { verdict: "timeout", after: 600 });
  assert.deepEqual([late.asked, late.line.source, late.answer.status], [1, "own", 200]);
});

Deno.test("a request passed on by acme-lb goes no further, and the log says what was not asked", async () => {
  for (const via of ["1.0 acme-lb", "1.1 nginx, 1.0 acme-lb"]) {
    const { answer, line, asked } = await publicAnswer(ownThat("absent"), {
      verdict: "found",
      via,
    });
    assert.deepEqual([answer.status, asked, line.reason, line.peers], [404, 0, "via", "not_asked"]);
  }
  const found = await publicAnswer(ownThat("found"), { via: "1.0 acme-lb" });
  assert.deepEqual(found.answer.status, 200);
  for (const via of ["1.1 acme-lb0.example", "1.1 front (1.0 acme-lb)", "1.1 x-acme-lb"]) {
    const { asked } = await publicAnswer(ownThat("absent"), { verdict: "found", via });
    assert.deepEqual(asked, 1, via);
  }
});

Deno.test("the challenge port reports only to balancers that it could not read its files", async () => {
  const balancer = "192.0.2.7";
  const balancers = {
    others: () => ({ peers: [], pending: [], unresolved: [] }),
    includes: (address: string) => Promise.resolve(address === balancer),
  };
  const quiet = { debug: () => {}, error: () => {}, ...QUIET };
  for (const kind of ["absent", "unreadable", "silent"] as const) {
    const handler = createChallengePortHandler({
      own: ownThat(kind),
      log: quiet,
      balancers,
      digest: Promise.resolve("0123"),
    });
    for (const from of [balancer, "192.0.2.8", "::ffff:192.0.2.8"]) {
      const { status, headers } = await handler(head(), from, "192.0.2.1");
      const told = /^Acme-Lb-Unreadable: (\w+)\r$/m.exec(headers)?.[1];
      const expected = from === balancer && kind !== "absent" ? kind : undefined;
      assert.deepEqual([status, told], [404, expected], `${kind} ${from}`);
      assert.deepEqual(headers.includes("Acme-Lb-Config: 0123"), from === balancer);
    }
  }
});
