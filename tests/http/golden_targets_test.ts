/**
 * What odd targets and odd Hosts get: every row of the measured tables of other servers, as
 * acme-lb answers it on a real socket. A row gives the status, and the Location where there is one.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { createRedirectHandler } from "../../lib/http/redirect_handler.ts";
import { parseRequestHead } from "./whole_head.ts";
import { createLog } from "../../lib/log.ts";
import { exchange, header, KEY_AUTHORIZATION, latin1, publicPort, TOKEN } from "./raw_client.ts";

const PREFIX = "/.well-known/acme-challenge/";

/** [target, status, Location or undefined] with `Host: h.example` */
const TARGETS: [string, number, string?][] = [
  ["/", 301, "https://h.example/"],
  ["/x?y=1&z=%20", 301, "https://h.example/x?y=1&z=%20"],
  ["/a/../b", 301, "https://h.example/a/../b"],
  ["/a%0d%0aSet-Cookie:%20x=1", 301, "https://h.example/a%0d%0aSet-Cookie:%20x=1"],
  ["/a?b=c|d^e{f}`g'", 301, "https://h.example/a?b=c%7Cd%5Ee%7Bf%7D%60g'"],
  ["//evil.example/x", 301, "https://h.example//evil.example/x"],
  [
    "//.well-known//acme-challenge//tok",
    301,
    "https://h.example//.well-known//acme-challenge//tok",
  ],
  ["/%2ewell-known/acme-challenge/tok", 301, "https://h.example/%2ewell-known/acme-challenge/tok"],
  ["/.well-known/acme-challenge", 301, "https://h.example/.well-known/acme-challenge"],
  ["/.well-known/acme-challenging/x", 301, "https://h.example/.well-known/acme-challenging/x"],
  ["/.WELL-KNOWN/acme-challenge/x", 301, "https://h.example/.WELL-KNOWN/acme-challenge/x"],
  [`${PREFIX}${TOKEN}`, 200],
  [`${PREFIX}nosuchtoken`, 404],
  [PREFIX, 404],
  [`${PREFIX}../../etc/passwd`, 404],
  [`${PREFIX}%2e%2e/%2e%2e/etc/passwd`, 404],
  [`${PREFIX}..%2f..%2fetc%2fpasswd`, 404],
  [`${PREFIX}..%5c..%5cx`, 404],
  [`${PREFIX}..\\..\\x`, 404],
  [`${PREFIX}%00`, 404],
  [`${PREFIX}%zz`, 404],
  [`${PREFIX}%c0%ae`, 404],
  [`${PREFIX}${TOKEN}#frag`, 404],
  [`${PREFIX}${TOKEN}?`, 404],
  [`${PREFIX}${TOKEN}?x=1`, 404],
  [`${PREFIX}${TOKEN};x=1`, 404],
  [`${PREFIX}${TOKEN}/`, 404],
  [`${PREFIX}./${TOKEN}`, 404],
  [`${PREFIX}/${TOKEN}`, 404],
  [`${PREFIX}%65vaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA`, 404],
  [`${PREFIX}<script>alert(1)</script>`, 404],
  [`${PREFIX}${"a".repeat(128)}`, 404],
  [`${PREFIX}${"a".repeat(129)}`, 404],
  ["/<script>", 301, "https://h.example/%3Cscript%3E"],
  ["/caf\xc3\xa9", 301, "https://h.example/caf%C3%A9"],
  ["/caf\xe9", 301, "https://h.example/caf%E9"],
  ["/\\evil.example", 301, "https://h.example/%5Cevil.example"],
  ["/x\\y", 301, "https://h.example/x%5Cy"],
  ["/x#y", 301, "https://h.example/x%23y"],
  ['/x"y', 301, "https://h.example/x%22y"],
  ["/a?f[0]=1", 301, "https://h.example/a?f%5B0%5D=1"],
  ["/a?q=100%", 301, "https://h.example/a?q=100%25"],
  ["/a%zz%4", 301, "https://h.example/a%25zz%254"],
  ["/?a=b?c/d:e@f!$&'()*+,;=g~h", 301, "https://h.example/?a=b?c/d:e@f!$&'()*+,;=g~h"],
  ["http://target.example/p", 301, "https://target.example/p"],
  ["HTTP://Target.Example:80/p?q", 301, "https://target.example/p?q"],
  ["http://target.example", 301, "https://target.example/"],
  ["http://target.example//evil.example/x", 301, "https://target.example//evil.example/x"],
  ["http://[2001:DB8::1]/p", 301, "https://[2001:db8::1]/p"],
  ["http:///p", 400],
  ["http://t..example/p", 400],
  ["http://t.example#f", 400],
  ["http:/p", 400],
  ["https://t:444/p", 400],
  ["ftp://t/p", 400],
  ["http://u:p@t/", 400],
  ["javascript://t/%0aalert(1)", 400],
  ["http://t.example\\@evil/p", 400],
  ["file:///etc/passwd", 400],
  ["http://t.example?x=1", 301, "https://t.example/?x=1"],
  [`http://h.example${PREFIX}${TOKEN}`, 404],
  [`HTTP://h.example${PREFIX}${TOKEN}`, 404],
  ["t.example:80", 400],
  ["*", 400],
  ["x", 400],
  ["@evil/", 400],
  ["/a b", 400],
  ["/a\tb", 400],
  ["/a\x01b", 400],
];

