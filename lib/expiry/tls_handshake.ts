/**
 * One handshake with a server, as far as its certificate and the proof of its key.
 *
 * Written here because node:tls of this runtime cannot be told which kind of key to ask for, and
 * sees nothing of servers with old versions, old ciphers, small keys or a wish for client
 * certificates. No certificate is trusted and nothing but the handshake is sent: with TLS 1.3 all
 * of it, so that the server logs no failure; with older versions the part up to the server's key
 * exchange.
 */

import { isSignedBy } from "./tls_signature.ts";
import {
  type Bytes,
  joinBytes,
  number,
  numbers16,
  TlsReader,
  TlsSyntaxError,
  vector,
} from "./tls_bytes.ts";
import type { Hello } from "./tls_hello.ts";
import {
  deriveHandshakeSecrets,
  digest,
  type HandshakeSecrets,
  type ServerShare,
} from "./tls13_secrets.ts";

/** The server refused, with one of the alerts of RFC 8446 section 6. */
export class TlsAlertError extends Error {
  override name = "TlsAlertError";
  constructor(public readonly alert: number) {
    super(`alert ${alert}`);
  }
}

/** The server ended the connection in the middle. */
export class TlsClosedError extends Error {
  override name = "TlsClosedError";
}

/** What came is another protocol; `greeting` is how it began. */
export class NotTlsError extends Error {
  override name = "NotTlsError";
  constructor(public readonly greeting: Bytes) {
    super("no TLS");
  }
}

/** The server signed with a key that is not the certificate's. */
export class TlsKeyError extends Error {
  override name = "TlsKeyError";
}

/** Both ends of a connection, in bytes. */
interface TlsConnection {
  /** Null at the end. */
  read(buffer: Bytes): Promise<number | null>;
  write(bytes: Bytes): Promise<number>;
}

const RECORD = { alert: 21, handshake: 22, encrypted: 23, changeCipher: 20 } as const;
const MESSAGE = {
  serverHello: 2,
  certificate: 11,
  serverKeyExchange: 12,
  certificateRequest: 13,
  serverHelloDone: 14,
  certificateVerify: 15,
  finished: 20,
} as const;

/** A certificate list of 100 KiB is far beyond what any client accepts. */
const MAX_HANDSHAKE_BYTES = 256 * 1024;
const MAX_RECORD = 16_384 + 256;
const TLS_1_3 = 0x0304;

/** A ServerHello with this random is a HelloRetryRequest (RFC 8446 section 4.1.3). */
const RETRY = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c";

interface Message {
  type: number;
  body: Bytes;
}

/**
 * The certificates as the server sends them, the leaf first: DER.
 * @throws {TlsAlertError}, {@link TlsClosedError}, {@link NotTlsError}, {@link TlsKeyError},
 * {@link TlsSyntaxError}, or what the connection throws
 */
export async function shakeHands(connection: TlsConnection, hello: Hello): Promise<Bytes[]> {
  const records = new RecordReader(connection);
  await writeAll(connection, record(RECORD.handshake, hello.message));
  const serverHello = await records.message();
  if (serverHello.type !== MESSAGE.serverHello) throw new TlsSyntaxError("it sent no ServerHello");
  const { version, random, ...share } = readServerHello(serverHello.body);
  return version === TLS_1_3
    ? await finish13(connection, { hello, records, share })
    : await readOlder(records, { hello, random });
}

interface ServerHello extends ServerShare {
  version: number;
  random: Bytes;
}

function readServerHello(body: Bytes): ServerHello {
  const reader = new TlsReader(body);
  let version = reader.number(2);
  const random = reader.take(32);
  if (random.toHex() === RETRY) throw new TlsSyntaxError("it wants another key exchange group");
  reader.vector(1);
  const cipher = reader.number(2);
  reader.number(1);
  let [group, key] = [0, new Uint8Array()];
  const extensions = new TlsReader(reader.done ? new Uint8Array() : reader.vector(2));
  while (!extensions.done) {
    const type = extensions.number(2);
    const content = new TlsReader(extensions.vector(2));
    if (type === 43) version = content.number(2);
    if (type === 51) [group, key] = [content.number(2), content.vector(2).slice()];
  }
  return { version, random, cipher, group, key };
}

