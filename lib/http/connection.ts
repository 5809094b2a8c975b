/**
 * One connection of a client: reads request heads, answers them in order, and ends.
 *
 * Every wait has a deadline, so that a client that sends slowly, stops or reads slowly holds a
 * descriptor for some seconds at most. The content of bodies is never used: the answer to a request
 * that announces one closes the connection, and the rest is read and dropped within bounds. Nothing
 * in here throws to its caller.
 */

import type { Clock } from "../time.ts";
import type { Activity, Place } from "./admission.ts";
import { type Answer, encodeAnswer, errorAnswer } from "./answer.ts";
import type { Waiting } from "./open_connections.ts";
import { type Endpoints, looksLikePreamble, parsePreamble } from "./proxy_protocol.ts";
import { type BufferPool, ReceivedBytes } from "./received_bytes.ts";
import { HeadReader, type HeadRefusal, type RequestHead } from "./request_head.ts";

/** From the accept, or its first byte, to the end of a head. */
export const HEAD_MS = 5_000;
/**
 * From the first byte after a pause to the last answer: pipelined requests whose answers nobody
 * reads would otherwise hold a connection for as long as the client likes.
 */
const BURST_MS = 15_000;
/**
 * A kept connection without a request. Longer than the pools of nginx (60 s), HAProxy and cloud
 * balancers keep theirs, so that they close first: a request that arrives while the connection is
 * being closed is lost.
 */
export const IDLE_MS = 75_000;
/**
 * The same after pipelined requests, which no such pool sends, and whose answers a client may have
 * left unread.
 */
const PIPELINED_IDLE_MS = 5_000;
/** Requests on one connection; the last answer announces the end. */
const MAX_REQUESTS = 1_000;

/**
 * Lingering: what is read and dropped after the last answer, because closing with unread bytes
 * sends a reset, which can overtake the answer (RFC 9112 section 9.6). Each 16 KiB that arrive
 * extend it by a second, so that a client must really send; nginx's bound is 30 s too.
 */
const LINGER_MS = 5_000;
const LINGER_BYTES_PER_MS = 16;
const MAX_LINGER_MS = 30_000;
const MAX_LINGER_BYTES = 64 * 1024 * 1024;
/** When all that was announced has come, or the listener stops. */
const LAST_MOMENT_MS = 500;

/** Answers a request; returns a promise when it has to ask others. */
export type Handler = (
  head: RequestHead,
  clientAddress: string,
  /** The address that the client connected to. */
  localAddress: string,
) => Answer | Promise<Answer>;

/** Why a connection got an error without a handler being asked. */
type ConnectionFault = HeadRefusal["fault"] | "timeout" | "bad_preamble" | "proxy_protocol";

/** What a connection needs from its listener. */
export interface ConnectionContext {
  clock: Clock;
  handler: Handler;
  buffers: BufferPool;
  /** Bytes that are dropped are read into this; shared by all connections. */
  scrap: Uint8Array<ArrayBuffer>;
  /** Called for each answer sent; `refused` is the reason where it is a refusal. */
  onAnswer(connection: Connection, answered: AnsweredRequest): void;
  /** Called when a handler throws, which is a defect. */
  onDefect(error: unknown): void;
  /** A front has announced the client; false when that client is over its cap. */
  onEndpoints(connection: Connection, endpoints: Endpoints): boolean;
  /** Called once, when the socket has been closed; a handler may still be at work then. */
  onClose(connection: Connection): void;
}

export interface AnsweredRequest {
  status: number;
  refused?: string;
  /** Undefined when there was no good one. */
  head?: RequestHead;
}

interface ConnectionOptions {
  address: string;
  local: string;
  /** The connection may begin with a trusted preamble of the PROXY protocol. */
  fronted: boolean;
}

const REQUEST_TIMEOUT = errorAnswer(408);
const INTERNAL_ERROR = errorAnswer(500);
const UNAVAILABLE = errorAnswer(503);

