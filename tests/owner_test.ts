import assert from "node:assert/strict";
import { parseOwner } from "../lib/owner.ts";

const ACCOUNTS = {
  passwd:
    "root:x:0:0:root:/root:/bin/sh\nhaproxy:x:105:106::/var/lib/haproxy:/bin/false\nbad:x::\n",
  group: "root:x:0:\nhaproxy:x:106:\nssl-cert:x:110:haproxy\n",
};

Deno.test("parseOwner gives numbers for names and numbers as chown does", () => {
  const table: [string, number | undefined, number | undefined][] = [
    ["haproxy", 105, undefined],
    ["haproxy:ssl-cert", 105, 110],
    ["root:haproxy", 0, 106],
    ["haproxy:", 105, 106],
    [":ssl-cert", undefined, 110],
    ["12345", 12345, undefined],
    ["12345:54321", 12345, 54321],
    ["105:", 105, 106],
  ];
  for (const [text, uid, gid] of table) assert.deepEqual(parseOwner(text, ACCOUNTS), { uid, gid });
});

Deno.test("parseOwner refuses unknown names and other shapes, and says which", () => {
  const table: [string, RegExp][] = [
    ["", /expected USER/],
    [":", /expected USER/],
    ["a:b:c", /expected USER/],
    ["-1", /expected USER/],
    ["a b", /expected USER/],
    ["nobody", /no user nobody/],
    ["root:nogroup", /no group nogroup/],
    ["bad", /no user bad/],
    ["ssl-cert", /no user ssl-cert/],
    ["4294967295", /no user 4294967295/],
    ["12345:", /user 12345 has no group/],
    ["toString", /no user toString/],
  ];
  for (const [text, reason] of table) {
    assert.throws(() => parseOwner(text, ACCOUNTS), { name: "SyntaxError", message: reason }, text);
  }
});