/** TLS 1.2 and before: the certificate comes in the clear, and the signature in the key exchange. */
async function readOlder(
  records: RecordReader,
  { hello, random }: { hello: Hello; random: Bytes },
): Promise<Bytes[]> {
  let chain: Bytes[] | undefined;
  while (true) {
    const { type, body } = await records.message();
    if (type === MESSAGE.certificate) chain = readChain(new TlsReader(body), false);
    else if (type === MESSAGE.serverKeyExchange && chain?.[0]) {
      const proof = readKeyExchange(body);
      if (!proof) return chain;
      const data = joinBytes(hello.random, random, proof.parameters);
      if (await isSignedBy(chain[0], { ...proof, data }) === false) throw new TlsKeyError();
      return chain;
    } else if (type === MESSAGE.serverHelloDone) {
      if (chain) return chain;
      throw new TlsSyntaxError("it sent no certificate");
    }
  }
}

/** The signed part of an ECDHE key exchange of TLS 1.2 (RFC 8422); undefined for others. */
function readKeyExchange(
  body: Bytes,
): { parameters: Bytes; scheme: number; signature: Bytes } | undefined {
  const reader = new TlsReader(body);
  // A named curve; DHE begins with the length of its prime, before 1.2 there is no scheme.
  if (reader.number(1) !== 3) return undefined;
  reader.number(2);
  const parameters = body.subarray(0, 4 + reader.vector(1).length);
  const rest = new TlsReader(body.subarray(parameters.length));
  const scheme = rest.number(2);
  try {
    const signature = rest.vector(2);
    return rest.done ? { parameters, scheme, signature } : undefined;
  } catch {
    return undefined;
  }
}

/** TLS 1.3: reads to the server's end of the handshake, and finishes it. */
async function finish13(
  connection: TlsConnection,
  { hello, records, share }: { hello: Hello; records: RecordReader; share: ServerShare },
): Promise<Bytes[]> {
  const transcript = () => joinBytes(hello.message, records.transcript());
  const secrets = await deriveHandshakeSecrets(hello, { server: share, transcript: transcript() });
  records.decryptWith(secrets);
  let chain: Bytes[] | undefined;
  let answer = new Uint8Array();
  while (true) {
    const before = transcript();
    const { type, body } = await records.message();
    if (type === MESSAGE.certificateRequest) {
      const context = new TlsReader(body).vector(1);
      answer = message(MESSAGE.certificate, joinBytes(vector(1, context), vector(3)));
    } else if (type === MESSAGE.certificate) {
      const reader = new TlsReader(body);
      reader.vector(1);
      chain = readChain(reader, true);
    } else if (type === MESSAGE.certificateVerify) {
      await verify13(body, { leaf: chain?.[0], transcript: before, secrets });
    } else if (type === MESSAGE.finished) {
      if (!chain?.[0]) throw new TlsSyntaxError("it sent no certificate");
      const whole = joinBytes(transcript(), answer);
      const end = message(MESSAGE.finished, await secrets.finished("client", whole));
      // The certificate is known now; whether the server accepts the end of the handshake does not
      // matter.
      await writeAll(connection, await secrets.encrypt(joinBytes(answer, end))).catch(() => {});
      return chain;
    }
  }
}

async function verify13(
  body: Bytes,
  { leaf, transcript, secrets }: {
    leaf: Bytes | undefined;
    transcript: Bytes;
    secrets: HandshakeSecrets;
  },
): Promise<void> {
  if (!leaf) throw new TlsSyntaxError("it sent no certificate");
  const reader = new TlsReader(body);
  const [scheme, signature] = [reader.number(2), reader.vector(2)];
  // RFC 8446 section 4.4.3.
  const words = `${" ".repeat(64)}TLS 1.3, server CertificateVerify\0`;
  const data = joinBytes(
    new TextEncoder().encode(words),
    await digest(secrets.hash, transcript),
  );
  if (await isSignedBy(leaf, { scheme, data, signature }) === false) throw new TlsKeyError();
}

function readChain(reader: TlsReader, withExtensions: boolean): Bytes[] {
  const list = new TlsReader(reader.vector(3));
  const chain: Bytes[] = [];
  while (!list.done) {
    chain.push(list.vector(3).slice());
    if (withExtensions) list.vector(2);
  }
  if (chain.length === 0) throw new TlsSyntaxError("it sent no certificate");
  return chain;
}

