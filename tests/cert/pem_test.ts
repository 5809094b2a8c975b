import assert from "node:assert/strict";
import fc from "fast-check";
import { encodePem, parsePem, scanPem } from "../../lib/cert/pem.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const DER = Uint8Array.from({ length: 100 }, (_, i) => i);
const BLOCK = encodePem("CERTIFICATE", DER);

Deno.test("parsePem reads a block as HAProxy would tolerate it in a file, with CR line ends too", () => {
  const table: Record<string, string> = {
    "plain": BLOCK,
    "with a byte order mark": `\ufeff${BLOCK}`,
    "with CRLF": BLOCK.replaceAll("\n", "\r\n"),
    "with CR alone": BLOCK.replaceAll("\n", "\r"),
    "without a last line break": BLOCK.trimEnd(),
    "with text before and after": `subject=CN = x\n\n${BLOCK}\nKey Attributes: <none>\n`,
    "with blanks at line ends": BLOCK.replaceAll("\n", " \t\n"),
    "with blank lines in the base64": BLOCK.replace("\n-----END", "\n\n-----END"),
    "in one long line": `-----BEGIN CERTIFICATE-----\n${DER.toBase64()}\n-----END CERTIFICATE-----`,
    "after a dash line": `-----\n----- BEGIN -----\n${BLOCK}`,
  };
  for (const [what, text] of Object.entries(table)) {
    const blocks = parsePem(bytes(text));
    assert.equal(blocks.length, 1, what);
    assert.deepEqual(blocks[0]!.der, DER, what);
    assert.equal(blocks[0]!.label, "CERTIFICATE", what);
  }
});

Deno.test("parsePem tells the line of each block when there are several", () => {
  const blocks = parsePem(bytes(`x\n${BLOCK}${encodePem("EC PRIVATE KEY", DER)}`));
  assert.deepEqual(blocks.map(({ label, line }) => [label, line]), [
    ["CERTIFICATE", 2],
    ["EC PRIVATE KEY", 7],
  ]);
});

Deno.test("parsePem refuses, with the line, when a block is not whole", () => {
  const [begin, end] = ["-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"];
  const base64 = DER.toBase64();
  const table: [string, RegExp][] = [
    [`${begin}\n${base64}\n`, /^line 1: CERTIFICATE has no END/],
    [`${begin}\n${begin}\n${base64}\n${end}`, /^line 2: CERTIFICATE of line 1 has no END/],
    [`${base64}\n${end}\n`, /^line 2: END CERTIFICATE, but no block is open/],
    [`${begin}\n${base64}\n-----END PRIVATE KEY-----`, /^line 3: END PRIVATE KEY, but .* is CERT/],
    [`${begin}\n${end}`, /^line 1: CERTIFICATE is empty/],
    [
      `\n${begin}\n${base64}\n${end}${begin}\n${base64}\n${end}`,
      /^line 4: a line break is missing/,
    ],
    [`${begin}\n${base64.slice(0, -3)}\n${end}`, /^line 1: CERTIFICATE holds incomplete base64/],
    [`${begin}\n${base64}!\n${end}`, /^line 1: CERTIFICATE does not hold base64/],
    [`${begin}\nMIIB\n\nshow version\n${end}`, /^line 1: CERTIFICATE does not hold base64/],
    [` ${begin}\n${base64}\n${end}`, /^line 1: the BEGIN or END line is damaged/],
    ["-----BEGIN CERTIFICATE----\nAAAA", /^line 1: the BEGIN or END line is damaged/],
    ["-----BEGIN  CERTIFICATE-----\nAAAA", /^line 1: the BEGIN or END line is damaged/],
    [`${begin}\nComment: x\n\n${base64}\n${end}`, /^line 1: CERTIFICATE has headers/],
  ];
  for (const [text, reason] of table) {
    assert.throws(() => parsePem(bytes(text)), { name: "SyntaxError", message: reason }, text);
  }
});

Deno.test("parsePem never quotes the content of a block when it refuses it", () => {
  const secret = "c2VjcmV0c2VjcmV0c2VjcmV0";
  for (const end of ["", "!", "=", "\n-----END CERTIFICATE-----", "\n\nquit\n"]) {
    const text = `-----BEGIN PRIVATE KEY-----\n${secret}${end}\n-----END PRIVATE KEY-----`;
    try {
      parsePem(bytes(text));
    } catch (error) {
      assert.ok(!(error as Error).message.includes(secret.slice(0, 6)), text);
    }
  }
});

Deno.test("parsePem finds nothing when there is no block, and throws nothing", () => {
  for (const text of ["", "\n\n", "README\n", "\x30\x82\x01\x00", "-----", "----- BEGIN x"]) {
    assert.deepEqual(parsePem(bytes(text)), [], JSON.stringify(text));
  }
});

Deno.test("parsePem marks a block when its headers say that it is encrypted", () => {
  const headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00FF\n\n";
  const text = BLOCK.replaceAll("CERTIFICATE", "RSA PRIVATE KEY").replace(
    "-----\n",
    `-----\n${headers}`,
  );
  assert.deepEqual(parsePem(bytes(text)).map(({ encrypted }) => encrypted), [true]);
  assert.deepEqual(parsePem(bytes(BLOCK)).map(({ encrypted }) => encrypted), [false]);
});

