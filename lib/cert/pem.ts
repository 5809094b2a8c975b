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

const BOUNDARY = /^-----(BEGIN|END) ([A-Z0-9](?:[A-Z0-9 ]{0,62}[A-Z0-9])?)-----$/;

/**
 * The blocks of a text. A byte order mark, CRLF or CR line ends, blank lines and text around the
 * blocks are tolerated, as HAProxy tolerates them in a file.
 * @throws {SyntaxError} `line N: …` for a block that is cut short, nested, mislabelled, joined to
 *   the next one, or holds anything but base64
 */
export function parsePem(bytes: Uint8Array): PemBlock[] {
  const lines = new TextDecoder("latin1").decode(bytes).replace(/^ï»¿/, "").split(/\r\n|\r|\n/);
  const blocks: PemBlock[] = [];
  let open: { label: string; line: number; body: string[] } | undefined;
  for (const [index, raw] of lines.entries()) {
    if (!raw.includes("-----")) {
      open?.body.push(raw.trim());
      continue;
    }
    const text = raw.replace(/[ \t]+$/, "");
    const line = index + 1;
    const [, kind, label] = BOUNDARY.exec(text) ?? [];
    if (kind === "BEGIN") {
      if (open) {
        throw new SyntaxError(`line ${line}: ${open.label} of line ${open.line} has no END`);
      }
      open = { label: label!, line, body: [] };
    } else if (kind === "END") {
      if (open?.label !== label) {
        const before = open
          ? `the block of line ${open.line} is ${open.label}`
          : "no block is open";
        throw new SyntaxError(`line ${line}: END ${label}, but ${before}`);
      }
      blocks.push(finishBlock(open!));
      open = undefined;
    } else if (/-----(BEGIN|END) /.test(text)) {
      const joined = /-----END [A-Z0-9 ]+-----+BEGIN /.test(text);
      throw new SyntaxError(
        joined
          ? `line ${line}: a line break is missing between END and BEGIN`
          : `line ${line}: the BEGIN or END line is damaged`,
      );
    } else {
      open?.body.push(text.trim());
    }
  }
  if (open) throw new SyntaxError(`line ${open.line}: ${open.label} has no END`);
  return blocks;
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

function finishBlock(open: { label: string; line: number; body: string[] }): PemBlock {
  const { label, line } = open;
  let body = open.body;
  let encrypted = false;
  if (body.some((text) => text.includes(":"))) {
    const end = body.indexOf("");
    encrypted = body.slice(0, Math.max(0, end)).some((text) =>
      /^Proc-Type: *4, *ENCRYPTED$/.test(text)
    );
    if (!encrypted) throw new SyntaxError(`line ${line}: ${label} has headers before its base64`);
    body = body.slice(end + 1);
  }
  const base64 = body.join("");
  if (!/^[A-Za-z0-9+/=]*$/.test(base64)) {
    throw new SyntaxError(`line ${line}: ${label} does not hold base64`);
  }
  if (base64 === "") throw new SyntaxError(`line ${line}: ${label} is empty`);
  try {
    return {
      label,
      line,
      encrypted,
      der: Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" }),
    };
  } catch {
    throw new SyntaxError(`line ${line}: ${label} holds incomplete base64`);
  }
}
