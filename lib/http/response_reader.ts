/**
 * Reading one HTTP/1 response (RFC 9112) as its bytes arrive.
 *
 * Each byte is looked at once, so a server that sends single bytes, or a head without an end,
 * costs no more than one that sends the same in one piece. Sizes are bounded, and the body is
 * read only for status 200.
 */

/** Why the bytes are no answer: none came, they break the rules, or there are too many. */
export type ReadFault = "empty" | "bad_framing" | "too_large";

export interface HttpResponse {
  status: number;
  /** By name in lower case; values of a repeated field are joined with a comma. */
  fields: Record<string, string>;
  /** One character a byte; empty unless the status is 200. */
  body: string;
}

export interface ResponseReaderOptions {
  /** Whether chunks are read (HTTP/1.1), or are a fault (the question was HTTP/1.0). */
  chunked: boolean;
  /** Bytes of a body. @default {@link MAX_BODY_BYTES} */
  maxBody?: number;
}

type Result = HttpResponse | { fault: ReadFault };

const MAX_HEAD = 8192;
export const MAX_BODY_BYTES = 4096;
/** The longest line with a chunk's size, extensions included. */
const MAX_SIZE_LINE = 1024;

const BAD_FRAMING: Result = { fault: "bad_framing" };
const TOO_LARGE: Result = { fault: "too_large" };

/** How the end of the body is known (RFC 9112 section 6.3). */
type Framing =
  | { kind: "close" }
  | { kind: "length"; length: number }
  | { kind: "chunks"; state: "size" | "data" | "line_end"; left: number };

export class ResponseReader {
  /** Bytes of the head, or of a line of the body that has not come to its end. */
  #line = "";
  /** The last three characters of a head that goes on. */
  #tail = "";
  #head: { status: number; fields: Record<string, string> } | undefined;
  #framing: Framing = { kind: "close" };
  #body = "";
  readonly #maxBody: number;

  constructor(private readonly options: ResponseReaderOptions) {
    this.#maxBody = options.maxBody ?? MAX_BODY_BYTES;
  }

  /** Takes the bytes that came next; the result once it is known. */
  push(bytes: Uint8Array): Result | undefined {
    let text = latin1(bytes);
    if (!this.#head) {
      const length = this.#lengthOfHead(text);
      this.#line += text.slice(0, length);
      if (this.#line.length > MAX_HEAD) return TOO_LARGE;
      if (length === undefined) return undefined;
      text = text.slice(length);
      const result = this.#readHead();
      if (result) return result;
    }
    return this.#readBody(text);
  }

  /** The server has closed: the result. */
  end(): Result {
    if (!this.#head) return this.#line === "" ? { fault: "empty" } : BAD_FRAMING;
    return this.#framing.kind === "close" ? this.#whole() : BAD_FRAMING;
  }

  /** Where the head ends in the text that came next; undefined when it goes on behind it. */
  #lengthOfHead(text: string): number | undefined {
    const before = this.#tail;
    const joined = before + text;
    this.#tail = joined.slice(-3);
    const at = joined.indexOf("\r\n\r\n");
    return at < 0 ? undefined : at + 4 - before.length;
  }

  #readHead(): Result | undefined {
    const [statusLine = "", ...lines] = this.#line.split("\r\n");
    this.#line = "";
    const digits = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine)?.[1];
    if (digits === undefined) return BAD_FRAMING;
    const status = Number(digits);
    const fields = joinFields(lines);
    this.#head = { status, fields };
    if (status !== 200) return this.#whole();
    const framing = this.#framingOf(fields);
    if ("fault" in framing) return framing;
    this.#framing = framing;
    return undefined;
  }

  #framingOf(fields: Record<string, string>): Framing | { fault: ReadFault } {
    const coding = fields["content-encoding"];
    // Compressed bodies are refused: a decoder would be one more thing to attack.
    if (coding !== undefined && coding.toLowerCase() !== "identity") {
      return { fault: "bad_framing" };
    }
    const transfer = fields["transfer-encoding"];
    if (transfer !== undefined) {
      const chunked = this.options.chunked && transfer.toLowerCase() === "chunked";
      return chunked ? { kind: "chunks", state: "size", left: 0 } : { fault: "bad_framing" };
    }
    const announced = fields["content-length"];
    if (announced === undefined) return { kind: "close" };
    // A repeated length is joined with a comma, and refused with it.
    if (!/^\d{1,9}$/.test(announced)) return { fault: "bad_framing" };
    const length = Number(announced);
    return length > this.#maxBody ? { fault: "too_large" } : { kind: "length", length };
  }

  #readBody(text: string): Result | undefined {
    const framing = this.#framing;
    if (framing.kind === "chunks") return this.#readChunks(text, framing);
    const room = framing.kind === "length" ? framing.length : this.#maxBody + 1;
    this.#body += text.slice(0, room - this.#body.length);
    if (this.#body.length > this.#maxBody) return TOO_LARGE;
    return framing.kind === "length" && this.#body.length === room ? this.#whole() : undefined;
  }

  /** RFC 9112 section 7.1; trailers are not waited for. */
  #readChunks(text: string, chunks: Framing & { kind: "chunks" }): Result | undefined {
    for (let at = 0; at < text.length;) {
      if (chunks.state === "data") {
        const part = text.slice(at, at + chunks.left);
        at += part.length;
        chunks.left -= part.length;
        this.#body += part;
        if (this.#body.length > this.#maxBody) return TOO_LARGE;
        if (chunks.left === 0) chunks.state = "line_end";
        continue;
      }
      const char = text[at++]!;
      this.#line += char;
      if (chunks.state === "line_end") {
        if (!"\r\n".startsWith(this.#line)) return BAD_FRAMING;
        if (this.#line.length === 2) [this.#line, chunks.state] = ["", "size"];
        continue;
      }
      if (this.#line.length > MAX_SIZE_LINE) return BAD_FRAMING;
      if (char !== "\n") continue;
      const size = /^([0-9a-f]{1,6})(?:[\t ]*;.*)?\r\n$/i.exec(this.#line)?.[1];
      if (size === undefined) return BAD_FRAMING;
      this.#line = "";
      chunks.left = parseInt(size, 16);
      if (chunks.left === 0) return this.#whole();
      chunks.state = "data";
    }
    return undefined;
  }

  #whole(): HttpResponse {
    return { ...this.#head!, body: this.#body };
  }
}

function joinFields(lines: string[]): Record<string, string> {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(fields);
}

/** One character a byte; TextDecoder's "latin1" is windows-1252, which is not that. */
function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