const label = fc.constantFrom("CERTIFICATE", "PRIVATE KEY", "EC PRIVATE KEY", "X");

Deno.test("parsePem gives back the bytes that encodePem was given", () => {
  fc.assert(fc.property(label, fc.uint8Array({ minLength: 1, maxLength: 300 }), (name, der) => {
    const [block] = parsePem(bytes(encodePem(name, der)));
    assert.deepEqual([block!.label, block!.der], [name, der]);
  }));
});

Deno.test("encodePem writes no blank line and no line over 64 columns, whatever the bytes", () => {
  fc.assert(fc.property(label, fc.uint8Array({ maxLength: 300 }), (name, der) => {
    const lines = encodePem(name, der).split("\n");
    assert.equal(lines.pop(), "");
    assert.ok(lines.every((line) => line !== "" && line.length <= 64 && /^[ -~]+$/.test(line)));
  }));
});

Deno.test("parsePem drops admin commands when they stand in and around the blocks", () => {
  const command = fc.constantFrom(
    "show version",
    "shutdown frontend f",
    "@1 del ssl cert x",
    "help",
  );
  const place = fc.integer({ min: 0, max: 6 });
  fc.assert(fc.property(command, place, (text, at) => {
    const lines = BLOCK.split("\n");
    lines.splice(at, 0, "", text, "");
    let out = "";
    try {
      out = parsePem(bytes(lines.join("\n"))).map(({ label, der }) => encodePem(label, der)).join(
        "",
      );
    } catch (error) {
      assert.equal((error as Error).name, "SyntaxError");
    }
    assert.ok(!out.includes(text.split(" ")[0]!) || text === "help");
    assert.ok(!out.includes("\n\n"));
  }));
});

Deno.test("parsePem takes the labels of RFC 7468, and no others", () => {
  const taken = [
    "X9.42 DH PARAMETERS",
    "X509 CRL",
    "CMS",
    "A-B C.D",
    "certificate",
    "PKCS #7 SIGNED DATA",
    "OPENSSH PRIVATE KEY",
    "x".repeat(64),
  ];
  for (const label of taken) {
    assert.deepEqual(parsePem(bytes(encodePem(label, DER))).map((block) => block.label), [label]);
  }
  for (const label of ["A  B", "-A", "A-", "A--B", " A", "A ", "ä", "x".repeat(65), "A\tB"]) {
    assert.throws(() => parsePem(bytes(encodePem(label, DER))), /BEGIN or END line is damaged/);
  }
});

Deno.test("scanPem reads the whole blocks of a text, whatever stands around them", () => {
  const key = encodePem("PRIVATE KEY", DER);
  const [begin, end] = ["-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"];
  const table: [what: string, text: string, labels: string[], faults: number][] = [
    ["all whole", BLOCK + key, ["CERTIFICATE", "PRIVATE KEY"], 0],
    ["a cut one behind", BLOCK + key.slice(0, 60), ["CERTIFICATE"], 1],
    ["a cut one before", `${key.slice(0, 60)}\n${BLOCK}`, ["CERTIFICATE"], 1],
    [
      "one without END between",
      `${BLOCK}${begin}\nAAAA\n${key}`,
      ["CERTIFICATE", "PRIVATE KEY"],
      1,
    ],
    ["no base64 between", `${BLOCK}${begin}\n!\n${end}\n${key}`, ["CERTIFICATE", "PRIVATE KEY"], 1],
    ["a stray END", `${end}\n${BLOCK}`, ["CERTIFICATE"], 1],
    ["another END", `${begin}\nAAAA\n-----END KEY-----\n${BLOCK}`, ["CERTIFICATE"], 1],
    ["a damaged BEGIN", `-----BEGIN CERTIFICATE--\nAAAA\n${end}\n${BLOCK}`, ["CERTIFICATE"], 2],
    [
      "END and BEGIN in one line",
      `${BLOCK.trimEnd()}${BLOCK}${key}`,
      ["CERTIFICATE", "CERTIFICATE", "PRIVATE KEY"],
      1,
    ],
    ["too few dashes", `----BEGIN CERTIFICATE----\nAAAA\n${BLOCK}`, ["CERTIFICATE"], 1],
    ["a comment that quotes BEGIN", `# ${begin} of x\n${BLOCK}`, ["CERTIFICATE"], 0],
    ["a mark before each", `\ufeff${BLOCK}\ufeff${key}`, [
      "CERTIFICATE",
      "PRIVATE KEY",
    ], 0],
    ["nothing", "text\n", [], 0],
  ];
  for (const [what, text, labels, faults] of table) {
    const scan = scanPem(bytes(text));
    assert.deepEqual(scan.blocks.map(({ label }) => label), labels, what);
    assert.equal(scan.faults.length, faults, `${what}: ${JSON.stringify(scan.faults)}`);
  }
});

Deno.test("scanPem answers at once, whatever a file of the greatest size holds", () => {
  for (const piece of ["-", "-----END ", "-----BEGIN ", "-----BEGIN A", "A-", "-----\n", "\n"]) {
    scanPem(bytes(piece.repeat((1 << 20) / piece.length)));
  }
});
