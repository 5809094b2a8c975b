/**
 * One connection of a client: reads request heads, has them answered in order, and ends.
 *
 * Every wait has an absolute deadline, so that a client that drips, stalls or reads slowly holds
 * a descriptor for seconds at most. Bodies are never read for their content: the answer to a
 * request that announces one closes the connection. Nothing in here throws to its caller.
 */

import { type Answer, encodeAnswer, errorAnswer } from "./answer.ts";
import type { Buffers } from "./buffers.ts";
import type { Waiting } from "./open_connections.ts";
import { type HeadFault, MAX_HEAD, parseRequestHead, type RequestHead } from "./request_head.ts";

/** Milliseconds: a head, the pause before the next one, and the whole connection. */
export const HEAD_TIME = 5_000;
export const IDLE_TIME = 5_000;
export const TOTAL_TIME = 15_000;
/** Requests on one connection. */
export const MAX_REQUESTS = 1_000;
/** What is read and thrown away after a refusal, so that the client gets to see the answer. */
const DRAIN_TIME = 1_000;
const DRAIN_BYTES = 64 * 1024;

/** Answers a request of the client at the address; a promise where it has to ask others. */
export type Handler = (head: RequestHead, clientAddress: string) => Answer | Promise<Answer>;

/** What a connection needs of its listener. */
export interface ConnectionContext {
  handler: Handler;
  buffers: Buffers;
  /** Whether connections may be kept for later requests at present. */
  mayKeep(): boolean;
  /** Called for each answer sent; `fault` is set when the head itself was refused. */
  onAnswer(status: number, clientAddress: string, fault?: HeadFault | "timeout"): void;
  /** Called when a handler throws, which is a defect. */
  onDefect(error: unknown): void;
  /** Called once, when the socket has been closed; a handler may still be at work then. */
  onClose(connection: Connection): void;
}

/** Whose connection it is. */
export interface Client {
  address: string;
  /** What it counts as for the caps; see `sourceOf` of address.ts. */
  source: string;
}

const REQUEST_TIMEOUT = errorAnswer(408);
const INTERNAL_ERROR = errorAnswer(500);

type Phase = "idle" | "head" | "answering" | "draining" | "closed";

export class Connection implements Waiting {
  deadline: number;
  #phase: Phase = "idle";
  #stopping = false;
  #served = 0;
  #end: number;
  #buffer: Uint8Array<ArrayBuffer>;

  constructor(
    private readonly conn: Deno.TcpConn,
    readonly client: Client,
    private readonly context: ConnectionContext,
  ) {
    const now = performance.now();
    this.#end = now + TOTAL_TIME;
    this.deadline = now + HEAD_TIME;
    this.#buffer = context.buffers.take();
  }

  /** Serves until the connection has ended, for whatever reason. Never rejects. */
  async serve(): Promise<void> {
    try {
      await this.#serveRequests();
    } catch {
      // Reset, broken pipe, or closed by a deadline: the client is gone either way.
    } finally {
      this.#close();
      this.context.buffers.give(this.#buffer);
    }
  }

  /** A deadline has passed: a head that was begun gets its 408, all else is closed. */
  expire(): void {
    const begun = this.#phase === "head";
    if (!begun) return this.#close();
    this.#phase = "draining";
    this.deadline = performance.now() + DRAIN_TIME;
    this.context.onAnswer(408, this.client.address, "timeout");
    this.#send(REQUEST_TIMEOUT, { close: true, bodiless: false })
      .then(() => this.#close(), () => this.#close());
  }

  /**
   * Lets go soon: a kept connection at once, a new one after a moment in which its request may
   * still arrive, and one that is being answered after the answer.
   */
  stop(): void {
    this.#stopping = true;
    if (this.#phase === "idle" && this.#served > 0) this.#close();
    else if (this.#phase === "idle") {
      this.deadline = Math.min(this.deadline, performance.now() + DRAIN_TIME / 2);
    }
  }

  /** Ends it now. */
  abort(): void {
    this.#close();
  }

  async #serveRequests(): Promise<void> {
    let start = 0;
    let end = 0;
    while (true) {
      let result = parseRequestHead(this.#buffer, start, end);
      while (result.kind === "incomplete") {
        if (end === this.#buffer.length) {
          // The bytes of this head move to the front of a buffer that can hold the largest.
          const larger = new Uint8Array(MAX_HEAD);
          larger.set(this.#buffer.subarray(start, end));
          [this.#buffer, end, start] = [larger, end - start, 0];
        }
        const free = end === 0 ? this.#buffer : this.#buffer.subarray(end);
        const count = await this.conn.read(free);
        if (count === null || this.#phase === "draining") return;
        if (this.#phase === "idle") {
          this.#phase = "head";
          if (this.#served > 0) this.#setDeadline(HEAD_TIME);
        }
        end += count;
        result = parseRequestHead(this.#buffer, start, end);
      }
      this.#phase = "answering";
      this.deadline = this.#end;
      if (result.kind === "refusal") {
        this.context.onAnswer(result.status, this.client.address, result.fault);
        await this.#send(errorAnswer(result.status), { close: true, bodiless: false });
        return await this.#drain();
      }
      start += result.length;
      const answered = this.#answer(result);
      const answer = answered instanceof Promise ? await answered : answered;
      this.#served++;
      const close = answer.close || result.body || !result.keepAlive || this.#stopping ||
        this.#served >= MAX_REQUESTS || !this.context.mayKeep();
      this.context.onAnswer(answer.status, this.client.address);
      await this.#send(answer, { close, bodiless: result.method === "HEAD" });
      // Closing with unread bytes sends a reset, which can overtake the answer.
      if (close) return result.body || start < end ? await this.#drain() : undefined;
      if (start === end) start = end = 0;
      this.#phase = start === end ? "idle" : "head";
      this.#setDeadline(start === end ? IDLE_TIME : HEAD_TIME);
    }
  }

  #answer(head: RequestHead): Answer | Promise<Answer> {
    const failed = (error: unknown): Answer => {
      this.context.onDefect(error);
      return INTERNAL_ERROR;
    };
    try {
      const answer = this.context.handler(head, this.client.address);
      return answer instanceof Promise ? answer.catch(failed) : answer;
    } catch (error) {
      return failed(error);
    }
  }

  async #send(answer: Answer, options: { close: boolean; bodiless: boolean }): Promise<void> {
    const bytes = encodeAnswer(answer, options);
    let sent = await this.conn.write(bytes);
    while (sent < bytes.length) sent += await this.conn.write(bytes.subarray(sent));
  }

  /** Half-closes and reads on for a bounded while, keeping nothing. */
  async #drain(): Promise<void> {
    this.#phase = "draining";
    this.#setDeadline(DRAIN_TIME);
    await this.conn.closeWrite();
    for (let drained = 0; drained < DRAIN_BYTES;) {
      const count = await this.conn.read(this.#buffer);
      if (count === null) return;
      drained += count;
    }
  }

  #setDeadline(time: number): void {
    this.deadline = Math.min(performance.now() + time, this.#end);
  }

  #close(): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    try {
      this.conn.close();
    } catch {
      // The runtime closed it already.
    }
    this.context.onClose(this);
  }
}
