/**
 * What HAProxy's answers mean. Pure.
 *
 * The runtime API has no status codes. Each outcome depends on the exact sentence, with the name in
 * it, that src/ssl_ckch.c and src/ssl_crtlist.c print from 2.2 to 3.5; any other text is a refusal,
 * never a success.
 */

import { startOf } from "../clip.ts";

/** The outcome of a command that changes something. */
export type CommandOutcome =
  | { kind: "done" }
  /** The open transaction is another certificate's; `mixed`: ours has gone into it (2.6 does so). */
  | { kind: "other"; name: string; mixed: boolean }
  /** There is no transaction: another client ended it. */
  | { kind: "none" }
  /** Another command works on certificates right now. */
  | { kind: "locked" }
  /** The name, or the crt-list, is not part of the configuration. */
  | { kind: "unknown" }
  | { kind: "exists" }
  /** The payload does not fit; before 2.9 HAProxy hangs up instead of saying so. */
  | { kind: "too_large" }
  /** The socket is not `level admin`. */
  | { kind: "denied" }
  | { kind: "refused"; why: string };

/** `set ssl cert NAME`. */
export function parseSet(text: string, name: string): CommandOutcome {
  const last = lastLine(text);
  if (last === `Transaction created for certificate ${name}!`) return { kind: "done" };
  if (last === `Transaction updated for certificate ${name}!`) return { kind: "done" };
  const other = /^Transaction (?:created|updated) for certificate (.+)!$/.exec(last);
  if (other) return { kind: "other", name: other[1]!, mixed: true };
  return refusalOf(text);
}

/** `commit ssl cert NAME`; warnings may stand between the two lines that count. */
export function parseCommit(text: string, name: string): CommandOutcome {
  const [first = ""] = linesOf(text);
  const head = `Committing ${name}`;
  const dots = first.slice(head.length);
  if (first.startsWith(head) && /^\.*$/.test(dots) && lastLine(text) === "Success!") {
    return { kind: "done" };
  }
  return refusalOf(text);
}

/** `abort ssl cert NAME`. */
export function parseAbort(text: string, name: string): CommandOutcome {
  if (lastLine(text) === `Transaction aborted for certificate '${name}'!`) return { kind: "done" };
  return refusalOf(text);
}

/** `new ssl cert NAME`. */
export function parseNew(text: string, name: string): CommandOutcome {
  if (lastLine(text) === `New empty certificate store '${name}'!`) return { kind: "done" };
  return refusalOf(text);
}

/** `add ssl crt-list LIST NAME`. */
export function parseAdd(text: string, name: string): CommandOutcome {
  const [first = ""] = linesOf(text);
  const begun = first.startsWith(`Inserting certificate '${name}' in crt-list '`);
  if (begun && lastLine(text) === "Success!") return { kind: "done" };
  return refusalOf(text);
}

/** `del ssl crt-list LIST NAME` and `del ssl cert NAME`. */
export function parseDelete(text: string, name: string): CommandOutcome {
  const last = lastLine(text);
  if (last === `Certificate '${name}' deleted!`) return { kind: "done" };
  if (last.startsWith(`Entry '${name}' deleted in crtlist '`)) return { kind: "done" };
  return refusalOf(text);
}

/**
 * Another client, or HAProxy's own ACME, works on certificates at this moment. It is a line of its
 * own, so that no certificate's subject can say so.
 */
export function isLocked(text: string): boolean {
  return /^Operations on certificates are currently locked!$/m.test(text);
}

/**
 * The socket's level is too low. For `show` and `dump ssl cert` HAProxy replaces its own sentence by
 * the one about memory (cli_parse_show_cert, from 2.2 to 3.5).
 */
