import assert from "node:assert/strict";
import type { ExpiryRecord } from "../../lib/expiry/record.ts";
import { encodePem, parsePem } from "../../lib/cert/pem.ts";
import { issue, issueChain, type Issued } from "./issue.ts";
import { type RandomNumbers, randomNumbers } from "../random_numbers.ts";
import { judge } from "./judge.ts";
import { openssl, opensslKey } from "./openssl.ts";

const MUTATIONS = 30_000;

/** One to three bytes changed, taken out or put in, or the end cut off. */
function mutate(der: Uint8Array, random: RandomNumbers): Uint8Array {
  let bytes = [...der];
  for (let times = 1 + random(3); times > 0; times--) {
    const at = random(bytes.length);
    const kind = random(10);
    if (kind < 6) bytes[at] = random(256);
    else if (kind < 7) bytes[at]! ^= 1 << random(8);
    else if (kind < 8) bytes.splice(at, 1);
    else if (kind < 9) bytes.splice(at, 0, random(256));
    else bytes = bytes.slice(0, Math.max(1, at));
  }
  return Uint8Array.from(bytes);
}

/** Certificates of several kinds, with many extensions and odd names among them. */
async function originals(): Promise<Uint8Array[]> {
  const { leaf, lower } = await issueChain({ names: ["a.example", "*.b.example", "192.0.2.1"] });
  const directory = await Deno.makeTempDir();
  const made = [];
  for (const options of [["RSA"], ["EC", "ec_paramgen_curve:P-521"], ["RSA-PSS"]]) {
    await Deno.writeTextFile(
      `${directory}/key`,
      await opensslKey(options[0]!, ...options.slice(1)),
    );
    const subject = "/C=DE/O=Bücher & Söhne/OU=x+y/CN=a.example/emailAddress=a@a.example";
    const pem = await openssl([
      ...["req", "-x509", "-utf8", "-key", `${directory}/key`, "-days", "90", "-subj", subject],
      ...["-addext", "subjectAltName=DNS:a.example,IP:2001:db8::1,email:a@a.example,URI:urn:x"],
      ...["-addext", "extendedKeyUsage=serverAuth", "-addext", "keyUsage=digitalSignature"],
    ]);
    made.push(parsePem(new TextEncoder().encode(pem))[0]!.der);
  }
  await Deno.remove(directory, { recursive: true });
  return [leaf.certificate.der, lower.certificate.der, (await issue()).certificate.der, ...made];
}

/**
 * A mutated certificate in front of a good one never lets that speak for the file, and behind it
 * never hides it, whatever odd blocks stand between them.
 */
async function judgeInCompany(
  mutated: string,
  { record, good }: { record: ExpiryRecord | undefined; good: Issued },
): Promise<void> {
  const odd = encodePem("X9.42 DH PARAMETERS", Uint8Array.of(0x30, 0));
  for (const between of ["", odd, "# -----BEGIN CERTIFICATE----- of x\n", "\ufeff"]) {
    const front = await judge(mutated + between + good.pem);
    assert.equal(front.leaf?.serial, record?.leaf?.serial, mutated);
    if (!record?.leaf) assert.notEqual(front.state, "OK", mutated);
    const behind = await judge(good.pem + between + mutated);
    assert.equal(behind.leaf?.serial, good.certificate.serial, mutated);
  }
}

/** Those that openssl cannot parse; asked of as many at once as it takes without complaint. */
async function refusedByOpenssl(ders: Uint8Array[], file: string): Promise<Uint8Array[]> {
  if (ders.length === 0) return [];
  await Deno.writeTextFile(file, ders.map((der) => encodePem("CERTIFICATE", der)).join(""));
  const output = await openssl(["storeutl", "-noout", "-certs", file]).catch(() => "");
  const total = Number(/^Total found: (\d+)$/m.exec(output)?.[1] ?? 0);
  if (total === ders.length) return [];
  if (ders.length === 1) return ders;
  const half = ders.length >> 1;
  return [
    ...await refusedByOpenssl(ders.slice(0, half), file),
    ...await refusedByOpenssl(ders.slice(half), file),
  ];
}

Deno.test("30,000 mutated certificates crash nothing, and openssl parses each one that is not UNKNOWN", async () => {
  const random = randomNumbers(20_261_124);
  const sources = await originals();
  const good = await issue({ names: ["good.example"] });
  const judged: Uint8Array[] = [];
  let refused = 0;
  for (let i = 0; i < MUTATIONS; i++) {
    const der = mutate(sources[i % sources.length]!, random);
    let record: ExpiryRecord | undefined;
    try {
      record = await judge(encodePem("CERTIFICATE", der));
    } catch (error) {
      assert.ok(error instanceof SyntaxError, `${error}\n${der.toHex()}`);
    }
    if (record && record.state !== "UNKNOWN") judged.push(der);
    else refused++;
    if (i % 10 === 0) await judgeInCompany(encodePem("CERTIFICATE", der), { record, good });
  }
  assert.ok(
    judged.length > MUTATIONS / 5 && refused > MUTATIONS / 5,
    `${judged.length} ${refused}`,
  );
  const file = await Deno.makeTempFile();
  const wrong = await refusedByOpenssl(judged, file);
  await Deno.remove(file);
  const first = wrong.slice(0, 3).map((der) => encodePem("CERTIFICATE", der)).join("");
  assert.equal(wrong.length, 0, `openssl refuses ${wrong.length}, such as\n${first}`);
});
