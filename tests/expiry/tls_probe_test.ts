/** What TLS endpoints of every kind serve, or why they tell nothing, as a probe sees it. */

import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { ProbeFailure, ProbeFault } from "../../lib/expiry/tls_faults.ts";
import {
  type EndpointAnswer,
  probeEndpoint,
  type ProbeOptions,
} from "../../lib/expiry/tls_probe.ts";
import { formatSocketAddress } from "../../lib/address.ts";
import { encodePem } from "../../lib/cert/pem.ts";
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
import { CLOSED_PORT } from "../closed_port.ts";

const HERE = "127.0.0.1";
/** Far beyond what a handshake takes; short where the wait itself is what is tested. */
const [PATIENT, SHORT] = [30_000, 300];

function probe(options: Partial<ProbeOptions> & { port: number }): Promise<EndpointAnswer[]> {
  const deadline = AbortSignal.timeout(PATIENT);
  return probeEndpoint({ ...{ host: HERE, deadline, samples: 2 }, ...options });
}

/** The chain that is told first, or the failure. */
function told(answer: EndpointAnswer): { chain?: Uint8Array[]; failure?: ProbeFailure } {
  return answer.ok ? { chain: answer.kinds[0]!.chains[0]!.chain } : { failure: answer.failure };
}

async function probeOne(
  options: Partial<ProbeOptions> & { port: number },
): Promise<ReturnType<typeof told> & { address: string }> {
  const answers = await probe(options);
  assert.equal(answers.length, 1);
  return { address: answers[0]!.address, ...told(answers[0]!) };
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

strictly(
  "probeEndpoint() sees the certificate whatever version, cipher and key the server has",
  async () => {
    const leaf = await issue();
    const rsa = await issue({ key: await makeKey("RSA") });
    const ofKey = async (algorithm: string, ...options: string[]) => {
      const key = await opensslKey(algorithm, ...options);
      const request = ["-x509", "-subj", "/CN=service.example", "-days", "9", "-key", "/dev/stdin"];
      return { key, pem: await openssl(["req", ...request], key) };
    };
    const any = ["-cipher", "ALL:@SECLEVEL=0"];
    const table: [string, Parameters<typeof startTlsServer>[0], args: string[]][] = [
      ["TLS 1.1", served(leaf), ["-tls1_1", ...any]],
      ["TLS 1.0, RSA", served(rsa), ["-tls1", ...any]],
      ["RSA key exchange", served(rsa), ["-tls1_2", "-cipher", "AES128-GCM-SHA256"]],
      ["DHE alone", served(rsa), ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"]],
      ["a client certificate demanded", served(leaf), ["-tls1_2", "-Verify", "1"]],
      ["AES-256 alone", served(leaf), ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"]],
      ["P-256 alone", served(rsa), ["-tls1_3", "-groups", "P-256"]],
      ["RSA with 1024 bits", await ofKey("RSA", "rsa_keygen_bits:1024"), any],
      ["RSA-PSS", await ofKey("RSA-PSS", "rsa_keygen_bits:2048"), []],
      ["P-521", await ofKey("EC", "ec_paramgen_curve:P-521"), []],
      ["Ed448", await ofKey("ED448"), []],
    ];
    for (const [what, server, args] of table) {
      await using running = await startTlsServer(server, args);
      const { chain, failure } = await probeOne({ port: running.port });
      assert.ok(chain, `${what}: ${failure?.text}`);
      assert.equal(encodePem("CERTIFICATE", chain[0]!), server.pem, what);
    }
  },
  !hasOpenssl,
);

strictly(
  "probeEndpoint() gets both certificates of a server with two kinds of key, under any version",
  async () => {
    const ec = await issue();
    const rsa = await issue({ key: await makeKey("RSA") });
    const directory = await Deno.makeTempDir();
    await Deno.writeTextFile(`${directory}/rsa.pem`, rsa.pem);
    await Deno.writeTextFile(`${directory}/rsa.key`, rsa.key.pem);
    const pair = ["-dcert", `${directory}/rsa.pem`, "-dkey", `${directory}/rsa.key`];
    for (
      const version of [[], ["-tls1_2"], ["-tls1_3"], ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]]
    ) {
      await using server = await startTlsServer(served(ec), [...pair, ...version]);
      const [answer] = await probe({ port: server.port });
      assert.ok(answer?.ok, version[0]);
      assert.deepEqual(answer.failures, []);
      assert.deepEqual(
        answer.kinds.map(({ asked, chains }) => [asked, chains]),
        [
          ["EC", [{ chain: ders(ec), count: 2 }]],
          ["RSA", [{ chain: ders(rsa), count: 2 }]],
        ],
        version[0],
      );
    }
    await Deno.remove(directory, { recursive: true });
  },
  !hasOpenssl,
);

strictly(
  "probeEndpoint() tells several processes behind one port apart, and those that fail",
  async () => {
    const [old, young] = [await issue(), await issue()];
    await using one = await startTlsServer(served(old), ["-tls1_3"]);
    await using other = await startTlsServer(served(young), ["-tls1_2"]);
    const turns = [one.port, other.port, 0];
    let turn = 0;
    let processes = 2;
    await using balancer = listenAt([HERE], async (near) => {
      const port = turns[turn++ % processes]!;
      if (port === 0) return near.close();
      using far = await Deno.connect({ hostname: HERE, port });
      await Promise.race([near.readable.pipeTo(far.writable), far.readable.pipeTo(near.writable)]);
      near.close();
    });
    const { port } = balancer;
    const both = new Set([old, young].map(({ certificate }) => certificate.der.toHex()));
    for (processes of [2, 3]) {
      // Whether the first connection meets the process that hangs up is not ours to choose.
      for (let tries = 0;; tries++) {
        assert.ok(tries < 20);
        const [answer] = await probe({ port, samples: 12 });
        if (!answer?.ok) continue;
        const [{ chains }] = answer.kinds as [(typeof answer.kinds)[0]];
        if (chains.length < 2 || answer.failures.length < processes - 2) continue;
        assert.deepEqual(new Set(chains.map(({ chain }) => chain[0]!.toHex())), both);
        if (processes === 2) assert.deepEqual(answer.failures, []);
        else assert.match(answer.failures[0]!.text, /closed the connection/);
        break;
      }
    }
  },
  !hasOpenssl,
);

strictly("probeEndpoint() notices a server whose key is not that of its certificate", async () => {
  const [one, other] = [await issue(), await issue()];
  // OpenSSL refuses such a pair, so what passes by is exchanged: the certificates have one length.
  const [shown, real] = [one, other].map(({ certificate }) => certificate.der) as [
    Uint8Array,
    Uint8Array,
  ];
  await using server = await startTlsServer(served(other), ["-tls1_2"]);
  await using liar = listenAt([HERE], async (near) => {
    using far = await Deno.connect({ hostname: HERE, port: server.port });
    const exchange = new TransformStream<Uint8Array, Uint8Array>({
      transform(bytes, controller) {
        const hex = bytes.toHex();
        const at = hex.indexOf(real.toHex());
        if (at >= 0 && shown.length === real.length) bytes.set(shown, at / 2);
        controller.enqueue(bytes);
      },
    });
    await Promise.race([
      near.readable.pipeTo(far.writable),
      far.readable.pipeThrough(exchange).pipeTo(near.writable),
    ]);
    near.close();
  });
  const { chain, failure } = await probeOne({ port: liar.port });
  // A signature is now and then a byte shorter.
  if (shown.length === real.length) assert.equal(failure?.fault, "key_mismatch");
  else assert.deepEqual(chain, [real]);
}, !hasOpenssl);

strictly("probeEndpoint() tells what is no TLS, or nothing at all", async () => {
  const text = (words: string) => new TextEncoder().encode(words);
  const afterHello = (answer: Uint8Array, close: boolean): Serve => async (connection) => {
    await connection.read(new Uint8Array(4096));
    await connection.write(answer);
    if (close) connection.close();
  };
  const table: [what: string, serve: Serve, fault: ProbeFault, text: RegExp][] = [
    [
      "HTTP",
      afterHello(text("HTTP/1.1 400 Bad Request\r\n\r\n"), true),
      "no_tls",
      /not speak TLS.*400.*HTTP without/,
    ],
    ...[
      ["SSH-2.0-OpenSSH_9.2\r\n", /SSH\)$/],
      ["220 mail.example ESMTP Postfix\r\n", /mail\.example.*SMTP.*STARTTLS/],
      ["220 ProFTPD Server ready\r\n", /FTP, .*AUTH TLS/],
      ["* OK IMAP4rev1 ready\r\n", /IMAP.*STARTTLS/],
      ["+OK POP3 ready\r\n", /POP3.*STLS/],
      ["\x4a\0\0\0\n8.0.36\0", /^it does not speak TLS$/],
    ].map(([greeting, expected]) => {
      const serve: Serve = (connection) => connection.write(text(greeting as string));
      return [greeting, serve, "no_tls", expected] as [string, Serve, ProbeFault, RegExp];
    }),
    // deno-lint-ignore require-await
    ["a door slammed", async (c) => c.close(), "no_tls", /closed the connection.*PROXY/],
    ["a hang-up", afterHello(new Uint8Array(), true), "no_tls", /closed the connection/],
    ["half a record", afterHello(Uint8Array.of(22, 3, 3, 0), true), "no_tls", /closed the conn/],
    [
      "half a message",
      afterHello(Uint8Array.of(22, 3, 3, 0, 122, 2, 0, 0, 118), true),
      "no_tls",
      /closed the conn/,
    ],
    ["nonsense", afterHello(Uint8Array.of(22, 3, 3, 0, 1, 9, 9), true), "no_tls", /not speak TLS/],
    ["internal_error", afterHello(Uint8Array.of(21, 3, 3, 0, 2, 2, 80), true), "unsupported", /./],
    [
      "unrecognized_name",
      afterHello(Uint8Array.of(21, 3, 3, 0, 2, 2, 112), true),
      "unsupported",
      /give --servername/,
    ],
  ];
  for (const [what, serve, fault, expected] of table) {
    await using server = listenAt([HERE], serve);
    const { failure } = await probeOne({ port: server.port });
    assert.equal(failure?.fault, fault, `${what}: ${failure?.text}`);
    assert.match(failure.text, expected, what);
    assert.doesNotMatch(failure.text, /[.\n]$/, what);
  }
});

strictly(
  "probeEndpoint() tells a server that refuses the name from one that refuses everybody",
  async () => {
    const leaf = await issue();
    await using good = await startTlsServer(served(leaf));
    const alert = (number: number) => Uint8Array.of(21, 3, 3, 0, 2, 2, number);
    const table: [what: string, alert: number, others: boolean, fault: ProbeFault][] = [
      ["unrecognized_name", 112, true, "no_certificate_for_name"],
      ["unrecognized_name, to all", 112, false, "no_certificate_for_name"],
      ["internal_error, as Go", 80, true, "no_certificate_for_name"],
      ["internal_error, to all", 80, false, "unsupported"],
      ["handshake_failure", 40, true, "no_certificate_for_name"],
      ["handshake_failure, to all", 40, false, "unsupported"],
    ];
    for (const [what, number, others, fault] of table) {
      await using server = listenAt([HERE], async (near) => {
        const hello = new Uint8Array(4096);
        const count = await near.read(hello);
        const asked = new TextDecoder("latin1").decode(hello).includes("gone.example");
        if (asked || !others) {
          await near.write(alert(number));
          return near.close();
        }
        using far = await Deno.connect({ hostname: HERE, port: good.port });
        await far.write(hello.subarray(0, count!));
        await Promise.race([
          near.readable.pipeTo(far.writable),
          far.readable.pipeTo(near.writable),
        ]);
        near.close();
      });
      const { failure } = await probeOne({ port: server.port, servername: "gone.example" });
      assert.equal(failure?.fault, fault, `${what}: ${failure?.text}`);
    }
  },
  !hasOpenssl,
);

strictly("probeEndpoint() tells refused from silent, and ends at its deadline", async () => {
  const refused = await probeOne({ port: CLOSED_PORT });
  assert.deepEqual(refused.failure, {
    fault: "unreachable",
    text: "connection refused: nothing listens there",
  });
  await using silent = listenAt([HERE], () => Promise.resolve());
  await using half = listenAt([HERE], (c) => c.write(Uint8Array.of(22, 3, 3, 0)));
  for (const { port } of [silent, half]) {
    const { failure } = await probeOne({ port, deadline: AbortSignal.timeout(SHORT) });
    assert.deepEqual(failure, { fault: "timeout", text: "no TLS handshake in time" });
  }
  const late = await probeOne({ port: silent.port, deadline: AbortSignal.abort() });
  assert.equal(late.failure?.fault, "timeout");
  assert.equal(silent.count, 2, "after the deadline nothing is tried");
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
  const answered = answers.slice(0, 2).map((answer) => told(answer).chain);
  assert.deepEqual(answered, [ders(leaf), ders(leaf)]);
  assert.equal(told(answers[2]!).failure?.fault, "unreachable");
  for (const [family, expected] of [[4, [HERE, "127.0.0.2"]], [6, ["::1"]]] as const) {
    const some = await probe({ host: "service.example", port, resolve, family });
    assert.deepEqual(
      some.map(({ address }) => address),
      expected.map((hostname) => formatSocketAddress({ hostname, port })),
    );
  }
  const none = await probeOne({ host: HERE, port, family: 6 });
  assert.deepEqual(none.failure, { fault: "unreachable", text: "it has no IPv6 address" });
  assert.deepEqual((await probeOne({ host: "::1", port })).chain, ders(leaf));
  const system = await probe({ host: "localhost", port });
  assert.ok(system.some(({ ok }) => ok), "the hosts file is read");
}, !hasOpenssl);

strictly("probeEndpoint() gives one answer for a name without an address", async () => {
  const unknown = Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" });
  const table: [resolve: () => Promise<string[]>, fault: ProbeFault, text: RegExp][] = [
    [() => Promise.reject(unknown), "unreachable", /no address: check its spelling/],
    [() => Promise.reject(new Error("servfail")), "unreachable", /no address: servfail/],
    [() => new Promise(() => {}), "timeout", /not resolved in time/],
  ];
  for (const [resolve, fault, expected] of table) {
    const deadline = AbortSignal.timeout(SHORT);
    const answer = await probeOne({ host: "lb.example", port: 443, resolve, deadline });
    assert.equal(answer.address, "lb.example:443");
    assert.equal(answer.failure?.fault, fault);
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
  assert.deepEqual(
    new Set(answers.map((answer) => told(answer).failure?.fault)),
    new Set(["timeout"]),
  );
  for (let tries = 0; await sockets() > 0; tries++) {
    assert.ok(tries < 100, `${await sockets()} connections are still open`);
    await pause();
  }
});

strictly("probeEndpoint() answers whatever a server says, byte by byte wrong", async () => {
  const { leaf, lower } = await issueChain();
  await using older = await startTlsServer(served(leaf, lower), ["-tls1_2"]);
  await using newer = await startTlsServer(served(leaf, lower), ["-tls1_3"]);
  let server = newer;
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
  for (server of [newer, older]) {
    await fc.assert(
      fc.asyncProperty(flight, async (drawn) => {
        flaw = drawn;
        const deadline = AbortSignal.timeout(1000);
        const { chain, failure } = await probeOne({ port, deadline, samples: 1 });
        // In the clear text of TLS 1.2 only the end of the handshake would notice, which nobody needs.
        if (chain && server === newer) assert.deepEqual(chain, ders(leaf, lower));
        if (!chain) assert.match(failure!.text, /^[^\n]+$/);
      }),
      { numRuns: 100 },
    );
  }
}, !hasOpenssl);
