/**
 * Read buffers that are used again: for a connection that lasts one request, its buffer is most of
 * what the garbage collector would have to do.
 */

import { MAX_HEAD_BYTES } from "./request_head.ts";

/** A usual request head fits. */
const BUFFER_BYTES = 1_024;
/** A head that does not fit gets more room in two steps, up to that of the largest. */
const GROWTH = 4;

/** Spare buffers kept; a flood's worth of them is left to the collector. */
const MAX_SPARE = 64;

export class Buffers {
  #spare: Uint8Array<ArrayBuffer>[] = [];

  take(): Uint8Array<ArrayBuffer> {
    return this.#spare.pop() ?? new Uint8Array(BUFFER_BYTES);
  }

  /** Gives a buffer back that nothing reads into any more. Its old bytes stay in it. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (buffer.length === BUFFER_BYTES && this.#spare.length < MAX_SPARE) this.#spare.push(buffer);
  }

  /** A larger one with the same bytes at its beginning. */
  enlarge(buffer: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const larger = new Uint8Array(Math.min(buffer.length * GROWTH, MAX_HEAD_BYTES));
    larger.set(buffer);
    this.give(buffer);
    return larger;
  }

  /** The buffer itself, or one of the usual size in the place of an enlarged one. */
  shrink(buffer: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    return buffer.length === BUFFER_BYTES ? buffer : this.take();
  }
}
