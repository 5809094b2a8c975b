/** Plain values from which self-test makes its report. */

import type { AskFault, Reply } from "../../lib/http/ask.ts";
import type { Path } from "../../lib/self_test/paths.ts";
import type { DiagnosisContext } from "../../lib/self_test/diagnosis_context.ts";

export const TOKEN = "t".repeat(43);
export const TEXT = `${TOKEN}.${"h".repeat(43)}`;

/** When an answer was asked for, and its Date. */
export const NOW = Date.UTC(2026, 10, 24, 6, 0, 0);

/** An answer within a millisecond. */
export function answer(status: number, body = "", fields: Record<string, string> = {}): Reply {
  return { status, body, fields, sent: NOW, received: NOW + 1, ms: 1 };
}

/** No answer; the connection was never made unless told. */
export function silence(fault: AskFault, connected = false): Reply {
  return { fault, connected, ms: 10_000 };
}

export function pathTo(hostname: string, more: Partial<Path> = {}): Path {
  return {
    port: "public",
    address: { hostname, port: more.port === "challenge" ? 31080 : 80 },
    host: "service.example",
    of: [],
    machine: hostname,
    own: false,
    foreign: false,
    named: true,
    published: true,
    translated: false,
    ...more,
  };
}

export const AROUND: DiagnosisContext = {
  token: TOKEN,
  text: TEXT,
  webroot: "/run/acme/acme-challenge",
  httpsPort: 443,
  held: true,
  alive: false,
  otherFamily: false,
  peersWell: true,
};