/** [Host header lines, HTTP minor version, status, Location or undefined] for the target /x */
const HOSTS: [string[], number, number, string?][] = [
  [["h.example"], 1, 301, "https://h.example/x"],
  [["H.Example"], 1, 301, "https://h.example/x"],
  [["A.Example."], 1, 301, "https://a.example/x"],
  [["h.example:80"], 1, 301, "https://h.example/x"],
  [["h.example:8080"], 1, 301, "https://h.example/x"],
  [["a.example:0"], 1, 301, "https://a.example/x"],
  [["a.example:"], 1, 301, "https://a.example/x"],
  [["localhost"], 1, 301, "https://localhost/x"],
  [["xn--caf-dma.example"], 1, 301, "https://xn--caf-dma.example/x"],
  [["192.0.2.1"], 1, 301, "https://192.0.2.1/x"],
  [["[2001:db8::f003]"], 1, 301, "https://[2001:db8::f003]/x"],
  [["[2001:DB8:0::F003]:80"], 1, 301, "https://[2001:db8::f003]/x"],
  [["h.example"], 0, 301, "https://h.example/x"],
  [[], 1, 400],
  [[], 0, 301, "https://127.0.0.1/x"],
  [[""], 1, 400],
  [[""], 0, 301, "https://127.0.0.1/x"],
  [["a.example", "b.example"], 1, 400],
  [["a.example", "b.example"], 0, 400],
  [["a.example", "a.example"], 1, 400],
  [["a%0d%0aSet-Cookie:x=1"], 1, 400],
  [["a b"], 1, 400],
  [["a, b"], 1, 400],
  [["<script>"], 1, 400],
  [["a:99999"], 1, 400],
  [["a:80abc"], 1, 400],
  [["a:-1"], 1, 400],
  [["::1"], 1, 400],
  [["[::1"], 1, 400],
  [["[fe80::1%25eth0]"], 1, 400],
  [["[fe80::1%eth0]"], 1, 400],
  [["[::g]"], 1, 400],
  [["good@evil.example"], 1, 400],
  [["a.example/evil"], 1, 400],
  [[`a.example${PREFIX}${TOKEN}`], 1, 400],
  [["a.example?x="], 1, 400],
  [["a.example#"], 1, 400],
  [["a.example\\evil"], 1, 400],
  [['a"onload=x'], 1, 400],
  [["0x7f.1"], 1, 400],
  [["0x7f000001"], 1, 400],
  [["2130706433"], 1, 400],
  [["1.2.3"], 1, 400],
  [["1.2.3.256"], 1, 400],
  [["01.2.3.4"], 1, 400],
  [["caf\xc3\xa9"], 1, 400],
  [["caf\xe9"], 1, 400],
  [["a".repeat(5000)], 1, 400],
  [[`${"a".repeat(63)}.example`], 1, 301, `https://${"a".repeat(63)}.example/x`],
  [[`${"a".repeat(64)}.example`], 1, 400],
  [["a..example"], 1, 400],
  [[".example"], 1, 400],
  [["."], 1, 400],
  [["-a.example"], 1, 301, "https://-a.example/x"],
  [["a-.example"], 1, 301, "https://a-.example/x"],
  [["a_b.example"], 1, 301, "https://a_b.example/x"],
  [["_dmarc.a.example"], 1, 301, "https://_dmarc.a.example/x"],
  [["a__b.example_"], 1, 301, "https://a__b.example_/x"],
];

