import assert from "node:assert/strict";
import type { LoadedCertificate } from "../../lib/haproxy/loaded_certificates.ts";
import type { CrtListEntry } from "../../lib/haproxy/replies.ts";
import { findRivals, type Incumbent } from "../../lib/haproxy/rivals.ts";

const NEW: Incumbent = {
  ...{ fingerprint: "NEW", loadedAs: ["/certs/new.pem"], key: "EC" },
  names: ["a.example", "www.a.example", "*.b.example"],
};

function loaded(name: string, more: Partial<LoadedCertificate> = {}): LoadedCertificate {
  return { name, status: "Used", fingerprintSha1: name, names: ["a.example"], key: "EC", ...more };
}

function named(found: ReturnType<typeof findRivals>): string[] {
  return found.map(({ certificate, names }) => `${certificate.name}: ${names.join(" ")}`);
}

Deno.test("findRivals names what answers for the same names with the same kind of key", () => {
  const table: [what: string, other: LoadedCertificate, names: string | undefined][] = [
    ["an older twin", loaded("/certs/old.pem"), "a.example"],
    ["the same name in another directory", loaded("/other/new.pem"), "a.example"],
    ["an alias", loaded("@store/a"), "a.example"],
    [
      "two names of three",
      loaded("/t", { names: ["www.a.example", "a.example", "c.example"] }),
      "www.a.example a.example",
    ],
    ["the same wildcard", loaded("/w", { names: ["*.b.example"] }), "*.b.example"],
    ["a kind of key that is not told", loaded("/k", { key: undefined }), "a.example"],
    ["the very same certificate", loaded("/copy", { fingerprintSha1: "NEW" }), undefined],
    ["an RSA twin", loaded("/certs/new.pem.rsa", { key: "RSA" }), undefined],
    ["one that no bind offers", loaded("/u", { status: "Unused" }), undefined],
    ["an empty one", loaded("/e", { status: "Empty", names: [] }), undefined],
    ["another name", loaded("/c", { names: ["c.example"] }), undefined],
    ["a wildcard above an exact name", loaded("/w", { names: ["*.a.example"] }), undefined],
    ["an exact name below the wildcard", loaded("/x", { names: ["x.b.example"] }), undefined],
    ["one that tells no names", loaded("/n", { names: [] }), undefined],
  ];
  for (const [what, other, names] of table) {
    const expected = names === undefined ? [] : [`${other.name}: ${names}`];
    assert.deepEqual(named(findRivals(NEW, [other], [])), expected, what);
  }
});

Deno.test("findRivals respects the filters of crt-lists, on both sides", () => {
  const other = loaded("/certs/old.pem", { names: ["a.example", "www.a.example"] });
  const table: [what: string, entries: CrtListEntry[], names: string | undefined][] = [
    ["in a directory", [{ name: other.name, filters: [] }], "a.example www.a.example"],
    ["for one name", [{ name: other.name, filters: ["www.a.example"] }], "www.a.example"],
    ["for a name of its own", [{ name: other.name, filters: ["c.example"] }], undefined],
    ["not for one", [{ name: other.name, filters: ["!a.example"] }], "www.a.example"],
    [
      "in two lines",
      [{ name: other.name, filters: ["c.example"] }, { name: other.name, filters: ["a.example"] }],
      "a.example",
    ],
    [
      "the new one for another name",
      [{ name: "/certs/new.pem", filters: ["d.example"] }],
      undefined,
    ],
    ["the new one for one", [{ name: "/certs/new.pem", filters: ["a.example"] }], "a.example"],
    [
      "lines of others",
      [{ name: "/certs/x.pem", filters: ["x.example"] }],
      "a.example www.a.example",
    ],
  ];
  for (const [what, entries, names] of table) {
    const expected = names === undefined ? [] : [`${other.name}: ${names}`];
    assert.deepEqual(named(findRivals(NEW, [other], entries)), expected, what);
  }
});
