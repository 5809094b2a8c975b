/** Who is asked: everybody in the list but this balancer. */

import { deepStrictEqual } from "node:assert/strict";
import { formatSocketAddress, parseSocketAddress } from "../../lib/address.ts";
import { createPeerAddresses } from "../../lib/http/peer_addresses.ts";
import { parsePeer } from "../../lib/peer.ts";

async function others(
  peers: string[],
  own: string[],
  here: string[],
): Promise<string[]> {
  const addresses = createPeerAddresses({
    peers: peers.map(parsePeer),
    own: own.map(parseSocketAddress),
    interfaceAddresses: () => here,
  });
  return (await addresses.others()).peers.map(formatSocketAddress);
}

const FLEET = ["[2001:db8::f001]:31080", "[2001:db8::f002]:31080", "192.0.2.13:31080"];

Deno.test("others() leaves this balancer out by its interfaces and its challenge port", async () => {
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
  for (const [name, own, here, expected] of table) {
    deepStrictEqual(await others(FLEET, own, here), expected, name);
  }
});

Deno.test("others() asks an address once, and knows all of loopback as its own", async () => {
  deepStrictEqual(await others([FLEET[0]!, "[2001:db8::F001]:31080"], [], []), [FLEET[0]]);
  deepStrictEqual(
    await others(["127.0.0.2:31080", "127.0.0.1:31081"], ["127.0.0.2:31080"], ["127.0.0.1"]),
    ["127.0.0.1:31081"],
  );
});

Deno.test("others() notices an address that comes and goes", async () => {
  let here = ["2001:db8::f001"];
  let now = 0;
  const addresses = createPeerAddresses({
    peers: FLEET.slice(0, 2).map(parsePeer),
    own: [parseSocketAddress("[::]:31080")],
    interfaceAddresses: () => here,
    now: () => now,
  });
  deepStrictEqual((await addresses.others()).peers.map(formatSocketAddress), [FLEET[1]]);
  here = [];
  now = 5000;
  deepStrictEqual((await addresses.others()).peers.length, 2);
});

Deno.test("others() asks all addresses of a name, resolves again, and keeps the last it had", async () => {
  let answer: () => Promise<string[]> = () => Promise.reject(new Error("no resolver"));
  let now = 0;
  let asked = 0;
  const addresses = createPeerAddresses({
    peers: [parsePeer("dns:lb.example:31080")],
    own: [],
    resolve: () => {
      asked++;
      return answer();
    },
    now: () => now,
  });
  const got = async () => {
    await addresses.others(); // Old addresses serve while the resolver is asked.
    await new Promise((resolve) => setTimeout(resolve, 0));
    const { peers, unresolved } = await addresses.others();
    return [...peers.map(formatSocketAddress), ...unresolved];
  };
  deepStrictEqual(await got(), ["lb.example"]);
  answer = () => Promise.resolve(["192.0.2.1", "2001:db8::1"]);
  deepStrictEqual(await got(), ["192.0.2.1:31080", "[2001:db8::1]:31080"]);
  const before = asked;
  deepStrictEqual((await got()).length, 2);
  deepStrictEqual(asked, before, "fresh addresses are not asked for again");
  now += 60_000;
  answer = () => Promise.resolve(["192.0.2.2"]);
  deepStrictEqual(await got(), ["192.0.2.2:31080"]);
  now += 60_000;
  answer = () => Promise.reject(new Error("no resolver"));
  deepStrictEqual(await got(), ["192.0.2.2:31080"]);
});

Deno.test("others() resolves a name with the system's resolver", async () => {
  const addresses = createPeerAddresses({ peers: [parsePeer("dns:localhost:31080")], own: [] });
  const { peers } = await addresses.others();
  deepStrictEqual(
    peers.some(({ hostname }) => hostname === "127.0.0.1" || hostname === "::1"),
    true,
  );
});

Deno.test("includes() knows peers by address, through a dual-stack socket too", async () => {
  const addresses = createPeerAddresses({ peers: FLEET.map(parsePeer), own: [] });
  const table: [string, boolean][] = [
    ["2001:db8::f001", true],
    ["::ffff:192.0.2.13", true],
    ["192.0.2.13", true],
    ["192.0.2.14", false],
    ["2001:db8::f009", false],
  ];
  for (const [address, expected] of table) {
    deepStrictEqual(await addresses.includes(address), expected, address);
  }
});