export function isDenied(text: string): boolean {
  return /^(?:Permission denied|Can't allocate memory!)/.test(text);
}

function refusalOf(text: string): CommandOutcome {
  const about = /^The ongoing transaction is about '(.+?)' but you are trying to /m.exec(text);
  if (about) return { kind: "other", name: about[1]!, mixed: false };
  if (/^No ongoing transaction!/m.test(text)) return { kind: "none" };
  if (isLocked(text)) return { kind: "locked" };
  if (text.includes("which is not referenced by the configuration!")) return { kind: "unknown" };
  if (/ (?:does not|doesn't) exist!/.test(text)) return { kind: "unknown" };
  if (/ already exists(?: in this directory)?!/.test(text)) return { kind: "exists" };
  if (/^The (?:command line|command|payload) is too big/m.test(text)) return { kind: "too_large" };
  if (text.startsWith("Permission denied")) return { kind: "denied" };
  return { kind: "refused", why: quoteReply(text) };
}

/** What `show ssl cert` lists. */
export interface Inventory {
  names: string[];
  /** The certificate whose transaction is open. */
  transaction?: string;
}

/**
 * `show ssl cert`; undefined when the text is no such list, or broke off within a line. A HAProxy
 * without any certificate (strict-sni and an empty directory) answers with a blank line.
 */
export function parseInventory(text: string): Inventory | undefined {
  if (!text.endsWith("\n")) return undefined;
  const lines = linesOf(text);
  if (lines.length === 0) return { names: [] };
  const header = lines.indexOf("# filename");
  if (header < 0 || (header > 0 && lines[0] !== "# transaction")) return undefined;
  const transaction = lines.slice(0, header).find((line) => line.startsWith("*"))?.slice(1);
  return { names: lines.slice(header + 1), transaction };
}

/** What `show ssl cert NAME` tells of one certificate; what it does not tell is undefined. */
export interface Shown {
  /** `Used`, `Unused` (loaded, but no bind offers it) or `Empty` (made by `new`, never filled). */
  status?: string;
  serial?: string;
  /** SHA-1 over the leaf, upper case. */
  fingerprint?: string;
  notBefore?: Date;
  notAfter?: Date;
  /** DNS names, in lower case; without wildcards' meaning. HAProxy uses the common name too. */
  names: string[];
  /** `RSA2048`, `EC256`; of newer versions other words are possible. */
  algorithm?: string;
  /** One line, each attribute behind a slash: `/C=US/O=Let's Encrypt/CN=R10`. */
  subject?: string;
  issuer?: string;
  /** Certificates behind the leaf, without those that HAProxy adds from `issuers-chain-path`. */
  chainLength: number;
  /** The file that it was loaded from, as the configuration has it (told from 3.2 on). */
  crtFile?: string;
  /** The file of its key; the same one, or undefined, for most. */
  keyFile?: string;
}

/** `show ssl cert NAME`; undefined when it does not show exactly that name. */
export function parseShown(text: string, name: string): Shown | undefined {
  const lines = linesOf(text);
  if (lines[0] !== `Filename: ${name}` || !text.endsWith("\n")) return undefined;
  const field = (key: string) => {
    const value = lines.find((line) => line.startsWith(`${key}: `))?.slice(key.length + 2).trim();
    return value === "" ? undefined : value;
  };
  const subject = field("Subject");
  return {
    status: field("Status"),
    serial: field("Serial"),
    fingerprint: field("SHA1 FingerPrint")?.toUpperCase(),
    notBefore: parseDate(field("notBefore")),
    notAfter: parseDate(field("notAfter")),
    names: parseNames(field("Subject Alternative Name"), attributeOf(subject, "CN")),
    algorithm: field("Algorithm"),
    subject,
    issuer: field("Issuer"),
    // "Chain Filename" is that of a chain which HAProxy has found in issuers-chain-path.
    chainLength: field("Chain Filename") === undefined
      ? lines.filter((line) => line.startsWith("Chain Subject: ")).length
      : 0,
    crtFile: field("Crt filename"),
    keyFile: field("Key filename"),
  };
}

/** The value of an attribute in a subject or issuer as HAProxy writes it. */
export function attributeOf(name: string | undefined, type: string): string | undefined {
  return name?.match(new RegExp(`(?:^|/)${type}=([^/]*)`))?.[1];
}

/** OpenSSL's `Nov  5 14:45:48 2026 GMT`. */
function parseDate(text: string | undefined): Date | undefined {
  if (!text || !/^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} GMT$/.test(text)) return undefined;
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function parseNames(alternatives: string | undefined, commonName: string | undefined): string[] {
  const entries = alternatives?.split(", ").filter((entry) => entry.startsWith("DNS:")) ?? [];
  const names = [...entries.map((entry) => entry.slice(4)), ...commonName ? [commonName] : []];
  return [...new Set(names.map((name) => name.toLowerCase()))];
}

/** By what a certificate is recognised in {@link Shown}. */
export interface Identity {
  /** SHA-1 over the leaf in upper-case hexadecimal. */
  fingerprint: string;
  /** Hexadecimal of any case, with or without colons and leading zeros. */
  serial?: string;
}

/** Whether it is the expected certificate: every fact that both sides have must agree. */
export function isShown(
  shown: Pick<Shown, "fingerprint" | "serial">,
  identity: Identity,
): boolean {
  const { fingerprint, serial } = shown;
  if (fingerprint === undefined && (serial === undefined || !identity.serial)) return false;
  if (fingerprint !== undefined && fingerprint !== identity.fingerprint) return false;
  return serial === undefined || !identity.serial || plain(serial) === plain(identity.serial);
}

function plain(serial: string): string {
  return serial.replaceAll(":", "").replace(/^0+(?=.)/, "").toUpperCase();
}

/** `show ssl crt-list`: the lists and directories; undefined when the text is no such list. */
export function parseCrtLists(text: string): string[] | undefined {
  const lines = linesOf(text);
  const refused = lines.some((line) => /^Unknown command|^Permission denied/.test(line));
  return refused || !text.endsWith("\n") ? undefined : lines;
}

/** A line of a crt-list. */
export interface CrtListEntry {
  name: string;
  /** Names that the line is for, `!` before those that it is not for; empty: all of the certificate. */
  filters: string[];
}

/** `show ssl crt-list LIST`; a directory's entries have no filters. */
export function parseCrtList(text: string): CrtListEntry[] {
  return linesOf(text).filter((line) => !line.startsWith("#")).map((line) => {
    const [, name, filters = ""] = /^(\S+)(?:\s+\[[^\]]*\])?\s*(.*)$/.exec(line) ?? [];
    const words = filters.toLowerCase().split(/\s+/).filter((word) => word !== "");
    return { name: name ?? line, filters: words };
  });
}

/** What `show proc` of a master tells. */
export interface Processes {
  /** How often the master has been told to reload. */
  reloads: number;
  /** How many of the latest reloads failed; not told before 2.5. */
  failed?: number;
}

/** `show proc`; undefined when no master answered. */
export function parseProcesses(text: string): Processes | undefined {
  // Before 2.5 a column of relative process ids stands before the reloads.
  const master = /^\d+\s+master\s+(?:\d+\s+(?=\d+\s))?(\d+)(?:\s+\[failed: (\d+)\])?/m.exec(text);
  if (!master) return undefined;
  const failed = master[2] === undefined ? undefined : Number(master[2]);
  return { reloads: Number(master[1]), failed };
}

/**
 * `reload`: 2.7 and later tell how it went; before, the master only closes the connection.
 *
 * - `failed`: with the first alert of the configuration check, which names file and line; with the
 *   start-up log kept only in part, it may be missing
 */
type ReloadReply = { kind: "done" | "untold" } | { kind: "failed"; alert?: string };

export function parseReload(text: string): ReloadReply {
  const [, success] = /^Success=([01])$/m.exec(text) ?? [];
  if (success !== "0") return { kind: success === "1" ? "done" : "untold" };
  const [, alert] = /^\[ALERT\]\s+\(\d+\) : (.+)$/m.exec(text) ?? [];
  return { kind: "failed", alert: alert && quoteReply(alert.replace(/^config : /, "")) };
}

/** A path without doubled slashes, `/./` and a final slash; links are not looked at. */
export function plainPath(path: string): string {
  return path.replace(/\/(?:\.?\/)+/g, "/").replace(/(?<=.)\/$/, "");
}

/** HAProxy's text on one line, bounded, and safe for a terminal. */
export function quoteReply(text: string): string {
  const line = text.replace(/[\s\p{C}]+/gu, " ").trim();
  return line.length > 200 ? `${startOf(line, 200)}…` : line;
}

function linesOf(text: string): string[] {
  return text.split("\n").map((line) => line.trimEnd()).filter((line) => line !== "");
}

function lastLine(text: string): string {
  return linesOf(text).at(-1) ?? "";
}
