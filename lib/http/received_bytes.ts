/**
 * What a connection has received and not yet dealt with, in a read buffer that is used again: for a
 * connection that lasts one request, its buffer is most of what the garbage collector would have to
 * do.
 */

import { MAX_HEAD_BYTES } from "./request_head.ts";

type Buffer = Uint8Array<ArrayBuffer>;

/** A usual request head fits. */
const BUFFER_BYTES = 1_024;
/** A head that does not fit gets more room in two steps, up to that of the largest. */
const GROWTH = 4;

/** Spare buffers kept; a flood's worth of them is left to the collector. */
const MAX_SPARE = 64;

const NO_BYTES: Buffer = new Uint8Array(0);

/** Spare buffers of the usual size, for heads that are read and answers that are sent. */
export class BufferPool {
  #spare: Buffer[] = [];

  take(): Buffer {
    return this.#spare.pop() ?? new Uint8Array(BUFFER_BYTES);
  }

  /** Gives a buffer back that nothing reads into any more. Its old bytes stay in it. */
  give(buffer: Buffer): void {
    if (buffer.length === BUFFER_BYTES && this.#spare.length < MAX_SPARE) this.#spare.push(buffer);
  }
}

export class ReceivedBytes {
  /** The bytes stand from `start` to `end` (exclusive). */
  buffer = NO_BYTES;
  start = 0;
  end = 0;

  constructor(private readonly pool: BufferPool) {}

  get length(): number {
    return this.end - this.start;
  }

  get bytes(): Buffer {
    return this.buffer.subarray(this.start, this.end);
  }

  /** Where to read more into; {@link added} says how much came. There may be new room for it. */
  room(): Buffer {
    if (this.end === this.buffer.length) this.#makeRoom();
    return this.end === 0 ? this.buffer : this.buffer.subarray(this.end);
  }

  added(count: number): void {
    this.end += count;
  }

  /** Has been dealt with. */
  drop(count: number): void {
    this.start += count;
  }

  /** All has been dealt with; a buffer that had grown is left to the collector. */
  reset(): void {
    this.start = this.end = 0;
    if (this.buffer.length > BUFFER_BYTES) this.buffer = this.pool.take();
  }

  /** Nothing is read any more. */
  release(): void {
    this.pool.give(this.buffer);
    this.buffer = NO_BYTES;
    this.start = this.end = 0;
  }

  #makeRoom(): void {
    if (this.start > 0) {
      this.buffer.copyWithin(0, this.start, this.end);
      this.end -= this.start;
      this.start = 0;
      return;
    }
    const { buffer } = this;
    if (buffer.length === 0) {
      this.buffer = this.pool.take();
      return;
    }
    this.buffer = new Uint8Array(Math.min(buffer.length * GROWTH, MAX_HEAD_BYTES));
    this.buffer.set(buffer);
    this.pool.give(buffer);
  }
}
