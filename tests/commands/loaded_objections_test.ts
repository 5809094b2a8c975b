/** What a running HAProxy holds against what assemble-pem brings: which of both has to wait. */

import assert from "node:assert/strict";
import type { LoadedCertificate } from "../../lib/haproxy/loaded_certificates.ts";
import { memoryObjections, separateKeys } from "../../lib/commands/loaded_objections.ts";
import { HOUR, issue, NOW } from "../cert/issue.ts";

const at = (hours: number) => new Date(NOW.getTime() + hours * HOUR);

function loaded(more: Partial<LoadedCertificate> = {}): LoadedCertificate {
  return {
    ...{ name: "/certs/a.pem", serial: "AB", fingerprintSha1: "OTHER", names: ["a.example"] },
    ...{ notBefore: at(-1), notAfter: at(90 * 24), authority: "CN=CA" },
    ...more,
  };
}

Deno.test("memoryObjections() protects a newer certificate in memory, and no other", async () => {
  const ca = await issue({ commonName: "CA", ca: true });
  const old = await issue({ issuer: ca, notBefore: at(-48), notAfter: at(88 * 24) });
  const table: [what: string, memory: LoadedCertificate, objection: boolean][] = [
    ["ordered by HAProxy's ACME", loaded(), true],
    ["for six days", loaded({ notAfter: at(6 * 24) }), true],
    ["an hour newer", loaded({ notBefore: at(-47) }), true],
    ["of another CA that ends later", loaded({ authority: "CN=Other" }), true],
    ["of another CA that ends earlier", loaded({ authority: "CN=Other", notAfter: at(6) }), false],
    ["older", loaded({ notBefore: at(-72) }), false],
    ["of the same second", loaded({ notBefore: at(-48) }), false],
    ["the same certificate", loaded({ fingerprintSha1: "NEW" }), false],
    ["a placeholder", loaded({ organisation: "acme-lb placeholder" }), false],
    ["one that tells no dates", loaded({ notBefore: undefined }), false],
    ["an empty one", { name: "/certs/a.pem", status: "Empty", names: [] }, false],
  ];
  for (const [what, memory, objection] of table) {
    const running = [{ socket: "/run/a.sock", loaded: [memory] }];
    const found = memoryObjections({ leaf: old.certificate, fingerprint: "NEW" }, running);
    assert.equal(found.length, objection ? 1 : 0, what);
    for (const text of found) {
      assert.match(
        text,
        /at \/run\/a\.sock .*\/certs\/a\.pem .*serial AB.*--from-haproxy.*--force/,
      );
    }
  }
});

Deno.test("memoryObjections() checks each socket and each name", async () => {
  const { certificate: leaf } = await issue({ notBefore: at(-48), notAfter: at(9 * 24) });
  const running = ["/a.sock", "/b.sock"].map((socket) => (
    { socket, loaded: [loaded(), loaded({ name: "@store/a" }), loaded({ notBefore: at(-99) })] }
  ));
  assert.equal(memoryObjections({ leaf, fingerprint: "NEW" }, running).length, 4);
});

Deno.test("separateKeys() names keys that HAProxy reads from a file that is not written", () => {
  const table: [crtFile: string | undefined, keyFile: string | undefined, told: boolean][] = [
    ["/c/a.crt", "/c/a.key", true],
    ["a.crtonly", "a.keyonly", true],
    ["/c/a.pem", "/keys/a.pem.key", true],
    ["/c/a.pem", "/c/a.pem", false],
    ["/c/a.pem", "/c/a.pem.key", false],
    ["/c/a.pem", undefined, false],
    [undefined, undefined, false],
  ];
  for (const [crtFile, keyFile, told] of table) {
    const running = [{ socket: "/s", loaded: [loaded({ name: "@store/a", crtFile, keyFile })] }];
    assert.equal(separateKeys(running).length, told ? 1 : 0, `${crtFile} ${keyFile}`);
  }
});
