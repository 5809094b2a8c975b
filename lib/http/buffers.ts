/**
 * Read buffers that are used again: for a connection that lasts one request, its buffer is most of
 * what the garbage collector would have to do.
 */

/** A usual request head fits; see connection.ts for those that do not. */
export const BUFFER_SIZE = 1_024;

/** Spare buffers kept; a flood's worth of them is left to the collector. */
const MAX_SPARE = 64;

export class Buffers {
  #spare: Uint8Array<ArrayBuffer>[] = [];

  take(): Uint8Array<ArrayBuffer> {
    return this.#spare.pop() ?? new Uint8Array(BUFFER_SIZE);
  }

  /** Gives a buffer back that nothing reads into any more. Its old bytes stay in it. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (buffer.length === BUFFER_SIZE && this.#spare.length < MAX_SPARE) this.#spare.push(buffer);
  }
}
