/** Who is asked: everybody in the list but this balancer. */

import assert from "node:assert/strict";
import { comparableAddress, formatSocketAddress, parseSocketAddress } from "../../lib/address.ts";
import { createPeerAddresses, resolvePeers } from "../../lib/http/peer_addresses.ts";
import { MAX_ADDRESSES, PeerNames } from "../../lib/http/peer_names.ts";
import { parsePeer } from "../../lib/peer.ts";

const QUIET = { warn: () => {} };

/** Exact, as the list of the system's interfaces is: it has neither zones nor other spellings. */
const isAmong = (here: string[]) => (address: string) =>
  here.map(comparableAddress).includes(address);

function others(
  peers: string[],
  own: string[],
  here: string[],
): string[] {
  const addresses = createPeerAddresses({
    peers: peers.map(parsePeer),
    own: own.map(parseSocketAddress),
    names: new PeerNames({ log: QUIET }),
    isHere: isAmong(here),
  });
  return addresses.others().peers.map(formatSocketAddress);
}

const FLEET = ["[2001:db8::f001]:31080", "[2001:db8::f002]:31080", "192.0.2.13:31080"];

Deno.test("others() leaves this balancer out by its interfaces and its challenge port", () => {
  const [one, two, three] = FLEET as [string, string, string];
  const table: [string, string[], string[], string[]][] = [
    ["LB0", ["[::]:31080"], ["2001:db8::f001"], [two, three]],
    ["LB0 with another spelling", ["[::]:31080"], ["2001:DB8:0:0::F001"], [two, three]],
    ["LB2 by IPv4", ["[::]:31080"], ["192.0.2.13", "fe80::1"], [one, two]],
    ["LB2 by a mapped address", ["[::]:31080"], ["::ffff:192.0.2.13"], [one, two]],
    ["bound to its own address", ["[2001:db8::f001]:31080"], ["2001:db8::f001"], [two, three]],
    ["bound to another address", ["[2001:db8::9]:31080"], ["2001:db8::f001"], [one, two, three]],
    ["another port", ["[::]:31081"], ["2001:db8::f001"], [one, two, three]],
    ["none of them", ["[::]:31080"], ["2001:db8::f009"], [one, two, three]],
  ];
  const linkLocal = ["[fe80::1%eth0]:31080", "[fe80::2%eth0]:31080"];
  assert.deepEqual(others(linkLocal, ["[::]:31080"], ["fe80::1"]), [linkLocal[1]], "with a zone");
  for (const [name, own, here, expected] of table) {
    assert.deepEqual(others(FLEET, own, here), expected, name);
  }
});

Deno.test("others() asks an address once, and knows all of loopback as its own", () => {
  assert.deepEqual(others([FLEET[0]!, "[2001:db8::F001]:31080"], [], []), [FLEET[0]]);
  assert.deepEqual(
    others(["127.0.0.2:31080", "127.0.0.1:31081"], ["127.0.0.2:31080"], ["127.0.0.1"]),
    ["127.0.0.1:31081"],
  );
});

Deno.test("others() follows an address that is added or removed", () => {
  let here = ["2001:db8::f001"];
  const addresses = createPeerAddresses({
    peers: FLEET.slice(0, 2).map(parsePeer),
    own: [parseSocketAddress("[::]:31080")],
    names: new PeerNames({ log: QUIET }),
    isHere: (hostname) => isAmong(here)(hostname),
  });
  assert.deepEqual(addresses.others().peers.map(formatSocketAddress), [FLEET[1]]);
  here = [];
  assert.deepEqual(addresses.others().peers.length, 2);
});

