import assert from "node:assert/strict";
import {
  attributeOf,
  type CommandOutcome,
  isDenied,
  isLocked,
  isShown,
  parseAbort,
  parseAdd,
  parseCommit,
  parseCrtList,
  parseCrtLists,
  parseDelete,
  parseInventory,
  parseNew,
  parseProcesses,
  parseReload,
  parseSet,
  parseShown,
  plainPath,
  quoteReply,
} from "../../lib/haproxy/replies.ts";

/** Answers of HAProxy 2.6.12, recorded, unless said otherwise. */
const NAME = "/tmp/hx/a.pem";

type Row = [text: string, kind: CommandOutcome["kind"], extra?: Partial<Record<string, unknown>>];

function checkAll(judge: (text: string, name: string) => CommandOutcome, rows: Row[]): void {
  for (const [text, kind, extra] of rows) {
    const verdict = judge(text, NAME);
    assert.equal(verdict.kind, kind, JSON.stringify(text));
    if (extra) assert.deepEqual({ ...verdict, ...extra }, verdict, JSON.stringify(text));
  }
}

const SHARED: Row[] = [
  ["", "refused"],
  ["\n", "refused"],
  ["Permission denied\n\n", "denied"],
  ["Unknown command, but maybe one of the following ones is a better match:\n\n", "refused"],
  ["Can't connect to the target CLI!\n", "refused"],
  ["Can't find the target PID matching the prefix '@1'\n", "refused"],
  ["Success!\n\n", "refused"],
  ["not Permission denied\n", "refused"],
];

Deno.test("parseSet() accepts two replies as success, if they name the file", () =>
  checkAll(parseSet, [
    ...SHARED,
    [`Transaction created for certificate ${NAME}!\n\n`, "done"],
    [`Transaction updated for certificate ${NAME}!\n\n`, "done"],
    // A connection that broke off.
    [`Transaction created for certificate ${NAME}!`, "done"],
    [`Transaction created for certificate ${NAME}`, "refused"],
    [`Transaction created for certificate /tmp/hx/`, "refused"],
    [`Transaction created for CA ${NAME}!\n\n`, "refused"],
    [`Transaction updated for certificate /tmp/hx/a.pem.rsa!\n\n`, "other", {
      name: "/tmp/hx/a.pem.rsa",
      mixed: true,
    }],
    ["Transaction updated for certificate /tmp/hx/dir/b.pem!\n\n", "other", {
      name: "/tmp/hx/dir/b.pem",
      mixed: true,
    }],
    // From src/ssl_ckch.c of 3.1 and later.
    [
      `The ongoing transaction is about '/tmp/hx/b.pem' but you are trying to set '${NAME}'\n` +
      `Can't update ${NAME}!\n\n`,
      "other",
      { name: "/tmp/hx/b.pem", mixed: false },
    ],
    [
      "Can't replace a certificate which is not referenced by the configuration!\n" +
      `Can't update ${NAME}!\n\n`,
      "unknown",
    ],
    [
      `unable to load certificate from file '${NAME}'.\nCan't load the payload\n` +
      `Can't update ${NAME}!\n\n`,
      "refused",
    ],
    [
      "Can't update the certificate!\nOperations on certificates are currently locked!\n\n",
      "locked",
    ],
    // From src/cli.c of 3.4.
    [
      "The command line is too big for the buffer size. Please change 'tune.bufsize' in the " +
      "configuration to use a bigger command.\n\n",
      "too_large",
    ],
    [
      "The payload is too big. Please change 'tune.cli.max-payload-size' in the configuration " +
      "to use a bigger payload.\n\n",
      "too_large",
    ],
  ]));

Deno.test("isLocked() knows every form of it, and nothing that quotes it", () => {
  const locked = "Operations on certificates are currently locked!\n\n";
  const rows: [text: string, expected: boolean][] = [
    [locked, true],
    [`Can't show!\n${locked}`, true],
    [`Can't commit the certificate!\n${locked}Can't commit ${NAME}!\n\n`, true],
    [`Can't delete!\n${locked}`, true],
    [`Can't create a certificate!\n${locked}Can't create ${NAME}!\n\n`, true],
    [`Filename: ${NAME}\nSubject: /O=${locked}`, false],
    [`# filename\n/etc/${locked}`, false],
    ["Permission denied\n\n", false],
    ["\n", false],
  ];
  for (const [text, expected] of rows) assert.equal(isLocked(text), expected, text);
});

Deno.test("isDenied() knows both sentences", () => {
  const rows: [text: string, expected: boolean][] = [
    ["Permission denied\n\n", true],
    ["Can't allocate memory!\n\n", true],
    ["# filename\n/etc/Permission denied\n\n", false],
    ["Can't show!\n\n", false],
    ["\n", false],
  ];
  for (const [text, expected] of rows) assert.equal(isDenied(text), expected, text);
});

