/** Peers as a configuration names them, and the near misses. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { formatPeer, parsePeer } from "../lib/peer.ts";

Deno.test("parsePeer() reads back what formatPeer() writes", () => {
  const spellings = [
    "[2001:db8::f001]:31080",
    "192.0.2.11:31080",
    "[fe80::1%eth0]:31080",
    "dns:lb0.example:31080",
  ];
  for (const text of spellings) assert.deepEqual(formatPeer(parsePeer(text)), text);
});

Deno.test("parsePeer() brings a peer to the one spelling that can be compared", () => {
  const table: [string, string][] = [
    ["[2001:DB8:0::F001]:31080", "[2001:db8::f001]:31080"],
    ["[2001:db8:0:0:0:0:0:f001]:031", "[2001:db8::f001]:31"],
    ["192.0.2.11:00080", "192.0.2.11:80"],
    ["dns:LB0.Example.:31080", "dns:lb0.example:31080"],
    ["dns:lb0:31080", "dns:lb0:31080"],
    ["dns:192.0.2.11:31080", "dns:192.0.2.11:31080"],
  ];
  for (const [text, spelling] of table) assert.deepEqual(formatPeer(parsePeer(text)), spelling);
});

Deno.test("parsePeer() refuses near misses with what to write instead", () => {
  const forms = "expected [IPv6]:port, IPv4:port or dns:name:port";
  const table: [string, string][] = [
    ["", forms],
    ["31080", forms],
    [":31080", forms],
    ["*:31080", forms],
    ["::1", forms],
    ["2001:db8::f001:31080", forms],
    ["[2001:db8::f001]", forms],
    ["192.0.2.11", forms],
    ["192.0.2.11:", forms],
    ["192.0.2.11:80 ", forms],
    ["192.0.2.11:80\n", forms],
    ["http://192.0.2.11:80", forms],
    ["dns::31080", forms],
    ["dns:lb0", forms],
    ["DNS:lb0:31080", forms],
    ["lb0:31080", "expected an address; for a host name write dns:lb0:31080"],
    ["lb0.example:31080", "expected an address; for a host name write dns:lb0.example:31080"],
    [" 192.0.2.11:80", '" 192.0.2.11" is not an IPv4 address'],
    ["192.0.2.256:80", '"192.0.2.256" is not an IPv4 address'],
    ["192.0.2.011:80", '"192.0.2.011" is not an IPv4 address'],
    ["[192.0.2.11]:80", '"192.0.2.11" is not an IPv6 address'],
    ["[2001:db8::1%eth0]:80", '"2001:db8::1%eth0" is not an IPv6 address'],
    ["dns:_lb0:31080", '"_lb0" is not a host name'],
    ["dns:1.2.3:80", '"1.2.3" is not a host name'],
    ["dns:[::1]:80", '"[::1]" is not a host name'],
    ["dns:lb0:80:31080", '"lb0:80" is not a host name'],
    ["dns:lb0::31080", '"lb0:" is not a host name'],
    ["dns:lb0:65536", "port 65536 is not between 0 and 65535"],
    ["[::1]:65536", "port 65536 is not between 0 and 65535"],
    ["[::1]:0", "port 0 is not a port that can be asked; give the peer's real port"],
    ["192.0.2.11:0", "port 0 is not a port that can be asked; give the peer's real port"],
    ["dns:lb0:00", "port 0 is not a port that can be asked; give the peer's real port"],
    ["[::]:31080", "[::] stands for every address; give an address of the peer"],
    ["[0:0::]:31080", "[::] stands for every address; give an address of the peer"],
    ["0.0.0.0:31080", "0.0.0.0 stands for every address; give an address of the peer"],
    [
      "[::ffff:0.0.0.0]:80",
      "[::ffff:0:0] stands for every address; give an address of the peer",
    ],
  ];
  for (const [text, message] of table) {
    assert.throws(() => parsePeer(text), { name: "SyntaxError", message }, JSON.stringify(text));
  }
});

Deno.test("parsePeer() either refuses a text or gives what formatPeer() writes and it reads again", () => {
  const host = fc.oneof(
    fc.ipV6().map((address) => `[${address}]`),
    fc.ipV4(),
    fc.domain().map((name) => `dns:${name}`),
    fc.string({ unit: fc.constantFrom(..."dns:[].%1aZ-_ "), maxLength: 12 }),
  );
  const text = fc.tuple(host, fc.nat(70_000)).map(([name, port]) => `${name}:${port}`);
  let accepted = 0;
  fc.assert(
    fc.property(text, (given) => {
      let peer;
      try {
        peer = parsePeer(given);
      } catch (error) {
        assert.deepEqual((error as Error).name, "SyntaxError", given);
        return;
      }
      accepted++;
      assert.deepEqual(parsePeer(formatPeer(peer)), peer, given);
      // The port is the last part, after any text.
      assert.deepEqual(peer.port, Number(/\d+$/.exec(given)![0]), given);
    }),
    { numRuns: 3000 },
  );
  // Else the property would hold for a parser that refuses everything.
  assert.deepEqual(accepted > 1000, true, `accepted ${accepted}`);
});
