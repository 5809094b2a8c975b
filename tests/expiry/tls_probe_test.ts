/** What TLS endpoints of every kind serve, or why they tell nothing, as a probe sees it. */

import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  type EndpointAnswer,
  probeEndpoint,
  type ProbeFailure,
  type ProbeOptions,
} from "../../lib/expiry/tls_probe.ts";
import { DAY, issue, issueChain, type Issued, makeKey, NOW } from "../cert/issue.ts";
import { openssl, opensslKey } from "../cert/openssl.ts";
import { hasHaproxy, pemOf, startHaproxy } from "../haproxy/real_haproxy.ts";
import {
  hasOpenssl,
  listenAt,
  type Serve,
  served,
  startTlsServer,
  toSocket,
} from "../http/tls_server.ts";

const HERE = "127.0.0.1";
/** Far beyond what a handshake takes; short where the wait itself is what is tested. */
const [PATIENT, SHORT] = [30_000, 300];

function probe(options: Partial<ProbeOptions> & { port: number }): Promise<EndpointAnswer[]> {
  return probeEndpoint({ host: HERE, deadline: AbortSignal.timeout(PATIENT), ...options });
}

async function probeOne(
  options: Partial<ProbeOptions> & { port: number },
): Promise<EndpointAnswer> {
  const answers = await probe(options);
  assert.equal(answers.length, 1);
  return answers[0]!;
}

/** A test that leaves nothing open behind it. */
function strictly(name: string, fn: () => Promise<void>, ignore = false): void {
  Deno.test({ name, ignore, fn, sanitizeOps: true, sanitizeResources: true });
}

const ders = (...issued: Issued[]) => issued.map(({ certificate }) => certificate.der);
const days = (count: number) => new Date(NOW.getTime() + count * DAY);

strictly("probeEndpoint() sees every certificate as sent, trusted or not", async () => {
  const { leaf, lower, upper, root } = await issueChain();
  const stranger = await issue({ names: ["stranger.example"] });
  const expired = await issue({ notBefore: days(-90), notAfter: days(-1) });
  const future = await issue({ notBefore: days(1), notAfter: days(90) });
  const old = await issue({ issuer: lower, notBefore: days(-90), notAfter: days(-1) });
  const rsa = await issue({ key: await makeKey("RSA") });
  const big = await issue({ key: await makeKey("P-384"), names: ["*.service.example"] });
  const ed = await issue({ key: await makeKey("Ed25519") });
  const table: [what: string, sent: Issued[], args?: string[]][] = [
    ["a chain without its root", [leaf, lower, upper]],
    ["a chain with its root", [leaf, lower, upper, root]],
    ["a chain in disorder, with a stranger and a repetition", [
      leaf,
      upper,
      stranger,
      lower,
      lower,
    ]],
    ["the leaf again", [leaf, leaf]],
    ["a leaf alone", [leaf]],
    ["expired, self-signed", [expired]],
    ["expired, with its chain", [old, lower, upper]],
    ["not yet valid", [future]],
    ["another name", [stranger]],
    ["RSA", [rsa]],
    ["P-384", [big]],
    ["Ed25519", [ed]],
    ["TLS 1.2", [leaf, lower], ["-tls1_2"]],
    ["TLS 1.3", [leaf, lower], ["-tls1_3"]],
    ["a client certificate wanted under TLS 1.3", [leaf], ["-tls1_3", "-Verify", "1"]],
  ];
  for (const [what, [first, ...above], args] of table) {
    await using server = await startTlsServer(served(first!, ...above), args);
    const answer = await probeOne({ port: server.port, servername: "service.example" });
    assert.deepEqual(
      answer,
      { address: `${HERE}:${server.port}`, chain: ders(first!, ...above) },
      what,
    );
  }
}, !hasOpenssl);

strictly("probeEndpoint() says of TLS that it cannot speak that openssl may", async () => {
  const leaf = await issue();
  const rsa = await issue({ key: await makeKey("RSA") });
  const request = [
    "req",
    "-x509",
    "-subj",
    "/CN=service.example",
    "-days",
    "9",
    "-key",
    "/dev/stdin",
  ];
  const weakKey = await opensslKey("RSA", "rsa_keygen_bits:1024");
  const weak = { key: weakKey, pem: await openssl(request, weakKey) };
  const pssKey = await opensslKey("RSA-PSS", "rsa_keygen_bits:2048");
  const pss = { key: pssKey, pem: await openssl(request, pssKey) };
  const any = ["-cipher", "ALL:@SECLEVEL=0"];
  const alike = /no TLS version, cipher or key in common/;
  const table: [string, Parameters<typeof startTlsServer>[0], args: string[], text: RegExp][] = [
    ["TLS 1.1", served(leaf), ["-tls1_1", ...any], alike],
    ["RSA key exchange", served(rsa), ["-tls1_2", "-cipher", "AES128-GCM-SHA256"], alike],
    ["DHE alone", served(rsa), ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], alike],
    ["a client certificate demanded", served(leaf), ["-tls1_2", "-Verify", "1"], alike],
    ["RSA with 1024 bits", weak, any, /a key that this check cannot use/],
    ["RSA-PSS", pss, [], alike],
  ];
  for (const [what, server, args, text] of table) {
    await using running = await startTlsServer(server, args);
    const { failure } = await probeOne({ port: running.port });
    assert.equal(failure?.reason, "unsupported", `${what}: ${failure?.text}`);
    assert.match(failure.text, text, what);
  }
}, !hasOpenssl);

