import assert from "node:assert/strict";
import type { ExpiryRecord } from "../../lib/expiry/record.ts";
import { type Corpus, makeCorpus, makeJunk, type Specimen } from "./corpus.ts";
import { NOW } from "./issue.ts";
import { judge } from "./judge.ts";
import { openssl } from "./openssl.ts";

/** What openssl reads of a leaf. */
interface Facts {
  serial: string;
  notBefore: Date;
  notAfter: Date;
}

/** Reads all leaves, in their order, with one process. */
async function readAll(specimens: Specimen[], directory: string): Promise<Facts[]> {
  const all = `${directory}/all.pem`;
  await Deno.writeTextFile(all, specimens.map(({ pem }) => pem).join(""));
  const text = await openssl(["storeutl", "-noout", "-text", "-certs", all]);
  return text.split(/^\d+: Certificate$/m).slice(1).map((block) => {
    const date = (name: string) => new Date(new RegExp(`${name} *: (.*)`).exec(block)![1]!);
    const serial = /Serial Number:\s+([0-9a-f:]+)/.exec(block)![1]!;
    return {
      serial: serial.replaceAll(":", "").toUpperCase(),
      notBefore: date("Not Before"),
      notAfter: date("Not After"),
    };
  });
}

/** SHA-256 of one leaf, which no single process tells of many. */
async function fingerprintOf({ pem }: Specimen): Promise<string> {
  const answer = await openssl(["x509", "-noout", "-fingerprint", "-sha256"], pem);
  return answer.trim().split("=")[1]!.replaceAll(":", "");
}

/** What `openssl verify` says of each file at an instant: `OK`, or the number of its error. */
async function verifyAll(
  files: string[],
  { ca, at }: { ca: string; at: Date },
): Promise<Map<string, string>> {
  const seconds = String(at.getTime() / 1000);
  const { stdout, stderr } = await new Deno.Command("openssl", {
    args: ["verify", "-attime", seconds, "-CAfile", ca, ...files],
  }).output();
  const decoder = new TextDecoder();
  const answers = new Map<string, string>();
  for (const [, file] of decoder.decode(stdout).matchAll(/^(.*): OK$/gm)) answers.set(file!, "OK");
  const errors = /^error (\d+) at 0 depth lookup.*\nerror (.*): verification failed$/gm;
  for (const [, number, file] of decoder.decode(stderr).matchAll(errors)) {
    answers.set(file!, number!);
  }
  return answers;
}

/** The state that follows from openssl's answers now and at the thresholds ahead. */
async function statesOf(
  { ca, specimens }: Corpus,
  directory: string,
): Promise<Map<string, string>> {
  const caFile = `${directory}/ca.pem`;
  await Deno.writeTextFile(caFile, ca.pem);
  const states = new Map<string, string>();
  for (const [lifetime, alike] of Map.groupBy(specimens, ({ lifetime }) => lifetime)) {
    const paths = alike.map(({ name }) => `${directory}/${name}`);
    const after = (share: number) =>
      verifyAll(paths, { ca: caFile, at: new Date(NOW.getTime() + share * lifetime) });
    const [now, soon, later] = await Promise.all([after(0), after(0.125), after(0.25)]);
    for (const path of paths) {
      const reason = { "9": "not_yet_valid", "10": "expired", "OK": undefined }[now.get(path)!];
      const state = reason !== undefined
        ? `CRITICAL ${reason}`
        : soon.get(path) === "10"
        ? "CRITICAL expires_soon"
        : later.get(path) === "10"
        ? "WARNING expires_soon"
        : later.get(path);
      states.set(path, state!);
    }
  }
  return states;
}

function stateOf({ state, findings }: ExpiryRecord): string {
  return [state, findings[0]?.reason].filter((word) => word !== undefined).join(" ");
}

Deno.test("of 540 certificates of every kind and age, verdict, dates and serial are openssl's", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const corpus = await makeCorpus();
    assert.equal(corpus.specimens.length, 540);
    await Promise.all(
      corpus.specimens.map(({ name, pem }) => Deno.writeTextFile(`${directory}/${name}`, pem)),
    );
    const [facts, states] = await Promise.all([
      readAll(corpus.specimens, directory),
      statesOf(corpus, directory),
    ]);
    assert.equal(facts.length, corpus.specimens.length);
    const seen = new Set<string>();
    for (const [index, { name, file }] of corpus.specimens.entries()) {
      const record = await judge(file);
      const { serial, notBefore, notAfter, fingerprint } = record.leaf!;
      assert.deepEqual({ serial, notBefore, notAfter }, facts[index], name);
      if (index % 30 === 0) {
        assert.equal(fingerprint, await fingerprintOf(corpus.specimens[index]!), name);
      }
      const expected = states.get(`${directory}/${name}`);
      assert.equal(stateOf(record), expected, name);
      assert.ok(record.findings.length <= 1, name);
      seen.add(expected!);
    }
    // An oracle that always answers the same would agree as well.
    assert.deepEqual([...seen].sort(), [
      "CRITICAL expired",
      "CRITICAL expires_soon",
      "CRITICAL not_yet_valid",
      "OK",
      "WARNING expires_soon",
    ]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("junk that openssl reads no certificate from is never OK", async () => {
  for (const [name, file] of Object.entries(await makeJunk())) {
    const path = await Deno.makeTempFile();
    await Deno.writeFile(path, file);
    await assert.rejects(openssl(["x509", "-noout", "-in", path]), name);
    await Deno.remove(path);
    const record = await judge(file).catch((error) => error);
    if (record instanceof SyntaxError) continue;
    assert.equal(record.state, "UNKNOWN", name);
  }
});