function message(type: number, body: Bytes): Bytes {
  return joinBytes(number(1, type), vector(3, body));
}

/** The version in front of a record means nothing any more. */
function record(type: number, body: Bytes): Bytes {
  return joinBytes(number(1, type), numbers16(0x0301), vector(2, body));
}

async function writeAll(connection: TlsConnection, bytes: Bytes): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** Handshake messages out of records, which divide them as they like. */
class RecordReader {
  #raw = new Uint8Array();
  #handshake = new Uint8Array();
  #transcript: Bytes[] = [];
  #secrets: HandshakeSecrets | undefined;
  #total = 0;

  constructor(private readonly connection: TlsConnection) {}

  /** The messages so far, as they were sent. */
  transcript(): Bytes {
    return joinBytes(...this.#transcript);
  }

  decryptWith(secrets: HandshakeSecrets): void {
    this.#secrets = secrets;
  }

  async message(): Promise<Message> {
    while (true) {
      const taken = this.#takeMessage();
      if (taken) return taken;
      const { type, body } = await this.#record();
      if (type === RECORD.alert) this.#alert(body);
      else if (type === RECORD.handshake) this.#handshake = joinBytes(this.#handshake, body);
      else if (type !== RECORD.changeCipher) throw new TlsSyntaxError("it sent data too early");
    }
  }

  #takeMessage(): Message | undefined {
    if (this.#handshake.length < 4) return undefined;
    const [type, a, b, c] = this.#handshake as unknown as [number, number, number, number];
    const end = 4 + a * 65_536 + b * 256 + c;
    if (end > MAX_HANDSHAKE_BYTES) throw new TlsSyntaxError("a message is too long");
    if (this.#handshake.length < end) return undefined;
    this.#transcript.push(this.#handshake.subarray(0, end));
    const body = this.#handshake.subarray(4, end);
    this.#handshake = this.#handshake.subarray(end);
    return { type, body };
  }

  /** Warnings are passed over: some servers warn of an unknown name and go on. */
  #alert(body: Bytes): void {
    const [level, description] = body;
    const closing = description === 0;
    if (body.length !== 2) throw new TlsSyntaxError("an alert has no two bytes");
    if (closing) throw new TlsClosedError();
    if (level !== 1 || this.#secrets) throw new TlsAlertError(description!);
  }

  async #record(): Promise<Message> {
    const header = await this.#take(5);
    const length = header[3]! * 256 + header[4]!;
    const { type, body } = { type: header[0]!, body: await this.#take(length) };
    if (type !== RECORD.encrypted || !this.#secrets) return { type, body };
    const plain = await this.#secrets.decrypt(header, body);
    const end = plain.findLastIndex((byte) => byte !== 0);
    if (end < 0) throw new TlsSyntaxError("an encrypted record is empty");
    return { type: plain[end]!, body: plain.subarray(0, end) };
  }

  async #take(length: number): Promise<Bytes> {
    while (this.#raw.length < length) {
      const buffer = new Uint8Array(16_384);
      const count = await this.connection.read(buffer);
      if (count === null) {
        // A greeting may be shorter than the head of a record.
        if (length === 5 && !this.#isRecord()) throw new NotTlsError(this.#raw);
        throw new TlsClosedError();
      }
      this.#total += count;
      if (this.#total > MAX_HANDSHAKE_BYTES) throw new TlsSyntaxError("a handshake is too long");
      this.#raw = joinBytes(this.#raw, buffer.subarray(0, count));
      if (length === 5 && !this.#isRecord()) throw new NotTlsError(this.#raw);
    }
    const taken = this.#raw.subarray(0, length);
    this.#raw = this.#raw.subarray(length);
    return taken;
  }

  /** Whether what stands in front may be the head of a record, as far as it has come. */
  #isRecord(): boolean {
    const [type, major, , high, low] = this.#raw;
    if (type !== undefined && (type < RECORD.changeCipher || type > RECORD.encrypted)) return false;
    if (major !== undefined && major !== 3) return false;
    return low === undefined || high! * 256 + low <= MAX_RECORD;
  }
}