strictly("probeEndpoint() tells what is no TLS, or nothing at all", async () => {
  const text = (words: string) => new TextEncoder().encode(words);
  const afterHello = (answer: Uint8Array, close: boolean): Serve => async (connection) => {
    await connection.read(new Uint8Array(4096));
    await connection.write(answer);
    if (close) connection.close();
  };
  const table: [what: string, serve: Serve, reason: ProbeFailure, text: RegExp][] = [
    ["HTTP", afterHello(text("HTTP/1.1 400 Bad Request\r\n\r\n"), true), "no_tls", /not speak TLS/],
    ["SSH", (c) => c.write(text("SSH-2.0-OpenSSH_9.2\r\n")), "no_tls", /not speak TLS/],
    // deno-lint-ignore require-await
    ["a door slammed", async (c) => c.close(), "no_tls", /closed the connection/],
    ["a hang-up", afterHello(new Uint8Array(), true), "no_tls", /closed the connection/],
    ["half a record", afterHello(Uint8Array.of(22, 3, 3, 0), true), "no_tls", /closed the conn/],
    ["nonsense", afterHello(Uint8Array.of(22, 3, 3, 0, 1, 9, 9), true), "no_tls", /not speak TLS/],
    ["internal_error", afterHello(Uint8Array.of(21, 3, 3, 0, 2, 2, 80), true), "unsupported", /./],
    [
      "unrecognized_name",
      afterHello(Uint8Array.of(21, 3, 3, 0, 2, 2, 112), true),
      "unsupported",
      /no certificate for the name/,
    ],
  ];
  for (const [what, serve, reason, expected] of table) {
    await using server = listenAt([HERE], serve);
    const { failure } = await probeOne({ port: server.port });
    assert.equal(failure?.reason, reason, `${what}: ${failure?.text}`);
    assert.match(failure.text, expected, what);
    assert.doesNotMatch(failure.text, /[.\n]$/, what);
  }
});

strictly("probeEndpoint() tells refused from silent, and ends at its deadline", async () => {
  const closed = Deno.listen({ hostname: HERE, port: 0 });
  closed.close();
  const refused = await probeOne({ port: closed.addr.port });
  assert.deepEqual(refused.failure, {
    reason: "unreachable",
    text: "connection refused: nothing listens there",
  });
  await using silent = listenAt([HERE], () => Promise.resolve());
  await using half = listenAt([HERE], (c) => c.write(Uint8Array.of(22, 3, 3, 0)));
  for (const { port } of [silent, half]) {
    const { failure } = await probeOne({ port, deadline: AbortSignal.timeout(SHORT) });
    assert.deepEqual(failure, { reason: "timeout", text: "no TLS handshake in time" });
  }
  const late = await probeOne({ port: silent.port, deadline: AbortSignal.abort() });
  assert.equal(late.failure?.reason, "timeout");
  assert.equal(silent.count, 1, "after the deadline nothing is tried");
});

strictly("probeEndpoint() asks all addresses of a name, in both families, at once", async () => {
  const leaf = await issue();
  await using server = await startTlsServer(served(leaf));
  const relay: Serve = async (near) => {
    using far = await Deno.connect({ hostname: HERE, port: server.port });
    await Promise.race([near.readable.pipeTo(far.writable), far.readable.pipeTo(near.writable)]);
  };
  await using both = listenAt([HERE, "::1"], relay);
  const { port } = both;
  const resolve = () => Promise.resolve(["::1", HERE, "127.0.0.2"]);
  const answers = await probe({ host: "service.example", port, resolve });
  assert.deepEqual(answers.map(({ address }) => address), [
    `[::1]:${port}`,
    `${HERE}:${port}`,
    `127.0.0.2:${port}`,
  ]);
  assert.deepEqual(answers.slice(0, 2).map(({ chain }) => chain), [ders(leaf), ders(leaf)]);
  assert.equal(answers[2]!.failure?.reason, "unreachable");
  assert.deepEqual((await probeOne({ host: "::1", port })).chain, ders(leaf));
  const system = await probe({ host: "localhost", port });
  assert.ok(system.some(({ chain }) => chain), "the hosts file is read");
}, !hasOpenssl);

strictly("probeEndpoint() gives one answer for a name without an address", async () => {
  const unknown = Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" });
  const table: [resolve: () => Promise<string[]>, reason: ProbeFailure, text: RegExp][] = [
    [() => Promise.reject(unknown), "unreachable", /no address: check its spelling/],
    [() => Promise.reject(new Error("servfail")), "unreachable", /no address: servfail/],
    [() => new Promise(() => {}), "timeout", /not resolved in time/],
  ];
  for (const [resolve, reason, expected] of table) {
    const deadline = AbortSignal.timeout(SHORT);
    const answer = await probeOne({ host: "lb.example", port: 443, resolve, deadline });
    assert.equal(answer.address, "lb.example:443");
    assert.equal(answer.failure?.reason, reason);
    assert.match(answer.failure.text, expected);
  }
});

