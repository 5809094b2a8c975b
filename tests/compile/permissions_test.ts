import assert from "node:assert/strict";
import { permissionFlags, type Permissions } from "../../compile/permissions.ts";

const READ: [Permissions, string[]][] = [
  [{}, []],
  [{ run: false, ffi: false }, []],
  [{ net: true }, ["--allow-net"]],
  [{ env: ["A", "B_*"] }, ["--allow-env=A,B_*"]],
  [{ env: [] }, []],
  [{ net: ["[::1]:80", "unix:/run/a.sock"] }, ["--allow-net=[::1]:80,unix:/run/a.sock"]],
  [{ import: { deny: true } }, ["--deny-import"]],
  [{ read: { allow: true, deny: ["/etc"] } }, ["--allow-read", "--deny-read=/etc"]],
  [{ net: true, read: true }, ["--allow-read", "--allow-net"]],
];

for (const [permissions, flags] of READ) {
  Deno.test(`permissionFlags() reads ${JSON.stringify(permissions)}`, () => {
    assert.deepEqual(permissionFlags(permissions), flags);
  });
}

const REFUSED: unknown[] = [
  { all: true },
  { net: { allow: true, ignore: ["a"] } },
  { env: ["A,B"] },
  { read: ["/a b"] },
  { read: ["$(id)"] },
  { read: ["/a'"] },
  { read: [""] },
];

for (const permissions of REFUSED) {
  Deno.test(`permissionFlags() refuses ${JSON.stringify(permissions)}`, () => {
    assert.throws(() => permissionFlags(permissions as Permissions), RangeError);
  });
}