/** A clock that stands, and a resolver that says what the test lets it say. */
function resolver() {
  const state = {
    now: 0,
    asked: 0,
    answer: (): Promise<string[]> => Promise.reject(new Error("no resolver")),
    warned: [] as unknown[],
  };
  const names = new PeerNames({
    log: { warn: (event, fields) => void state.warned.push([event, fields]) },
    resolve: () => {
      state.asked++;
      return state.answer();
    },
    clock: { now: () => state.now, monotonic: () => state.now, schedule: () => () => {} },
  });
  return { state, names };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("others() never waits for a name: literal peers are listed at once, names when they resolve", async () => {
  const { state, names } = resolver();
  const answer = Promise.withResolvers<string[]>();
  state.answer = () => answer.promise;
  const peers = [...FLEET, "dns:lb.example:31080", "dns:lb.example:31081"].map(parsePeer);
  const addresses = createPeerAddresses({ peers, own: [], names });
  const first = addresses.others();
  assert.deepEqual(first.peers.map(formatSocketAddress), FLEET);
  assert.deepEqual(first.pending.map(({ name }) => name), ["lb.example", "lb.example"]);
  await settle();
  assert.deepEqual([state.asked, first.unresolved], [1, []]);
  // An address that stands there literally is asked once.
  answer.resolve(["192.0.2.13", "192.0.2.77"]);
  const joined = await Promise.all(first.pending.map(({ peers }) => peers));
  assert.deepEqual(joined.map((list) => list!.map(formatSocketAddress)), [
    ["192.0.2.77:31080"],
    ["192.0.2.13:31081", "192.0.2.77:31081"],
  ]);
});

Deno.test("others() keeps the last addresses of a name, and failures, for the next call", async () => {
  const { state, names } = resolver();
  const peers = [parsePeer("dns:lb.example:31080")];
  // Each as after a SIGHUP: the configuration is new, the names are not.
  const got = async () => {
    const one = createPeerAddresses({ peers, own: [], names });
    await Promise.all(one.others().pending.map(({ peers }) => peers));
    await settle();
    const { peers: found, unresolved, pending } = one.others();
    return [...found.map(formatSocketAddress), ...unresolved, ...pending.map(() => "pending")];
  };
  assert.deepEqual(await got(), ["lb.example"]);
  state.answer = () => Promise.resolve(["192.0.2.1", "2001:db8::1"]);
  assert.deepEqual(
    [await got(), state.asked],
    [["lb.example"], 1],
    "a failure is kept for a while",
  );
  state.now += 5_001;
  assert.deepEqual(await got(), ["192.0.2.1:31080", "[2001:db8::1]:31080"]);
  assert.deepEqual([(await got()).length, state.asked], [2, 2], "so are addresses");
  state.now += 60_000;
  state.answer = () => Promise.resolve(["192.0.2.2"]);
  assert.deepEqual(await got(), ["192.0.2.2:31080"]);
  state.now += 60_000;
  state.answer = () => Promise.reject(new Error("no resolver"));
  assert.deepEqual(await got(), ["192.0.2.2:31080"]);
  state.now += 60_000;
  // A resolver that never answers.
  state.answer = () => new Promise(() => {});
  assert.deepEqual(await got(), ["192.0.2.2:31080"]);
});

Deno.test("others() asks no more than 16 addresses of a name, and says so once", async () => {
  const { state, names } = resolver();
  const addresses = createPeerAddresses({
    peers: [parsePeer("dns:many.example:31080")],
    own: [],
    names,
  });
  const many = (count: number) => Array.from({ length: count }, (_, i) => `192.0.2.${i}`);
  const counts: number[] = [];
  for (const count of [16, 17, 17, 200, 16, 200]) {
    state.answer = () => Promise.resolve(many(count));
    state.now += 60_000;
    await Promise.all(addresses.others().pending.map(({ peers }) => peers));
    await settle();
    counts.push(addresses.others().peers.length);
  }
  assert.deepEqual(counts, Array(6).fill(MAX_ADDRESSES));
  assert.deepEqual(
    state.warned,
    [17, 200, 200].map((count) => [
      "too_many_addresses",
      { peer: "dns:many.example", addresses: count, asked: 16 },
    ]),
  );
});

Deno.test("PeerNames has few names resolved at once, however many are asked for", async () => {
  let [open, most] = [0, 0];
  const waiting: (() => void)[] = [];
  const names = new PeerNames({
    log: QUIET,
    resolve: async () => {
      most = Math.max(most, ++open);
      await new Promise<void>((resolve) => waiting.push(resolve));
      open--;
      return ["192.0.2.1"];
    },
  });
  const all = Array.from({ length: 40 }, (_, i) => names.addressesOf(`lb${i}.example`).pending);
  await settle();
  assert.ok(most > 1 && most <= 8, String(most));
  while (waiting.length > 0) {
    waiting.shift()!();
    await settle();
  }
  assert.deepEqual((await Promise.all(all)).length, 40);
});

Deno.test("resolvePeers() resolves a name with the system's resolver, and names what has none", async () => {
  const list = ["dns:localhost:31080", "dns:nobody.invalid:31080", "192.0.2.1:1"].map(parsePeer);
  const { peers, unresolved } = await resolvePeers(list);
  assert.ok(peers.some(({ hostname }) => hostname === "127.0.0.1" || hostname === "::1"));
  assert.ok(peers.some(({ port }) => port === 1));
  assert.deepEqual(unresolved, ["nobody.invalid"]);
});

const STRANGERS = ["192.0.2.14", "2001:db8::f009", "::ffff:192.0.2.14", "::1", "nonsense"];

Deno.test("includes() knows literal peers without the resolver", async () => {
  const { names, state } = resolver();
  state.answer = () => new Promise(() => {});
  const addresses = createPeerAddresses({
    peers: [...FLEET, "dns:lb.example:31080"].map(parsePeer),
    own: [],
    names,
    // The clock does not move, so a wait for the resolver never ends.
    clock: { now: () => 0, monotonic: () => 0, schedule: () => () => {} },
  });
  const known = ["2001:db8::f001", "2001:DB8:0::F001", "::ffff:192.0.2.13", "192.0.2.13"];
  for (const address of known) assert.deepEqual(await addresses.includes(address), true, address);
});

Deno.test("includes() waits for a name for a short time and no longer", async () => {
  const { names, state } = resolver();
  state.answer = () => new Promise(() => {});
  const over = { now: () => 0, monotonic: () => 0 };
  const addresses = createPeerAddresses({
    peers: ["192.0.2.13:31080", "dns:lb.example:31080"].map(parsePeer),
    own: [],
    names,
    clock: { ...over, schedule: (_ms, wake) => (queueMicrotask(wake), () => {}) },
  });
  for (const address of STRANGERS) {
    assert.deepEqual(await addresses.includes(address), false, address);
  }
});

Deno.test("includes() knows a peer by the addresses of its name", async () => {
  const { names, state } = resolver();
  state.answer = () => Promise.resolve(["192.0.2.77", "2001:db8::77"]);
  const peers = ["dns:lb.example:31080"].map(parsePeer);
  const addresses = createPeerAddresses({ peers, own: [], names });
  // The first waits for the resolver, the others find what it said.
  for (const address of ["192.0.2.77", "2001:db8::77", "::ffff:192.0.2.77"]) {
    assert.deepEqual(await addresses.includes(address), true, address);
  }
  for (const address of STRANGERS) {
    assert.deepEqual(await addresses.includes(address), false, address);
  }
});
