/** What a real HAProxy says is in its memory, against what was put there. */

import assert from "node:assert/strict";
import { JobError } from "../../lib/errors.ts";
import { readMemory } from "../../lib/haproxy/loaded_certificates.ts";
import { issue } from "../cert/issue.ts";
import { type Spoil, startFake } from "./fake_haproxy.ts";
import { leafFingerprint } from "./leaf_fingerprint.ts";
import { hasHaproxy, pemOf, serialOf, startHaproxy } from "./real_haproxy.ts";

Deno.test({
  name: "readMemory() tells what HAProxy has, not what the files say, at any of its sockets",
  ignore: !hasHaproxy,
  fn: async () => {
    const [old, young] = [await issue(), await issue()];
    await using haproxy = await startHaproxy({ files: { "certs/a.pem": pemOf(old) } });
    const name = haproxy.path("certs/a.pem");
    const { notBefore, notAfter } = old.certificate;
    const expected = {
      ...{ name, notBefore, notAfter, names: ["service.example"], key: "EC" },
      authority: "CN=service.example",
      serial: serialOf(old),
      fingerprintSha1: await leafFingerprint(old.pem),
      status: "Used",
    };
    await haproxy.write("certs/a.pem", pemOf(young));
    for (const socket of [haproxy.worker, haproxy.operator, haproxy.master]) {
      const loaded = await readMemory(socket);
      assert.partialDeepStrictEqual(loaded.find((one) => one.name === name), expected, socket);
      const names = ["certs/a.pem", "certs/default.pem", "listed/one.pem"].map(haproxy.path);
      assert.deepEqual(loaded.map((one) => one.name).toSorted(), names, socket);
    }
  },
});

Deno.test({
  name: "readMemory() tells of what is loaded but not offered, and of what is empty",
  ignore: !hasHaproxy,
  fn: async () => {
    await using haproxy = await startHaproxy();
    await haproxy.ask("new ssl cert /nowhere/new.pem");
    const loaded = await readMemory(haproxy.worker);
    const { status, serial, fingerprintSha1 } = loaded.find(({ name }) =>
      name === "/nowhere/new.pem"
    )!;
    assert.deepEqual([status, serial, fingerprintSha1], ["Empty", undefined, undefined]);
  },
});

Deno.test("readMemory() sends nothing but show ssl cert", async () => {
  const { pem } = await issue();
  await using fake = await startFake({ "/a.pem": pem, "/b.pem": pem });
  assert.deepEqual((await readMemory(fake.socket)).map(({ name }) => name), ["/a.pem", "/b.pem"]);
  assert.deepEqual(fake.log, ["show ssl cert", "show ssl cert /a.pem", "show ssl cert /b.pem"]);
});

Deno.test("readMemory() does not put a name on the command line that would split there", async () => {
  await using fake = await startFake({ "/a b;shutdown frontend x.pem": "" });
  assert.deepEqual(await readMemory(fake.socket), [
    {
      name: "/a b;shutdown frontend x.pem",
      names: [],
      unasked: `it holds " ", at which HAProxy's command line splits`,
    },
  ]);
  assert.deepEqual(fake.log, ["show ssl cert"]);
});

Deno.test("readMemory() says why there is nothing to read", async () => {
  const { pem } = await issue();
  const table: [what: string, step: "list#1" | "show#1", spoil: Spoil, expected: RegExp][] = [
    ["another program", "list#1", { say: "220 mail ESMTP\n" }, /no HAProxy of 2\.2 or later/],
    ["too low a level", "list#1", { say: "Permission denied\n\n" }, /neither `level operator`/],
    ["that level", "list#1", { say: "Can't allocate memory!\n\n" }, /nor `level admin`$/],
    ["silence", "list#1", "silent", /closed the connection without an answer/],
    ["a hung process", "show#1", "hang", /no complete answer within 0\.3 s/],
    ["a crash", "show#1", "die", /closed the connection without an answer/],
  ];
  for (const [what, step, spoil, expected] of table) {
    await using fake = await startFake({ "/a.pem": pem });
    fake.spoil.set(step, spoil);
    await assert.rejects(readMemory(fake.socket, { deadlineMs: 300 }), (error) => {
      assert.ok(error instanceof JobError, what);
      assert.match(error.message, expected, what);
      return true;
    });
  }
  await assert.rejects(readMemory("/nowhere/admin.sock"), /^JobError: there is no such socket$/);
});
