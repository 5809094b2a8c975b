/** What self-test asks, of whom and how often; names and servers are stood in for. */

import assert from "node:assert/strict";
import { parseConfig } from "../../lib/config/parse_config.ts";
import type { AskOptions } from "../../lib/http/ask.ts";
import { askPaths } from "../../lib/self_test/ask_paths.ts";
import { documentPlan, otherPlaces, randomPlan } from "../../lib/self_test/test_plan.ts";
import { resolveNames } from "../../lib/self_test/resolve_names.ts";
import { answer, pathTo, silence } from "./evidence.ts";

const QUESTIONS = { token: "tok", unknown: "unk", page: "/page" };
const PREFIX = "/.well-known/acme-challenge/";

Deno.test("askPaths() asks each port as the CA or as a peer asks it", async () => {
  const asked: string[] = [];
  const ask = (
    { hostname }: { hostname: string },
    { target, host, as, timeoutMs }: AskOptions,
  ) => {
    asked.push(`${hostname} ${host} ${target} ${as} ${timeoutMs}`);
    return Promise.resolve(hostname === "192.0.2.3" ? silence("timeout", true) : answer(404));
  };
  const paths = [
    pathTo("192.0.2.1"),
    pathTo("192.0.2.2", { port: "challenge" }),
    pathTo("192.0.2.3"),
  ];
  const signal = new AbortController().signal;
  const replies = await askPaths(paths, { questions: QUESTIONS, signal, ask });
  assert.deepEqual(
    asked.sort(),
    [
      `192.0.2.1 service.example ${PREFIX}tok ca 10000`,
      `192.0.2.1 service.example ${PREFIX}unk ca 10000`,
      "192.0.2.1 service.example /page ca 10000",
      `192.0.2.2 service.example ${PREFIX}tok balancer 10000`,
      `192.0.2.2 service.example ${PREFIX}unk balancer 10000`,
      // Without an answer there is nothing more to ask.
      `192.0.2.3 service.example ${PREFIX}tok ca 10000`,
    ].sort(),
  );
  assert.deepEqual(replies.map((one) => Object.keys(one)), [
    ["token", "unknown", "redirect"],
    ["token", "unknown"],
    ["token"],
  ]);
});

Deno.test("askPaths() asks along a bounded number of paths at once", async () => {
  let [now, most] = [0, 0];
  const ask = async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 0));
    now--;
    return silence("refused");
  };
  const paths = Array.from({ length: 200 }, (_, i) => pathTo(`192.0.2.${i}`));
  const signal = new AbortController().signal;
  assert.deepEqual((await askPaths(paths, { questions: QUESTIONS, signal, ask })).length, 200);
  assert.ok(most > 1 && most <= 16, String(most));
});

Deno.test("askPaths() asks a silent address once for any number of names", async () => {
  const asked = new Map<string, number>();
  const fault: Record<string, "timeout" | "refused" | "unreachable" | "reset"> = {
    "192.0.2.2": "timeout",
    "192.0.2.3": "refused",
    "2001:db8::4": "unreachable",
    "192.0.2.5": "reset",
  };
  const ask = ({ hostname }: { hostname: string }) => {
    asked.set(hostname, (asked.get(hostname) ?? 0) + 1);
    const why = fault[hostname];
    return Promise.resolve(why ? silence(why) : answer(404));
  };
  const addresses = ["192.0.2.1", ...Object.keys(fault)];
  const paths = Array.from({ length: 100 }, (_, i) => `c${i}.example`)
    .flatMap((host) => addresses.map((address) => pathTo(address, { host })));
  const signal = new AbortController().signal;
  const replies = await askPaths(paths, { questions: QUESTIONS, signal, ask });
  assert.deepEqual(Object.fromEntries(asked), {
    "192.0.2.1": 300,
    ...Object.fromEntries(Object.keys(fault).map((address) => [address, 1])),
  });
  for (const [i, { address }] of paths.entries()) {
    const { token } = replies[i]!;
    assert.deepEqual("fault" in token ? token.fault : undefined, fault[address.hostname]);
  }
});

