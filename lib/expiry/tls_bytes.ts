/** Numbers and vectors of TLS messages (RFC 8446 section 3): big-endian, lengths in front. */

export type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes that are not TLS, or end too early; no client could use such a server. */
export class TlsSyntaxError extends Error {
  override name = "TlsSyntaxError";
}

/** A vector behind its length of so many bytes. */
export function vector(lengthBytes: 1 | 2 | 3, ...parts: Bytes[]): Bytes {
  const body = joinBytes(...parts);
  return joinBytes(number(lengthBytes, body.length), body);
}

export function number(bytes: 1 | 2 | 3, value: number): Bytes {
  return Uint8Array.from({ length: bytes }, (_, i) => value >>> (8 * (bytes - 1 - i)));
}

/** Each as two bytes. */
export function numbers16(...values: number[]): Bytes {
  return joinBytes(...values.map((value) => number(2, value)));
}

export function joinBytes(...parts: Bytes[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Reads from the front. @throws {TlsSyntaxError} when there is less than is asked for */
export class TlsReader {
  #offset = 0;
  constructor(private readonly bytes: Bytes) {}

  get done(): boolean {
    return this.#offset >= this.bytes.length;
  }

  take(length: number): Bytes {
    if (this.#offset + length > this.bytes.length) {
      throw new TlsSyntaxError("a message is cut short");
    }
    return this.bytes.subarray(this.#offset, this.#offset += length);
  }

  number(bytes: 1 | 2 | 3): number {
    return this.take(bytes).reduce((sum, byte) => sum * 256 + byte, 0);
  }

  vector(lengthBytes: 1 | 2 | 3): Bytes {
    return this.take(this.number(lengthBytes));
  }
}