Deno.test("parseCommit() requires the first and the last line of the reply", () =>
  checkAll(parseCommit, [
    ...SHARED,
    [`Committing ${NAME}.\nSuccess!\n\n`, "done"],
    [`Committing ${NAME}\nSuccess!\n\n`, "done"],
    [`Committing ${NAME}..........\nwarning: something\nSuccess!\n\n`, "done"],
    [`Committing ${NAME}..........\n`, "refused"],
    [`Committing ${NAME}.\nSucc`, "refused"],
    [`Committing ${NAME}.\nSuccess!\nFailed!\n`, "refused"],
    ["Committing /tmp/hx/b.pem.\nSuccess!\n\n", "refused"],
    [`Committing ${NAME}.rsa\nSuccess!\n\n`, "refused"],
    [`No ongoing transaction! !\nCan't commit ${NAME}!\n\n`, "none"],
    [
      `The ongoing transaction is about '/tmp/hx/b.pem' but you are trying to set '${NAME}'\n` +
      `Can't commit ${NAME}!\n\n`,
      "other",
      { name: "/tmp/hx/b.pem", mixed: false },
    ],
    [
      `inconsistencies between private key and certificate loaded '${NAME}'.\n` +
      `Can't commit ${NAME}!\n\n`,
      "refused",
      {
        why: `inconsistencies between private key and certificate loaded '${NAME}'. ` +
          `Can't commit ${NAME}!`,
      },
    ],
    [
      "The transaction must contain at least a certificate and a private key!\n" +
      `Can't commit ${NAME}!\n\n`,
      "refused",
    ],
  ]));

Deno.test("parseAbort(), parseNew(), parseAdd() and parseDelete() take one sentence each", () => {
  checkAll(parseAbort, [
    ...SHARED,
    [`Transaction aborted for certificate '${NAME}'!\n\n`, "done"],
    ["Transaction aborted for certificate '/tmp/hx/b.pem'!\n\n", "refused"],
    ["No ongoing transaction!\n\n", "none"],
    [
      "The ongoing transaction is about '/tmp/hx/b.pem' but you are trying to abort a " +
      `transaction for '${NAME}'\n\n`,
      "other",
      { name: "/tmp/hx/b.pem" },
    ],
  ]);
  checkAll(parseNew, [
    ...SHARED,
    [`New empty certificate store '${NAME}'!\n\n`, "done"],
    [`Certificate '${NAME}' already exists!\n\n`, "exists"],
  ]);
  checkAll(parseAdd, [
    ...SHARED,
    [`Inserting certificate '${NAME}' in crt-list '/tmp/hx/dir'.\nSuccess!\n\n`, "done"],
    [`Inserting certificate '${NAME}' in crt-list '/tmp/hx/dir'.\n`, "refused"],
    ["Can't edit the crt-list: file already exists in this directory!\n\n", "exists"],
    ["Can't edit the crt-list: crt-list '/nope' does not exist!\n\n", "unknown"],
    [`Can't edit the crt-list: certificate '${NAME}' is empty!\n\n`, "refused"],
  ]);
  checkAll(parseDelete, [
    ...SHARED,
    [`Entry '${NAME}' deleted in crtlist '/tmp/hx/dir'!\n\n`, "done"],
    [`Certificate '${NAME}' deleted!\n\n`, "done"],
    ["Certificate '/tmp/hx/b.pem' deleted!\n\n", "refused"],
    [`Can't delete the entry: certificate '${NAME}' does not exist!\n\n`, "unknown"],
    [
      `Can't remove the certificate: certificate '${NAME}' doesn't exist!\n\n\n`,
      "unknown",
    ],
    [
      `Can't remove the certificate: certificate '${NAME}' in use, can't be deleted!\n\n\n`,
      "refused",
    ],
  ]);
});

Deno.test("parseInventory() reads the list and the open transaction, and nothing else", () => {
  assert.deepEqual(parseInventory("# filename\n/a.pem\n/b c.pem\n\n"), {
    names: ["/a.pem", "/b c.pem"],
    transaction: undefined,
  });
  assert.deepEqual(parseInventory("# transaction\n*/a.pem\n# filename\n/a.pem\n\n"), {
    names: ["/a.pem"],
    transaction: "/a.pem",
  });
  assert.deepEqual(parseInventory("# filename\n\n"), { names: [], transaction: undefined });
  // Without any certificate there is no heading either (2.6, 3.0, 3.2).
  assert.deepEqual(parseInventory("\n"), { names: [] });
  for (
    const text of [
      "",
      "/a.pem\n",
      "Unknown command\n# filename\n",
      "# file",
      "# filename\n/a.p",
    ]
  ) {
    assert.equal(parseInventory(text), undefined, text);
  }
});

