/** Each rule of the two kinds of ports, and the advice that what stands around it leads to. */

import assert from "node:assert/strict";
import type { Reply } from "../../lib/http/ask.ts";
import type { Replies } from "../../lib/self_test/ask_paths.ts";
import type { SelfTestFinding } from "../../lib/self_test/findings.ts";
import { checkChallengePort } from "../../lib/self_test/check_challenge_port.ts";
import { checkPublicPort } from "../../lib/self_test/check_public_port.ts";
import { type Path, VIRTUAL } from "../../lib/self_test/paths.ts";
import type { DiagnosisContext } from "../../lib/self_test/diagnosis_context.ts";
import { answer, AROUND, pathTo, silence, TEXT } from "./evidence.ts";

const FOUND = answer(200, TEXT);
const ABSENT = answer(404, "404 Not Found\n");
const ALL = answer(200, "Hello");

interface Case {
  token: Reply;
  unknown?: Reply;
  redirect?: Reply;
  path?: Partial<Path>;
  around?: Partial<DiagnosisContext>;
}

/** [name, case, the findings as `level rule`, and what the text of the first must say] */
type Row = [string, Case, string[], RegExp?];

const CHALLENGE: Row[] = [
  ["its own port gives the token", { token: FOUND, path: { own: true } }, []],
  ["another says 404", { token: ABSENT }, []],
  ["another shares the webroot", { token: FOUND }, []],
  ["its own port says 404", { token: ABSENT, path: { own: true } }, [
    "fail absent",
  ], /does not serve the token in \/run\/acme\/acme-challenge: it runs with another webroot/],
  ["another answers all", { token: ALL, unknown: ALL }, ["fail catch_all"]],
  ["its own port answers all", { token: FOUND, unknown: ALL, path: { own: true } }, [
    "fail catch_all",
  ]],
  ["its own port gives another text", { token: ALL, path: { own: true } }, [
    "fail bad_body",
  ], /answers "Hello" instead of the planted text/],
  ["refused, on a machine that is there", { token: silence("refused"), around: { alive: true } }, [
    "fail refused",
  ], /port 31080, though the machine answers on another; compare its challenge.listen/],
  ["refused, as everything there", { token: silence("refused") }, [
    "fail refused",
  ], /acme-lb is not running on it/],
  ["silent, on a machine that is there", { token: silence("timeout"), around: { alive: true } }, [
    "fail timeout",
  ], /a firewall drops packets to port 31080/],
  ["silent, as everything there", { token: silence("timeout") }, [
    "fail timeout",
  ], /no answer on any port/],
  ["it hangs", { token: silence("timeout", true), around: { alive: true } }, [
    "fail timeout",
  ], /it takes connections and does not answer/],
  [
    "no way there",
    { token: silence("unreachable") },
    ["fail unreachable"],
    /no route to it/,
  ],
  ["it closes", { token: silence("empty", true) }, ["fail empty"], /closes the connection/],
  ["it resets", { token: silence("reset", true) }, ["fail reset"], /closes the connection/],
  ["cut short", { token: silence("bad_framing", true) }, ["fail bad_framing"], /cut short/],
  ["endless", { token: silence("too_large", true) }, ["fail too_large"]],
  ["it forbids", { token: answer(403) }, ["fail bad_status"], /with challenge.allow: peers/],
  [
    "it fails",
    { token: answer(500) },
    ["fail bad_status"],
    /^HTTP 500: that is not a challenge port/,
  ],
  [
    "it redirects",
    { token: answer(301, "", { location: "https://\x1b[2J" + "x".repeat(99) }) },
    ["fail redirected"],
    /^HTTP 301 to "https:\/\/.\[2Jx{48}…"; is that the public port/,
  ],
];

const HERE = "/page?q";
const RIGHT = answer(301, "", { location: `https://service.example${HERE}` });
const SIX = { address: { hostname: "2001:db8::1", port: 80 } };