export class Connection implements Waiting {
  deadline: number;
  /** Who the client is, and the address it connected to. */
  address: string;
  local: string;
  place: Place | undefined;
  #activity: Activity | "closed" = "waiting";
  #stopping = false;
  #served = 0;
  #burstEnd: number;
  #received: ReceivedBytes;

  constructor(
    private readonly conn: Deno.TcpConn,
    private readonly context: ConnectionContext,
    private readonly options: ConnectionOptions,
  ) {
    this.address = options.address;
    this.local = options.local;
    this.#received = new ReceivedBytes(context.buffers);
    const now = context.clock.monotonic();
    this.#burstEnd = now + BURST_MS;
    this.deadline = now + HEAD_MS;
  }

  /** Serves until the connection has ended, for whatever reason. Never rejects. */
  async serve(): Promise<void> {
    try {
      if (!this.options.fronted || await this.#readPreamble()) await this.#serveRequests();
    } catch {
      // Reset, broken pipe, or closed by a deadline: in each case the client is gone.
    } finally {
      this.abort();
      this.#received.release();
    }
  }

  /** A deadline has passed: an incomplete head is answered with 408, any other state is closed. */
  expire(): void {
    if (this.#activity !== "waiting" || this.#isUnbegun()) return this.abort();
    this.#become("lingering");
    this.#setDeadline(LAST_MOMENT_MS);
    this.context.onAnswer(this, { status: 408, refused: "timeout" });
    this.#send(REQUEST_TIMEOUT, { close: true, bodiless: false })
      .then(() => this.abort(), () => this.abort());
  }

  /**
   * Ends soon: a kept connection at once, a new one after a short time in which its request may
   * still arrive, and one that is being answered after the answer.
   */
  stop(): void {
    this.#stopping = true;
    if (this.#activity === "idle") this.abort();
    else if (this.#activity === "lingering" || this.#isUnbegun()) {
      this.deadline = Math.min(this.deadline, this.context.clock.monotonic() + LAST_MOMENT_MS);
    }
  }

  /** Ends it now. */
  abort(): void {
    if (this.#activity === "closed") return;
    this.#activity = "closed";
    try {
      this.conn.close();
    } catch {
      // The runtime closed it already.
    }
    this.context.onClose(this);
  }

  /** Whether the connection continues, with the client that the front has announced, if any. */
  async #readPreamble(): Promise<boolean> {
    while (true) {
      const preamble = parsePreamble(this.#received.bytes);
      if (preamble.kind === "incomplete") {
        if (!await this.#receive()) return false;
        continue;
      }
      if (preamble.kind === "malformed") {
        await this.#refuse(400, "bad_preamble");
        return false;
      }
      if (preamble.kind === "none") {
        // Nothing has come yet, or a request of the front itself, such as a health check.
        if (this.#received.length > 0) return true;
        if (!await this.#receive()) return false;
        continue;
      }
      this.#received.drop(preamble.length);
      const { endpoints } = preamble;
      if (!endpoints || this.context.onEndpoints(this, endpoints)) return true;
      await this.#send(UNAVAILABLE, { close: true, bodiless: false });
      return false;
    }
  }

  async #serveRequests(): Promise<void> {
    let reader = new HeadReader();
    let inBurst = 0;
    const received = this.#received;
    while (true) {
      let result = reader.read(received.buffer, received.start, received.end);
      while (result.kind === "incomplete") {
        if (!await this.#receive()) return;
        const begins = this.#activity === "idle";
        if (begins) this.#burstEnd = this.context.clock.monotonic() + BURST_MS;
        result = reader.read(received.buffer, received.start, received.end);
        if (begins && result.kind === "incomplete") {
          this.#become("waiting");
          this.#setDeadline(HEAD_MS);
        }
      }
      this.#become("answering");
      this.deadline = this.#burstEnd;
      if (result.kind === "refusal") {
        return await this.#refuse(result.status, this.#faultOf(result));
      }
      received.drop(result.length);
      const answered = this.#answer(result);
      const answer = answered instanceof Promise ? await answered : answered;
      this.#served++;
      inBurst++;
      const close = answer.close || result.body > 0 || !result.keepAlive || this.#stopping ||
        this.#served >= MAX_REQUESTS || this.place?.crowded === true;
      const { status, refused } = answer;
      this.context.onAnswer(this, { status, refused, head: result });
      await this.#send(answer, { close, bodiless: result.method === "HEAD" });
      if (close) {
        const unread = result.body > 0 || received.length > 0;
        return unread ? await this.#linger(result.body) : undefined;
      }
      reader = new HeadReader();
      if (received.length > 0) {
        this.#become("waiting");
        this.#setDeadline(HEAD_MS, this.#burstEnd);
      } else {
        received.reset();
        this.#become("idle");
        this.#setDeadline(inBurst > 1 ? PIPELINED_IDLE_MS : IDLE_MS);
        inBurst = 0;
      }
    }
  }

  /** Reads more into the buffer; false at the end of the stream or when others ended it. */
  async #receive(): Promise<boolean> {
    const count = await this.conn.read(this.#received.room());
    if (count === null || this.#activity === "lingering" || this.#activity === "closed") {
      return false;
    }
    this.#received.added(count);
    return true;
  }

  /** Nothing of a request has come yet. */
  #isUnbegun(): boolean {
    return this.#activity === "waiting" && this.#received.length === 0;
  }

  #faultOf({ fault }: HeadRefusal): ConnectionFault {
    // Behind the preamble of a listed front it is the client who forges a second one.
    const unlisted = !this.options.fronted && this.#served === 0;
    return unlisted && looksLikePreamble(this.#received.bytes) ? "proxy_protocol" : fault;
  }

  #answer(head: RequestHead): Answer | Promise<Answer> {
    try {
      const answer = this.context.handler(head, this.address, this.local);
      return answer instanceof Promise ? answer.catch((error) => this.#failed(error)) : answer;
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): Answer {
    this.context.onDefect(error);
    return INTERNAL_ERROR;
  }

  async #refuse(status: number, refused: ConnectionFault): Promise<void> {
    this.context.onAnswer(this, { status, refused });
    await this.#send(errorAnswer(status), { close: true, bodiless: false });
    await this.#linger(Infinity);
  }

  async #send(answer: Answer, options: { close: boolean; bodiless: boolean }): Promise<void> {
    const spare = this.context.buffers.take();
    const bytes = encodeAnswer(answer, options, spare);
    let sent = await this.conn.write(bytes);
    while (sent < bytes.length) sent += await this.conn.write(bytes.subarray(sent));
    this.context.buffers.give(spare);
  }

  /** Half-closes and reads on within bounds, keeping nothing; `announced` bytes are to come. */
  async #linger(announced: number): Promise<void> {
    const began = this.context.clock.monotonic();
    this.#become("lingering");
    let dropped = this.#received.length;
    await this.conn.closeWrite();
    while (dropped < MAX_LINGER_BYTES) {
      const granted = Math.min(LINGER_MS + dropped / LINGER_BYTES_PER_MS, MAX_LINGER_MS);
      this.deadline = began + granted;
      if (this.#stopping || dropped >= announced) this.#setDeadline(LAST_MOMENT_MS, this.deadline);
      const count = await this.conn.read(this.context.scrap);
      if (count === null) return;
      dropped += count;
    }
  }

  #become(activity: Activity): void {
    // A deadline or a new connection may have closed it during an await.
    if (this.#activity === "closed") return;
    this.#activity = activity;
    this.place?.become(activity);
  }

  #setDeadline(ms: number, latest = Infinity): void {
    this.deadline = Math.min(this.context.clock.monotonic() + ms, latest);
  }
}