Deno.test("askPaths() asks no name more once an address that answered has gone silent", async () => {
  let asked = 0;
  const ask = () => Promise.resolve(++asked <= 3 ? answer(404) : silence("timeout", true));
  const paths = Array.from(
    { length: 200 },
    (_, i) => pathTo("192.0.2.1", { host: `c${i}.example` }),
  );
  const signal = new AbortController().signal;
  const replies = await askPaths(paths, { questions: QUESTIONS, signal, ask });
  assert.ok(asked <= 3 + 16, String(asked));
  assert.deepEqual(replies.filter(({ token }) => !("fault" in token)).length, 1);
});

Deno.test("otherPlaces() has each webroot flat and nested, but for the first one's own", () => {
  const nested = ".well-known/acme-challenge";
  const places = otherPlaces(["/run/a", "/srv/b"]);
  assert.deepEqual(places.map(({ webroot, directory }) => `${webroot} ${directory}`), [
    `/run/a /run/a/${nested}`,
    "/srv/b /srv/b",
    `/srv/b /srv/b/${nested}`,
  ]);
  assert.deepEqual(new Set(places.map(({ token }) => token)).size, 3);
  for (const { token, text } of places) assert.ok(text.startsWith(`${token}.`));
});

Deno.test("randomPlan() has the length of the CA's tokens, a new one each time, with a known prefix", () => {
  const plans = Array.from({ length: 100 }, randomPlan);
  for (const { token, unknown, text, page } of plans) {
    for (const one of [token, unknown]) assert.match(one, /^acme-lb-self-test-[A-Za-z0-9_-]{25}$/);
    assert.match(text, /^[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{43}$/);
    assert.ok(text.startsWith(`${token}.`));
    assert.match(page, /^\/acme-lb-self-test\?from=[A-Za-z0-9_-]{8}$/);
  }
  const all = plans.flatMap(({ token, unknown, text }) => [token, unknown, text]);
  assert.deepEqual(new Set(all).size, 300);
});

Deno.test("documentPlan() names its file after this node, as the article does", () => {
  const config = parseConfig(
    'cluster: { nodes: { lb7: ["192.0.2.7"], lb8.example: ["2001:db8::8"], b.c: ["192.0.2.9"] } }',
    "config.yaml",
  );
  const named = (...machine: string[]) => documentPlan(config, machine).token;
  assert.deepEqual([named("::1", "192.0.2.7"), named("2001:DB8::8"), named("192.0.2.1")], [
    "lb7",
    "lb8",
    "lb0",
  ]);
  assert.deepEqual(documentPlan(config, []).text, "Hello World");
});

Deno.test("resolveNames() asks the DNS for both families, and says why a name has none", async () => {
  const resolve = (name: string, type: "A" | "AAAA") => {
    if (name === "both.example") {
      return Promise.resolve(type === "A" ? ["192.0.2.1"] : ["2001:db8::1"]);
    }
    if (name === "six.example" && type === "AAAA") return Promise.resolve(["2001:db8::1"]);
    if (name === "broken.example") return Promise.reject(new Error("timed\nout"));
    return Promise.reject(new Deno.errors.NotFound("no records"));
  };
  const names = ["*.example", "both.example", "six.example", "none.example", "broken.example"];
  const found = await resolveNames([...names, "[2001:db8::7]", "192.0.2.7"], resolve);
  assert.deepEqual(Object.fromEntries(found), {
    "both.example": { addresses: ["2001:db8::1", "192.0.2.1"] },
    "six.example": { addresses: ["2001:db8::1"] },
    "none.example": {
      addresses: [],
      reason: "it has neither AAAA nor A records, so the CA finds no balancer",
    },
    "broken.example": { addresses: [], reason: "the DNS gave no addresses: timed out" },
    "[2001:db8::7]": { addresses: ["2001:db8::7"] },
    "192.0.2.7": { addresses: ["192.0.2.7"] },
  });
});
