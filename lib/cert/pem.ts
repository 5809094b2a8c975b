/**
 * PEM: splitting text into labelled DER blocks, and writing such blocks.
 *
 * Text is never passed through. What HAProxy's runtime API gets from a PEM file is executed as
 * commands after the first blank line, so everything outside the base64 is dropped on reading and
 * the base64 is made anew on writing (RFC 7468: 64 columns, one line feed, no blank lines).
 */

/** One block: its label, its bytes, the line of its BEGIN (from 1). */
export interface PemBlock {
  label: string;
  der: Uint8Array;
  line: number;
  /** Set by an RFC 1421 `Proc-Type: 4,ENCRYPTED` header; `der` is then the encrypted bytes. */
  encrypted: boolean;
}

/**
 * RFC 7468 section 3: a label is visible characters, with single spaces or hyphens between them.
 * OpenSSL 3 writes one with a dot, `X9.42 DH PARAMETERS`.
 */
const BOUNDARY = /^-----(BEGIN|END) (?=.{1,64}-----$)([!-,.-~]+(?:[ -][!-,.-~]+)*)-----$/;

/** What a text holds: the blocks that can be read, and what is wrong with the others. */
interface PemScan {
  blocks: PemBlock[];
  faults: PemFault[];
}

/** A block that cannot be read; `text` never quotes its content. */
export interface PemFault {
  /** From 1. */
  line: number;
  text: string;
  /** Of the block that is damaged, where that is known. */
  label?: string;
}

/**
 * The blocks of a text, all of which must be whole. A byte order mark, CRLF line ends, blank lines
 * and text around the blocks are tolerated, as HAProxy tolerates them in a file; so are CR line
 * ends, which HAProxy does not read.
 * @throws {SyntaxError} `line N: …` for a block that is cut short, nested, mislabelled, joined to
 *   the next one, or holds anything but base64
 */
export function parsePem(bytes: Uint8Array): PemBlock[] {
  const { blocks, faults: [fault] } = scanPem(bytes);
  if (fault) throw new SyntaxError(`line ${fault.line}: ${fault.text}`);
  return blocks;
}

/** A line that was meant to be a boundary; text before the dashes makes it a comment. */
const ALMOST_BOUNDARY = /^\s*-+(BEGIN|END) /;

/** A UTF-8 byte order mark: also in the middle of a file that was joined from several. */
const BYTE_ORDER_MARK = /^\u00ef\u00bb\u00bf/;

/**
 * The same of a text that may be damaged: a block that cannot be read hides none of the others.
 * Reading goes on at the next BEGIN. Never throws.
 */
export function scanPem(bytes: Uint8Array): PemScan {
  const scan: PemScan = { blocks: [], faults: [] };
  let open: OpenBlock | undefined;
  let line = 0;

  function readBoundary(text: string): void {
    const [, kind, label] = BOUNDARY.exec(text) ?? [];
    const fault = (text: string) => scan.faults.push({ line, text, label: open?.label });
    const [, end, begin] = /^(-----END [^-]+-----)-*(-----BEGIN [^-]+-----)$/.exec(text) ?? [];
    if (kind === "BEGIN") {
      if (open) fault(`${open.label} of line ${open.line} has no END`);
      open = { label: label!, line, body: [] };
    } else if (kind === "END") {
      if (!open) fault(`END ${label}, but no block is open`);
      else if (open.label !== label) {
        fault(`END ${label}, but the block of line ${open.line} is ${open.label}`);
      } else finishBlock(open, scan);
      open = undefined;
    } else if (end !== undefined) {
      readBoundary(end);
      fault("a line break is missing between END and BEGIN");
      readBoundary(begin!);
    } else if (ALMOST_BOUNDARY.test(text)) {
      fault("the BEGIN or END line is damaged");
      open = undefined;
    } else {
      open?.body.push(text.trim());
    }
  }

  for (const raw of new TextDecoder("latin1").decode(bytes).split(/\r\n|\r|\n/)) {
    line++;
    // Nearly every line is base64, which has no dash.
    if (raw.includes("--")) readBoundary(raw.replace(BYTE_ORDER_MARK, "").replace(/[ \t]+$/, ""));
    else open?.body.push(raw.trim());
  }
  if (open) {
    scan.faults.push({ line: open.line, text: `${open.label} has no END`, label: open.label });
  }
  return scan;
}

interface OpenBlock {
  label: string;
  line: number;
  body: string[];
}

/** Whether a block claims to be a certificate. */
export function isCertificate({ label }: PemBlock): boolean {
  return label === "CERTIFICATE" || label === "X509 CERTIFICATE";
}

/** One block as text. */
export function encodePem(label: string, der: Uint8Array): string {
  const base64 = der.toBase64();
  const lines = base64.match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

function finishBlock({ label, line, body }: OpenBlock, { blocks, faults }: PemScan): void {
  const fault = (text: string) => void faults.push({ line, text: `${label} ${text}`, label });
  let lines = body;
  let encrypted = false;
  if (body.some((text) => text.includes(":"))) {
    const end = body.indexOf("");
    encrypted = body.slice(0, Math.max(0, end)).some((text) =>
      /^Proc-Type: *4, *ENCRYPTED$/.test(text)
    );
    if (!encrypted) return fault("has headers before its base64");
    lines = body.slice(end + 1);
  }
  const base64 = lines.join("");
  if (!/^[A-Za-z0-9+/=]*$/.test(base64)) return fault("does not hold base64");
  if (base64 === "") return fault("is empty");
  try {
    const der = Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" });
    blocks.push({ label, line, encrypted, der });
  } catch {
    fault("holds incomplete base64");
  }
}
