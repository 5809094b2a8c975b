import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { type Cargo, carry, compress } from "../../compile/carry.ts";

const START = "#!/bin/sh\n# @VERSION@ @ID@ @FLAGS@\n# @START@ @RUNTIME_SIZE@ @PROGRAM_SIZE@\n";

async function cargo(parts: Partial<Cargo> = {}): Promise<Cargo> {
  const runtime = new TextEncoder().encode("runtime ".repeat(1000));
  return {
    version: "1.2.3",
    runtime,
    compressedRuntime: await compress(runtime),
    program: new TextEncoder().encode("program"),
    flags: ["--allow-net", "--no-prompt"],
    ...parts,
  };
}

Deno.test("carry() gives the same bytes for the same cargo", async () => {
  const [first, second] = [await carry(START, await cargo()), await carry(START, await cargo())];
  assert.deepEqual(first, second);
});

Deno.test("carry() puts runtime and program behind the start, as gzip unpacks them", async () => {
  const bytes = await carry(START, await cargo());
  assert.equal(gunzipSync(bytes.slice(8192)).toString(), "runtime ".repeat(1000) + "program");
});

Deno.test("carry() fills in the start and ends it with a line of comment", async () => {
  const start = new TextDecoder().decode((await carry(START, await cargo())).slice(0, 8192));
  assert.match(start, /^#!\/bin\/sh\n# 1\.2\.3 [0-9a-f]{32} --allow-net --no-prompt\n/);
  assert.match(start, /\n# 8192 8000 7\n#+\n$/);
});

Deno.test("carry() gives another id to another program or runtime", async () => {
  const id = async (parts: Partial<Cargo>) =>
    new TextDecoder().decode((await carry("@ID@", await cargo(parts))).slice(0, 32));
  const other = new Uint8Array(1);
  const ids = [await id({}), await id({ program: other }), await id({ runtime: other })];
  assert.equal(new Set(ids).size, 3);
});

Deno.test("carry() refuses a start with a value that it does not know", async () => {
  await assert.rejects(carry("@TIME@", await cargo()), RangeError);
});

Deno.test("carry() refuses a start that does not fit", async () => {
  await assert.rejects(carry("#".repeat(8191), await cargo()), RangeError);
});