const PUBLIC: Row[] = [
  ["all is well", { token: FOUND, unknown: ABSENT, redirect: RIGHT }, []],
  ["it takes 5 s", { token: { ...FOUND, ms: 5_000 } }, []],
  ["it takes more", { token: { ...FOUND, ms: 5_001 } }, ["warn slow"], /it took 5\.0 s; the CA/],
  ["404", { token: ABSENT }, ["fail absent"], /is this one among its peers\?/],
  ["404 as here", { token: ABSENT, around: { held: false } }, [
    "fail absent",
  ], /as this balancer itself does not give the token/],
  ["504", { token: answer(504) }, ["fail bad_status"], /^HTTP 504: it did not get the token/],
  ["502", { token: answer(502) }, ["fail bad_status"], /can it reach the challenge port here\?/],
  ["500", { token: answer(500) }, ["fail bad_status"], /^HTTP 500 where exactly 200 is wanted/],
  ["302", { token: answer(302, "", { location: "/x" }) }, [
    "fail redirected",
  ], /^HTTP 302 to "\/x": a challenge must be answered/],
  ["128 bytes", { token: answer(200, TEXT.padEnd(128)) }, ["fail too_large"], /are 128$/],
  ["endless", { token: silence("too_large", true) }, ["fail too_large"], /refuses more$/],
  ["a line before", { token: answer(200, `\n${TEXT}`) }, [
    "fail leading_bytes",
  ], /begins with white space, which the CA does not accept before the text$/],
  ["a byte order mark before", { token: answer(200, `\xef\xbb\xbf${TEXT}`) }, [
    "fail leading_bytes",
  ], /begins with a byte order mark, /],
  [
    "a tag before",
    { token: answer(200, `<p>${TEXT}`) },
    ["fail leading_bytes"],
    /begins with "<p>", /,
  ],
  ["another text", { token: ALL }, ["fail bad_body"], /another text: "Hello"/],
  ["no text", { token: answer(200) }, ["fail empty"]],
  ["it closes", { token: silence("empty", true) }, ["fail empty"], /turned_away/],
  ["it resets", { token: silence("reset", true) }, ["fail reset"]],
  ["cut short", { token: silence("bad_framing", true) }, ["fail bad_framing"]],
  ["refused", { token: silence("refused") }, ["fail refused"], /port 80 there; start acme-lb/],
  ["IPv4 refused alone", { token: silence("refused"), around: { otherFamily: true } }, [
    "fail refused",
  ], /port 80 of IPv4, while IPv6 answers; public.listen: \["\[::\]:80"\] takes both/],
  [
    "IPv6 refused alone",
    { token: silence("refused"), path: SIX, around: { otherFamily: true } },
    ["fail refused"],
    /port 80 of IPv6, while IPv4 answers/,
  ],
  ["silent", { token: silence("timeout") }, ["fail timeout"], /is the machine up/],
  ["silent on port 80 alone", { token: silence("timeout"), around: { alive: true } }, [
    "fail timeout",
  ], /a firewall drops packets to port 80, while the challenge port answers/],
  ["silent in one family", { token: silence("timeout"), around: { otherFamily: true } }, [
    "fail timeout",
  ], /a firewall drops packets to port 80 of IPv4, while IPv6 answers/],
  ["silent and virtual", { token: silence("timeout"), path: { of: [VIRTUAL] } }, [
    "fail timeout",
  ], /no balancer has the address \(see keepalived\)/],
  ["it hangs", { token: silence("timeout", true) }, ["fail timeout"], /takes the connection/],
  ["unreachable", { token: silence("unreachable") }, ["fail unreachable"], /is the machine up/],
  ["unreachable and virtual", { token: silence("unreachable"), path: { of: [VIRTUAL] } }, [
    "fail unreachable",
  ], /no balancer has the address; see keepalived/],
  ["foreign", { token: ABSENT, redirect: ALL, path: { foreign: true, of: ["a.example"] } }, [
    "fail foreign_address",
  ], /^absent, and 192\.0\.2\.1 is none of the cluster's addresses; correct the record of a\.exam/],
  [
    "foreign and silent",
    { token: silence("timeout"), path: { foreign: true, of: ["a.example"] } },
    [
      "fail foreign_address",
    ],
    /does not pass requests from inside back to here/,
  ],
  ["behind a NAT", { token: FOUND, unknown: ABSENT, redirect: RIGHT, path: { foreign: true } }, []],
  [
    "200 for all tokens",
    { token: FOUND, unknown: ALL },
    ["fail catch_all"],
    /"Hello"; this server, or one/,
  ],
  ["no answer for an unknown token", { token: FOUND, unknown: silence("timeout", true) }, [
    "fail timeout",
  ], /for a token that nobody has/],
  ["504 for an unknown token", { token: FOUND, unknown: answer(504) }, [
    "fail bad_status",
  ], /it cannot ask one of its peers, though all answer this balancer/],
  [
    "504 for an unknown token while a peer is down",
    { token: FOUND, unknown: answer(504), around: { peersWell: false } },
    [],
  ],
  [
    "503 while a peer is down",
    { token: FOUND, unknown: answer(503), around: { peersWell: false } },
    [
      "fail bad_status",
    ],
  ],
  ["503 for an unknown token", { token: FOUND, unknown: answer(503) }, ["fail bad_status"]],
  ["403 for an unknown token", { token: FOUND, unknown: answer(403) }, ["fail bad_status"]],
  ["unknown says what the token said already", { token: ALL, unknown: ALL }, ["fail bad_body"]],
  ["no redirect", { token: FOUND, redirect: ALL }, ["fail no_redirect"], /^HTTP 200 instead/],
  ["303, which keeps no method", { token: FOUND, redirect: answer(303, "", { location: "/" }) }, [
    "fail no_redirect",
  ]],
  ["301 to nowhere", { token: FOUND, redirect: answer(301) }, ["fail no_redirect"]],
  ["421", { token: FOUND, redirect: answer(421) }, [
    "fail no_redirect",
  ], /^HTTP 421: service\.example is not in redirect\.hosts/],
  ["the redirect hangs", { token: FOUND, redirect: silence("timeout", true) }, [
    "fail no_redirect",
  ], /^timeout instead of a redirect/],
  [
    "the redirect loses the path",
    { token: FOUND, redirect: answer(301, "", { location: "https://service.example/" }) },
    ["fail location"],
    /to "https:\/\/service\.example\/" instead of https:\/\/service\.example\/page\?q$/,
  ],
  ["the redirect leads to another port", {
    token: FOUND,
    redirect: RIGHT,
    around: { httpsPort: 8443 },
  }, [
    "fail location",
  ]],
  [
    "HSTS",
    {
      token: FOUND,
      redirect: answer(308, "", {
        location: `https://service.example${HERE}`,
        "strict-transport-security": "max-age=1",
      }),
    },
    ["fail hsts"],
  ],
];

function check([name, given, expected, pattern]: Row, port: Path["port"]): void {
  Deno.test(`the ${port} port: ${name}: ${expected.join(", ") || "well"}`, () => {
    const { token, unknown, redirect, around } = given;
    const path = pathTo("192.0.2.1", { port, ...given.path });
    const context = { ...AROUND, ...around };
    const replies: Replies = { token, unknown, redirect };
    const { findings } = port === "public"
      ? checkPublicPort({ path, replies, page: HERE }, context)
      : checkChallengePort({ path, token, unknown }, context);
    assert.deepEqual(
      findings.map(({ level, rule }: SelfTestFinding) => `${level} ${rule}`),
      expected,
    );
    if (pattern) assert.match(findings[0]!.text, pattern);
  });
}

for (const row of CHALLENGE) check(row, "challenge");
for (const row of PUBLIC) check(row, "public");
