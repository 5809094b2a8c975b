/** What a failed handshake means, in words for an operator. */

import { messageOf } from "../errors.ts";
import { printable } from "../log.ts";
import { errnoOf } from "../system_reason.ts";
import { NotTlsError, TlsAlertError, TlsClosedError, TlsKeyError } from "./tls_handshake.ts";
import { TlsSyntaxError } from "./tls_bytes.ts";

/**
 * - `timeout`: no handshake within the deadline
 * - `unreachable`: no connection, or no address
 * - `no_tls`: a connection, but what came is not TLS, or nothing came
 * - `no_certificate_for_name`: TLS, but the server refuses the name that was asked for
 * - `key_mismatch`: the server has another key than its certificate
 * - `unsupported`: TLS, but no handshake that this program can do
 */
export type ProbeFault =
  | "timeout"
  | "unreachable"
  | "no_tls"
  | "no_certificate_for_name"
  | "key_mismatch"
  | "unsupported";

/** `text` is one line without a full stop; it may quote the endpoint. */
export interface ProbeFailure {
  fault: ProbeFault;
  text: string;
  /** The server itself refused by an alert, so that another question may get an answer. */
  refused?: true;
}

/** The alert for a name that the server does not have: HAProxy's strict-sni, nginx, Apache. */
const UNRECOGNIZED_NAME = 112;

/** Alerts when no version, cipher or kind of key suits both sides (RFC 8446 section 6.2). */
const ALERTS = new Map<number, string>([
  [40, "handshake_failure"],
  [47, "illegal_parameter"],
  [50, "decode_error"],
  [70, "protocol_version"],
  [71, "insufficient_security"],
  [80, "internal_error"],
  [86, "inappropriate_fallback"],
  [109, "missing_extension"],
  [UNRECOGNIZED_NAME, "unrecognized_name"],
  [116, "certificate_required"],
  [120, "no_application_protocol"],
]);

const CONNECTION_FAILURES: Record<string, string> = {
  ECONNREFUSED: "connection refused: nothing listens there",
  EHOSTUNREACH: "no route to the host, or a firewall refuses it",
  ENETUNREACH: "no route to its network",
  EADDRNOTAVAIL: "this machine has no address of that family",
  EINVAL: "a link-local address needs the zone of an interface of this machine, as in %eth0",
  ETIMEDOUT: "no answer to the connection",
};

/** @param servername what was asked for, if anything */
export function explainFailure(error: unknown, servername: string | undefined): ProbeFailure {
  if (error instanceof TlsAlertError) return explainAlert(error.alert, servername);
  if (error instanceof NotTlsError) {
    return { fault: "no_tls", text: describeGreeting(error.greeting) };
  }
  const code = errnoOf(error) ?? "";
  const closed = error instanceof TlsClosedError || ["ECONNRESET", "EPIPE"].includes(code);
  if (closed || error instanceof Deno.errors.ConnectionReset) {
    const text = "it closed the connection during the TLS handshake: does it expect the PROXY " +
      "protocol first (accept-proxy of HAProxy), or are its connections used up?";
    return { fault: "no_tls", text };
  }
  if (error instanceof TlsKeyError) {
    const text = "it has another private key than that of the certificate that it sends: every " +
      "client refuses it";
    return { fault: "key_mismatch", text };
  }
  if (error instanceof TlsSyntaxError) {
    return { fault: "unsupported", text: `the TLS handshake failed: ${messageOf(error)}` };
  }
  if (code === "EMFILE" || code === "ENFILE") {
    return { fault: "unsupported", text: "this machine has no descriptor left to connect with" };
  }
  const known = Object.hasOwn(CONNECTION_FAILURES, code) ? CONNECTION_FAILURES[code] : undefined;
  return { fault: "unreachable", text: known ?? messageOf(error) };
}

/** The same server answered without the name, or with another. */
export function nameRefused(servername: string): ProbeFailure {
  const text = `it has no certificate for ${servername} and refuses clients that ask for it: ` +
    "install one, or find out why it was not loaded";
  return { fault: "no_certificate_for_name", text };
}

function explainAlert(alert: number, servername: string | undefined): ProbeFailure {
  if (alert === UNRECOGNIZED_NAME) {
    if (servername !== undefined) return nameRefused(servername);
    const text = "it answers only clients that ask for a name: give --servername";
    return { fault: "unsupported", text };
  }
  const name = ALERTS.get(alert) ?? `alert ${alert}`;
  const text = `it refuses the TLS handshake (${name}): no version, cipher or kind of key in ` +
    "common with this check, or no certificate; look with openssl s_client";
  return { fault: "unsupported", text, refused: true };
}

/** Protocols in which the server speaks first, by its greeting. */
const GREETINGS: [RegExp, string][] = [
  [/^220[ -].*(?:SMTP|mail|postfix|exim)/i, "SMTP, which begins TLS with STARTTLS"],
  [/^220[ -].*FTP/i, "FTP, which begins TLS with AUTH TLS"],
  [/^220[ -]/, "SMTP or FTP, which begin TLS with a command"],
  [/^\* (?:OK|PREAUTH|BYE)/i, "IMAP, which begins TLS with STARTTLS"],
  [/^\+OK/i, "POP3, which begins TLS with STLS"],
  [/^SSH-/, "SSH"],
  [/^HTTP\//, "HTTP without TLS"],
  [/^<\?xml|^<stream/i, "XMPP, which begins TLS with STARTTLS"],
];

function describeGreeting(greeting: Uint8Array): string {
  const words = new TextDecoder().decode(greeting.subarray(0, 200));
  const [line = ""] = words.split(/\r?\n/);
  const protocol = GREETINGS.find(([pattern]) => pattern.test(line))?.[1];
  const quote = /^[\x20-\x7e]{3,}/.test(line) ? `: it says "${printable(line.slice(0, 80))}"` : "";
  return `it does not speak TLS${quote}${protocol ? ` (${protocol})` : ""}`;
}