const SHOWN = `Filename: ${NAME}
Status: Used
Serial: 0BE650B7B4C4043B43AB5379F52B7085231050E2
notBefore: Nov 23 23:52:03 2026 GMT
Subject Alternative Name: DNS:a.example
SHA1 FingerPrint: A7C76824AA6A088D3330AB8889B5E913EE20296D
Subject: /CN=a.example
OCSP Response Key: 

`;

Deno.test("parseShown() reads the certificate of exactly that name", () => {
  assert.deepEqual(parseShown(SHOWN, NAME), {
    status: "Used",
    serial: "0BE650B7B4C4043B43AB5379F52B7085231050E2",
    fingerprint: "A7C76824AA6A088D3330AB8889B5E913EE20296D",
    notBefore: new Date("2026-11-23T23:52:03Z"),
    notAfter: undefined,
    names: ["a.example"],
    algorithm: undefined,
    subject: "/CN=a.example",
    issuer: undefined,
    chainLength: 0,
    crtFile: undefined,
    keyFile: undefined,
  });
  assert.equal(parseShown(SHOWN, `*${NAME}`), undefined);
  assert.equal(parseShown(SHOWN, "/tmp/hx/a"), undefined);
  assert.equal(parseShown(SHOWN.slice(0, -100), NAME), undefined);
  assert.equal(parseShown("Can't display the certificate: Not found\n\n", NAME), undefined);
  const empty = parseShown("Filename: /n\nStatus: Empty\nOCSP Response Key: \n\n", "/n")!;
  assert.deepEqual([empty.status, empty.serial, empty.fingerprint], [
    "Empty",
    undefined,
    undefined,
  ]);
});

Deno.test("parseShown() reads what 3.2 tells of files, and names and dates in all their forms", () => {
  // Recorded from 3.2.26, the names apart.
  const text = `Filename: @store/al
Crt filename: b.crtonly
Key filename: b.keyonly
Status: Used
Serial: 1D760276B2BB164F1366237F1663176C3A94F591
notBefore: Nov  5 14:50:15 2026 GMT
notAfter: Feb 23 15:50:15 2027 GMT
Subject Alternative Name: DNS:B.example, IP Address:192.0.2.1, DNS:*.b.example, email:x@b.example
Algorithm: EC256
SHA1 FingerPrint: D08EFCBD6CE9089821E350E127A0523CACA525BA
Subject: /O=acme-lb placeholder/CN=b
Issuer: /C=US/O=Let's Encrypt/CN=E6
Chain Subject: /C=US/O=Let's Encrypt/CN=E6
Chain Issuer: /C=US/O=ISRG/CN=Root
OCSP Response Key: 

`;
  const shown = parseShown(text, "@store/al")!;
  assert.deepEqual(shown.names, ["b.example", "*.b.example", "b"]);
  assert.deepEqual([shown.crtFile, shown.keyFile], ["b.crtonly", "b.keyonly"]);
  assert.deepEqual(shown.chainLength, 1);
  const added = text.replace("Serial: ", "Chain Filename: /etc/haproxy/issuers/e6.pem\nSerial: ");
  assert.deepEqual(parseShown(added, "@store/al")!.chainLength, 0, "from issuers-chain-path");
  assert.deepEqual(shown.notBefore, new Date("2026-11-05T14:50:15Z"));
  assert.deepEqual(shown.notAfter, new Date("2027-02-23T15:50:15Z"));
  assert.deepEqual(["O", "CN", "C", "OU"].map((type) => attributeOf(shown.issuer, type)), [
    "Let's Encrypt",
    "E6",
    "US",
    undefined,
  ]);
  for (const date of ["Foo  5 14:50:15 2026 GMT", "2026-11-05", "Nov 5", "Bad time value"]) {
    const odd = text.replace(/^notBefore: .*$/m, `notBefore: ${date}`);
    assert.equal(parseShown(odd, "@store/al")!.notBefore, undefined, date);
  }
});

