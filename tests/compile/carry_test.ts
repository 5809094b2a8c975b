import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { type Cargo, carry, compress } from "../../compile/carry.ts";

const START = "#!/bin/sh\n# @VERSION@ @ID@ @FLAGS@\n# @START@ @MAIN@\n# @FILES@\n";

async function cargo(parts: Partial<Cargo> = {}): Promise<Cargo> {
  const runtime = new TextEncoder().encode("runtime ".repeat(1000));
  return {
    version: "1.2.3",
    runtime,
    compressedRuntime: await compress(runtime),
    program: program(["main.js", "program"], ["part.js", " and part"]),
    flags: ["--allow-net", "--no-prompt"],
    variables: ["RENEWED_LINEAGE"],
    ...parts,
  };
}

function program(...files: [string, string][]): Map<string, Uint8Array> {
  return new Map(files.map(([name, text]) => [name, new TextEncoder().encode(text)]));
}

Deno.test("carry() gives the same bytes for the same contents", async () => {
  const [first, second] = [await carry(START, await cargo()), await carry(START, await cargo())];
  assert.deepEqual(first, second);
});

Deno.test("carry() puts runtime and program behind the start, as gzip unpacks them", async () => {
  const bytes = await carry(START, await cargo());
  assert.equal(
    gunzipSync(bytes.slice(20480)).toString(),
    "runtime ".repeat(1000) + "program and part",
  );
});

Deno.test("carry() fills in the start and ends it with a line of comment", async () => {
  const start = new TextDecoder().decode((await carry(START, await cargo())).slice(0, 20480));
  assert.match(start, /^#!\/bin\/sh\n# 1\.2\.3 [0-9a-f]{32} --allow-net --no-prompt\n/);
  const digest = "[0-9a-f]{64}";
  const files = `acme-lb:8000:${digest}\\nmain\\.js:7:${digest}\\npart\\.js:9:${digest}`;
  assert.match(start, new RegExp(`\\n# 20480 main\\.js\\n# ${files}\\n#+\\n$`));
});

Deno.test("carry() gives another id to another program or runtime", async () => {
  const id = async (parts: Partial<Cargo>) =>
    new TextDecoder().decode((await carry("@ID@", await cargo(parts))).slice(0, 32));
  const ids = [
    await id({}),
    await id({ program: program(["main.js", "program"], ["part.js", " and parT"]) }),
    await id({ program: program(["main.js", "program"], ["other.js", " and part"]) }),
    await id({ runtime: new Uint8Array(1) }),
  ];
  assert.equal(new Set(ids).size, ids.length);
});

Deno.test("carry() refuses a start with a value that it does not know", async () => {
  await assert.rejects(carry("@TIME@", await cargo()), RangeError);
});

Deno.test("carry() refuses a start that does not fit", async () => {
  await assert.rejects(carry("#".repeat(20479), await cargo()), RangeError);
});

Deno.test("carry() refuses names that would not be one word to the shell", async () => {
  for (const name of ["a b", "a:b", "$(id)", "../a", "", "a'b"]) {
    await assert.rejects(carry(START, await cargo({ program: program([name, ""]) })), RangeError);
  }
});

Deno.test("carry() refuses flags that would not be one word to the shell", async () => {
  for (const flag of ["--a b", "--a=$(id)", "--a=`id`", "--a;b", "--a'b", "--a=~", "a", ""]) {
    await assert.rejects(carry(START, await cargo({ flags: [flag] })), RangeError, flag);
  }
});

Deno.test("carry() refuses variables that a shell cannot have", async () => {
  for (const name of ["", "1A", "A-B", "A B", "A=1", "A;id", "$A", "A*"]) {
    await assert.rejects(carry(START, await cargo({ variables: [name] })), RangeError, name);
  }
});