strictly("probeEndpoint() asks for the name in the handshake, never for an address", async () => {
  const hellos: string[] = [];
  await using server = listenAt([HERE, "::1"], async (connection) => {
    const hello = new Uint8Array(4096);
    const count = await connection.read(hello);
    hellos.push(new TextDecoder("latin1").decode(hello.subarray(0, count ?? 0)));
    connection.close();
  });
  const { port } = server;
  const resolve = () => Promise.resolve([HERE]);
  const NAMES = ["service.example", "other.example", HERE, "::1", "192.0.2.1", "2001:db8::1"];
  const table: [host: string, servername: string | undefined, sni: string | undefined][] = [
    ["service.example", undefined, "service.example"],
    ["service.example", "other.example", "other.example"],
    [HERE, "service.example", "service.example"],
    [HERE, undefined, undefined],
    ["::1", undefined, undefined],
    ["service.example", "192.0.2.1", undefined],
    ["service.example", "2001:db8::1", undefined],
  ];
  for (const [host, servername, sni] of table) {
    await probeOne({ host, servername, port, resolve });
    const sent = NAMES.filter((name) => hellos.at(-1)!.includes(name));
    assert.deepEqual(sent, sni === undefined ? [] : [sni], `${host} ${servername}`);
  }
});

strictly("probeEndpoint() gets from HAProxy the certificate of the name it asks for", async () => {
  const [one, two] = [
    await issue({ names: ["one.example"] }),
    await issue({ names: ["two.example"] }),
  ];
  await using haproxy = await startHaproxy({
    files: { "certs/one.pem": pemOf(one), "certs/two.pem": pemOf(two) },
  });
  await using server = listenAt([HERE], toSocket(haproxy.tls));
  for (const [servername, expected] of [["one.example", one], ["two.example", two]] as const) {
    const { chain } = await probeOne({ port: server.port, servername });
    assert.deepEqual(chain, ders(expected), servername);
  }
}, !hasHaproxy);

strictly("probeEndpoint() leaves no descriptor behind, however many endpoints hang", async () => {
  await using silent = listenAt([HERE], () => Promise.resolve());
  const { port } = silent;
  const many = () =>
    Promise.all(
      Array.from({ length: 60 }, () => probe({ port, deadline: AbortSignal.timeout(2000) })),
    );
  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
  /** Our ends of connections to the port that are established, after the kernel's table. */
  const sockets = async () => {
    const table = await Deno.readTextFile("/proc/self/net/tcp");
    const ours = ` 0100007F:${port.toString(16).toUpperCase().padStart(4, "0")} 01 `;
    return table.split("\n").filter((line) => line.includes(ours)).length;
  };
  const asking = many();
  let seen = 0;
  for (let tries = 0; seen === 0 && tries < 100; tries++) {
    await pause();
    seen = await sockets();
  }
  assert.ok(seen > 0, "none of the connections was seen");
  const answers = (await asking).flat();
  assert.deepEqual(new Set(answers.map(({ failure }) => failure?.reason)), new Set(["timeout"]));
  for (let tries = 0; await sockets() > 0; tries++) {
    assert.ok(tries < 100, `${await sockets()} connections are still open`);
    await pause();
  }
});

strictly("probeEndpoint() answers whatever a server says, byte by byte wrong", async () => {
  const { leaf, lower } = await issueChain();
  await using server = await startTlsServer(served(leaf, lower), ["-tls1_2"]);
  let flaw = { at: 0, xor: 0 };
  await using flawed = listenAt([HERE], async (near) => {
    using far = await Deno.connect({ hostname: HERE, port: server.port });
    let { at } = flaw;
    const spoil = new TransformStream<Uint8Array, Uint8Array>({
      transform(bytes, controller) {
        if (at >= 0 && at < bytes.length) bytes[at]! ^= flaw.xor;
        at -= bytes.length;
        controller.enqueue(bytes);
      },
    });
    await Promise.race([
      near.readable.pipeTo(far.writable),
      far.readable.pipeThrough(spoil).pipeTo(near.writable),
    ]);
    near.close();
  });
  const { port } = flawed;
  const flight = fc.record({ at: fc.nat(1200), xor: fc.integer({ min: 1, max: 255 }) });
  await fc.assert(
    fc.asyncProperty(flight, async (drawn) => {
      flaw = drawn;
      const { chain, failure } = await probeOne({ port, deadline: AbortSignal.timeout(1000) });
      // A flaw behind the handshake does not matter; within it the signatures notice.
      if (chain) assert.deepEqual(chain, ders(leaf, lower));
      else assert.match(failure.text, /^[^\n]+$/);
    }),
    { numRuns: 200 },
  );
}, !hasOpenssl);