Deno.test("the public port gives each target its status and Location", async () => {
  await using server = await publicPort();
  for (const [target, status, location] of TARGETS) {
    const request = `GET ${target} HTTP/1.1\r\nHost: h.example\r\nConnection: close\r\n\r\n`;
    const got = await exchange(server.port, request, { patience: 3000 });
    assert.deepEqual(
      [got.statuses, header(got.text, "location"), got.closed],
      [[status], location, true],
      target,
    );
  }
});

Deno.test("the public port gives each Host its status and Location", async () => {
  await using server = await publicPort();
  for (const [hosts, minor, status, location] of HOSTS) {
    const lines = hosts.map((host) => `Host: ${host}\r\n`).join("");
    const request = `GET /x HTTP/1.${minor}\r\n${lines}Connection: close\r\n\r\n`;
    const got = await exchange(server.port, request, { patience: 3000 });
    assert.deepEqual(
      [got.statuses, header(got.text, "location"), got.closed],
      [[status], location, true],
      `${JSON.stringify(hosts)} in HTTP/1.${minor}`,
    );
  }
});

Deno.test("a malformed Host is refused on a challenge too; HTTP/1.0 may lack it there", async () => {
  await using server = await publicPort();
  const ask = (version: string, host: string) =>
    exchange(server.port, `GET ${PREFIX}${TOKEN} ${version}\r\n${host}Connection: close\r\n\r\n`);
  assert.deepEqual((await ask("HTTP/1.1", "Host: a/b\r\n")).statuses, [400]);
  assert.deepEqual((await ask("HTTP/1.1", "")).statuses, [400]);
  assert.deepEqual((await ask("HTTP/1.0", "")).statuses, [200]);
});

Deno.test("an absolute target's authority replaces the Host, which must be valid all the same", async () => {
  await using server = await publicPort({ hosts: ["service.example"] });
  const table: [string, string, number][] = [
    ["http://service.example/x", "other.example", 301],
    ["http://other.example/x", "service.example", 421],
    ["http://service.example/x", "bad..host", 400],
    ["http://service.example/x", "", 301],
  ];
  for (const [target, host, status] of table) {
    const request = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    assert.deepEqual(
      (await exchange(server.port, request)).statuses,
      [status],
      `${target} ${host}`,
    );
  }
});

Deno.test("a request without Host is redirected to the local address, also when redirect.hosts is set", async () => {
  await using server = await publicPort({ hosts: ["service.example"] });
  const table: [string, number][] = [
    ["OPTIONS / HTTP/1.0\r\n\r\n", 308],
    ["GET / HTTP/1.0\r\n\r\n", 301],
    ["HEAD /check HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\n\r\n", 301],
    ["GET / HTTP/1.1\r\n\r\n", 400],
    ["GET / HTTP/1.0\r\nHost: other.example\r\n\r\n", 421],
  ];
  for (const [request, status] of table) {
    const got = await exchange(server.port, request, { patience: 3000 });
    assert.deepEqual(got.statuses, [status], request);
    const location = header(got.text, "location");
    if (status < 400) assert.deepEqual(location?.startsWith("https://127.0.0.1/"), true, request);
  }
});