Deno.test("parseCrtList() reads names and filters, whatever stands between them", () => {
  // As 2.6.12 and 3.2.26 list a file and a directory.
  const text = `# /list.txt
/certs/a.pem [alpn h2 ] a.example !c.b.example
/certs/a.pem  x.b.example
/certs/b.pem
@store/al [ocsp-update on ]
/certs/c.pem [ ] *.C.example

`;
  assert.deepEqual(parseCrtList(text), [
    { name: "/certs/a.pem", filters: ["a.example", "!c.b.example"] },
    { name: "/certs/a.pem", filters: ["x.b.example"] },
    { name: "/certs/b.pem", filters: [] },
    { name: "@store/al", filters: [] },
    { name: "/certs/c.pem", filters: ["*.c.example"] },
  ]);
  assert.deepEqual(parseCrtList("# /certs\n\n"), []);
});

Deno.test("isShown() wants every fact that both sides know to agree", () => {
  const mine = { fingerprint: "AB", serial: "0b:e6" };
  const table: [shown: Parameters<typeof isShown>[0], expected: boolean][] = [
    [{ fingerprint: "AB", serial: "0BE6" }, true],
    [{ fingerprint: "AB", serial: "BE6" }, true],
    [{ fingerprint: "AB" }, true],
    [{ serial: "BE6" }, true],
    [{ fingerprint: "AC", serial: "0BE6" }, false],
    [{ fingerprint: "AB", serial: "0BE7" }, false],
    [{ serial: "0BE60" }, false],
    [{}, false],
  ];
  for (const [shown, expected] of table) {
    assert.equal(isShown(shown, mine), expected, JSON.stringify(shown));
  }
  assert.equal(isShown({ serial: "BE6" }, { fingerprint: "AB" }), false);
});

Deno.test("parseProcesses() reads the reloads of old masters and new ones", () => {
  const table: [text: string, expected: unknown][] = [
    ["6145            master          2 [failed: 1]   0d00h16m38s     2.6.12", {
      reloads: 2,
      failed: 1,
    }],
    // 2.4 has a column of relative process ids.
    ["1234            master          0               3               0d00h01m02s     2.4.0", {
      reloads: 3,
      failed: undefined,
    }],
    ["6148            worker          0               0d00h14m16s     2.6.12", undefined],
    ["Unknown command", undefined],
  ];
  for (const [line, expected] of table) {
    const text = `#<PID>          <type>          <reloads>\n${line}\n# workers\n\n`;
    assert.deepEqual(parseProcesses(text), expected, line);
  }
});

Deno.test("parseReload() believes only the master's own word, and quotes its alert", () => {
  const at = "parsing [front.cfg:10] : 'bind :443' in section 'frontend'";
  const why = `${at} : unable to load certificate from file '/certs/bad.pem': no start line.`;
  // As 3.2.26 and, in a shorter form, 3.0.11 answer.
  const failed = `Success=0\n--\n[NOTICE]   (18681) : Initializing new worker (18723)\n` +
    `[NOTICE]   (18723) : haproxy version is 3.2.26-1\n[ALERT]    (18723) : config : ${why}\n` +
    `[ALERT]    (18723) : config : Fatal errors found in configuration.\n\n`;
  const table: [text: string, expected: unknown][] = [
    ["Success=1\n--\n[NOTICE] ...\n", { kind: "done" }],
    ["[NOTICE] Success=1\n", { kind: "untold" }],
    ["", { kind: "untold" }],
    [failed, { kind: "failed", alert: why }],
    ["Success=0\n", { kind: "failed", alert: undefined }],
    ["Success=0\n--\n[ALERT] Success=1 said nobody\n", { kind: "failed", alert: undefined }],
    ["Success=0\n--\n[ALERT]    (1) : a\x1b[31mb\n", { kind: "failed", alert: "a [31mb" }],
  ];
  for (const [text, expected] of table) assert.deepEqual(parseReload(text), expected, text);
});

Deno.test("parseCrtLists() tells lists from an error", () => {
  assert.deepEqual(parseCrtLists("/tmp/hx/dir\nlist.txt\n\n"), ["/tmp/hx/dir", "list.txt"]);
  assert.deepEqual(parseCrtLists("\n"), []);
  assert.equal(parseCrtLists("/tmp/hx/di"), undefined);
  assert.equal(parseCrtLists("Unknown command, but maybe\n"), undefined);
});

Deno.test("plainPath() makes spellings of one path equal and of two paths different", () => {
  for (const path of ["/a/b", "/a//b", "/a/b/", "/a/./b", "//a/././/b//"]) {
    assert.equal(plainPath(path), "/a/b", path);
  }
  for (const path of ["/", "a/b", "/a/.b", "/a/b.", "/a/../b", "@store/b"]) {
    assert.equal(plainPath(path), path, path);
  }
});

Deno.test("quoteReply() leaves one short line without control characters", () => {
  assert.equal(quoteReply("a\n\tb\x1b[31m\n\n"), "a b [31m");
  assert.equal(quoteReply("x".repeat(500)).length, 201);
});
