import assert from "node:assert/strict";
import fc from "fast-check";
import { parseRuntimeAddress } from "../lib/runtime_address.ts";

Deno.test("parseRuntimeAddress understands the spellings of HAProxy, socat and acme.sh", () => {
  const table: Record<string, string> = {
    "/run/haproxy/admin.sock": "/run/haproxy/admin.sock",
    "./admin.sock": "./admin.sock",
    "run/admin.sock": "run/admin.sock",
    // HAProxy's configuration.txt, "Address formats".
    "unix@/run/admin.sock": "/run/admin.sock",
    "UNIX@/run/admin.sock": "/run/admin.sock",
    "uxst@/run/admin.sock": "/run/admin.sock",
    "stream+unix@/run/admin.sock": "/run/admin.sock",
    "unix@admin.sock": "./admin.sock",
    "ipv4@127.0.0.1:9999": "127.0.0.1:9999",
    "IPv4@localhost:9999": "localhost:9999",
    "ipv6@::1:9999": "[::1]:9999",
    "ipv6@[::1]:9999": "[::1]:9999",
    "ip@127.0.0.1:9999": "127.0.0.1:9999",
    "tcp@127.0.0.1:9999": "127.0.0.1:9999",
    "tcp4@127.0.0.1:9999": "127.0.0.1:9999",
    "tcp6@2001:db8::1:9999": "[2001:db8::1]:9999",
    // socat's manual, and URLs.
    "UNIX:/run/admin.sock": "/run/admin.sock",
    "unix:/run/admin.sock": "/run/admin.sock",
    "unix:///run/admin.sock": "/run/admin.sock",
    "UNIX-CONNECT:/run/admin.sock": "/run/admin.sock",
    "UNIX-CLIENT:/run/admin.sock": "/run/admin.sock",
    "UNIX:admin.sock": "./admin.sock",
    "TCP:127.0.0.1:9999": "127.0.0.1:9999",
    "tcp:localhost:9999": "localhost:9999",
    "tcp://localhost:9999": "localhost:9999",
    "TCP4:127.0.0.1:9999": "127.0.0.1:9999",
    "TCP-CONNECT:127.0.0.1:9999": "127.0.0.1:9999",
    "TCP6:[::1]:9999": "[::1]:9999",
    "TCP6-CONNECT:[::1]:9999": "[::1]:9999",
    "localhost:9999": "localhost:9999",
    "LB0.example:9999": "lb0.example:9999",
    "unix:9999": "./9999",
    "haproxy_1:9999": "haproxy_1:9999",
    "[::1]:9999": "[::1]:9999",
    "[2001:DB8:0::1]:09999": "[2001:db8::1]:9999",
    "[fe80::1%eth0]:9999": "[fe80::1%eth0]:9999",
    // What is left begins like a prefix again.
    "unix@unix:/x.sock": "./unix:/x.sock",
    "UNIX:tcp@lb0/x.sock": "./tcp@lb0/x.sock",
    "unix@abns@a/x.sock": "./abns@a/x.sock",
    "ipv4@unix-9:9": "unix-9:9",
  };
  for (const [text, address] of Object.entries(table)) {
    assert.equal(parseRuntimeAddress(text), address, text);
    assert.equal(parseRuntimeAddress(address), address, `${text}: once more`);
  }
});

Deno.test("parseRuntimeAddress() refuses other spellings, and names the valid ones", () => {
  const table = [
    ...["", "admin.sock", "9999", ":9999", "*:9999", "::1:9999", "127.0.0.1", "localhost"],
    ...["127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:http", "300.0.0.1:99", "010.0.0.1:99"],
    ...["abns@haproxy", "abnsz@haproxy", "fd@3", "sockpair@4", "rev@x", "quic4@127.0.0.1:99"],
    ...[
      "udp@127.0.0.1:99",
      "uxdg@/run/x.sock",
      "ipv4@[::1]:99",
      "ipv6@127.0.0.1:99",
      "tcp4@[::1]:9",
    ],
    ...["UNIX-LISTEN:/run/x.sock", "GOPEN:/run/x.sock", "OPENSSL:lb0:9999", "EXEC:/bin/sh -c x"],
    ...["http://localhost:9999/", "file:///run/x.sock", "user@lb0:/run/x.sock", "TCP:", "unix@"],
    ...["/run/haproxy/master.sock,mode,600", "UNIX:/run/x.sock,forever", "/run/haproxy/"],
    ...["TCP:127.0.0.1:99,crnl", "[::1]", "[x]:99", "[127.0.0.1]:99", "a b:99"],
    ...["ipv4@unix:9", "TCP:unix-connect:9", "tcp:tcp:9", "tcp:tcp6-connect:9"],
  ];
  for (const text of table) {
    assert.throws(
      () => parseRuntimeAddress(text),
      { name: "SyntaxError", message: /^expected / },
      text,
    );
  }
});

Deno.test("parseRuntimeAddress() gives a path with a slash, HOST:PORT, or a SyntaxError for any text", () => {
  const word = fc.constantFrom(
    ...["unix", "UNIX", "stream+", "-connect", "TCP", "tcp6", "ipv4", "abns", "lb0", "127.0.0.1"],
    ...["@", ":", "/", "//", ".", "::1", "[", "]", ",", "9"],
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 8 }).map((words) => words.join("")),
  );
  const outcomeOf = (text: string) => {
    try {
      return parseRuntimeAddress(text);
    } catch (error) {
      assert.equal((error as Error).name, "SyntaxError");
      return undefined;
    }
  };
  fc.assert(
    fc.property(text, (text) => {
      const address = outcomeOf(text);
      if (address === undefined) return;
      assert.match(address, /\/[^/]+$|^(\[[0-9a-f:.%a-z_-]+\]|[a-z0-9_.-]+):[1-9]\d{0,4}$/i);
      assert.equal(parseRuntimeAddress(address), address);
    }),
    { numRuns: 5000 },
  );
});