Deno.test("any target gets a Location in the characters of RFC 3986, on the same host", () => {
  const redirect = createRedirectHandler({
    status: "auto",
    hosts: [],
    httpsPort: 443,
    log: createLog({ write: () => {} }),
  });
  const visible = fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code));
  fc.assert(fc.property(fc.string({ unit: visible, maxLength: 40 }), (rest) => {
    const request = `GET /${rest} HTTP/1.1\r\nHost: h.example\r\n\r\n`;
    const head = parseRequestHead(latin1(request));
    assert.ok(head.kind === "head");
    const { headers } = redirect(head, "192.0.2.1", "192.0.2.2");
    const location = /^Location: (.*)\r$/m.exec(headers)![1]!;
    assert.match(
      location,
      /^https:\/\/h\.example\/(?:[A-Za-z0-9._~!$&'()*+,;=:@\/?-]|%[0-9A-Fa-f]{2})*$/,
    );
    assert.deepEqual(new URL(location).host, "h.example");
  }));
});

Deno.test("X-Forwarded-Host and HTTP/2 pseudo headers are ignored", async () => {
  await using server = await publicPort();
  const got = await exchange(
    server.port,
    "GET /x HTTP/1.1\r\nHost: h.example\r\nX-Forwarded-Host: evil.example\r\n" +
      "Forwarded: host=evil.example\r\nConnection: close\r\n\r\n",
  );
  assert.deepEqual(header(got.text, "location"), "https://h.example/x");
});

Deno.test("a Host outside the list is 421, but its challenge is answered", async () => {
  await using server = await publicPort({ hosts: ["service.example", "*.b.example"] });
  const table: [string, string, number][] = [
    ["service.example", "/x", 301],
    ["SERVICE.example.:80", "/x", 301],
    ["a.b.example", "/x", 301],
    ["b.example", "/x", 421],
    ["xb.example", "/x", 421],
    ["www.service.example", "/x", 421],
    ["evil.example", "/x", 421],
    ["evil.example", `${PREFIX}${TOKEN}`, 200],
  ];
  for (const [host, target, status] of table) {
    const request = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
    assert.deepEqual((await exchange(server.port, request)).statuses, [status], `${host}${target}`);
  }
});

Deno.test("answers carry the agreed headers and nothing of the request", async () => {
  await using server = await publicPort();
  const ask = (target: string, host = "h.example") =>
    exchange(server.port, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const answers = {
    found: await ask(`${PREFIX}${TOKEN}`),
    absent: await ask(`${PREFIX}MARKER`),
    refused: await ask("/MARKER", "MARKER..example"),
  };
  for (const [name, { text }] of Object.entries(answers)) {
    assert.deepEqual(header(text, "content-type"), "text/plain; charset=utf-8", name);
    assert.deepEqual(header(text, "x-content-type-options"), "nosniff", name);
    assert.deepEqual(header(text, "content-security-policy"), "default-src 'none'; sandbox", name);
    assert.deepEqual(header(text, "cache-control"), "no-store", name);
    assert.ok(!text.includes("MARKER"), name);
  }
  assert.deepEqual(answers.found.text.split("\r\n\r\n")[1], `${KEY_AUTHORIZATION}\n`);
  const redirect = await ask("/x");
  assert.deepEqual(header(redirect.text, "strict-transport-security"), undefined);
  assert.deepEqual(header(redirect.text, "cache-control"), "no-store");
});

Deno.test("the answer to a challenge is one the CA accepts", async () => {
  await using server = await publicPort();
  const request = `GET ${PREFIX}${TOKEN} HTTP/1.1\r\nHost: service.example\r\n` +
    "User-Agent: Mozilla/5.0 (compatible; Let's Encrypt validation server)\r\n" +
    "Accept: */*\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
  const { text, statuses } = await exchange(server.port, request, { patience: 3000 });
  const body = text.slice(text.indexOf("\r\n\r\n") + 4);
  // Boulder, va/http.go: exactly 200, fewer than 128 bytes, trailing white space trimmed.
  assert.deepEqual(statuses, [200]);
  assert.ok(body.length < 128);
  assert.deepEqual(body.trimEnd(), KEY_AUTHORIZATION);
});
